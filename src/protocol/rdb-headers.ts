/** What goes before a shard's RDB: the headers of the answer. */

export const RDB_HEADERS = {
  node: { name: 'valkeeper-node', description: 'The id of the node that gives it.' },
  machine: { name: 'valkeeper-machine', description: 'Where that node runs.' },
  role: { name: 'valkeeper-role', description: '`primary` or `replica`.' },
  forkedAt: { name: 'valkeeper-forked-at', description: 'The moment that it is of, ISO 8601.' },
} as const;
