/**
 * What the endpoint does with each command of the engine. Whatever is not named here is routed by its keys, as the
 * engine's own facts tell them. A test compares the names with a running engine's; docs/commands.md is made from this.
 */

export type PolicyKind =
  /** To the primary (or, where reads may, a replica) that owns the slot of its keys. */
  | 'route'
  /** Split into a part a slot where its keys are in several; the replies are put together. */
  | 'split'
  /** To every primary; the replies are put together. */
  | 'all'
  /** Answered by the endpoint itself, with or without the engine's help. */
  | 'own'
  /** On a connection to a node that the client has for itself, for as long as it takes. */
  | 'dedicated'
  /** Not possible through the endpoint. */
  | 'refuse';

export interface Policy {
  kind: PolicyKind;
  /** What happens with it, for people. */
  about: string;
  atomicity: string;
  /** Of what is refused: what to do instead. */
  remedy?: string;
}

const ONE_SLOT = 'as in the engine: all its keys are in one slot';
const NONE = 'none needed';
const PARTS = 'each slot for itself; the whole is not atomic';
const EACH_PRIMARY = 'each primary for itself; the whole is not atomic';

const ROUTE: Policy = { kind: 'route', about: 'To the owner of the slot of its keys.', atomicity: ONE_SLOT };

const split = (about: string): Policy => ({ kind: 'split', about, atomicity: PARTS });
const all = (about: string): Policy => ({ kind: 'all', about, atomicity: EACH_PRIMARY });
const own = (about: string, atomicity = NONE): Policy => ({ kind: 'own', about, atomicity });
const dedicated = (about: string, atomicity = ONE_SLOT): Policy => ({ kind: 'dedicated', about, atomicity });
const refuse = (about: string, remedy: string): Policy => ({ kind: 'refuse', about, atomicity: NONE, remedy });

const ANY = own('To one primary, always the same.', 'as in the engine');
const BLOCKS = dedicated(
  'To the owner of the slot, on a connection of its own while it may block; only its client waits.',
);
const ADMIN = 'It would change a node behind the back of Valkeeper, which changes nodes from the spec.';
const USERS = refuse(
  'Users are part of the spec and the same on every node.',
  'Change `users` in the spec of the database: valkeeper db apply -f, or valkeeper db update.',
);
const NODES = refuse(ADMIN, 'Use the valkeeper command for it: valkeeper db --help.');
const DEBUG = refuse('It works inside of one node.', 'Connect to the node itself: valkeeper db show NAME lists them.');
const MODULES = refuse('Modules are not managed.', 'Ask for what the engine has built in.');
const SUBSCRIBES = own('On a connection of the client to one primary, where all publish; renewed when it is lost.');
const EVENTS_TOO = own(
  'As SUBSCRIBE; channels of keyspace events are heard from every primary. Renewed when a node is lost.',
);
const SLOT_CHANNEL = own('On connections of the client to the owners of the channels; renewed when slots move.');
const TRANSACTION = own(
  'Kept by the endpoint and sent as a whole with EXEC, to the owner of the slot.',
  'atomic, in one slot',
);
const CONNECTION = own('About the connection to the endpoint.');
const NODE_REPORT = all('From every primary, one after the other; each item says from where, or they are one list.');

/** By name; a subcommand as `client|list`. */
export const POLICIES: Readonly<Record<string, Policy>> = {
  // Split by slot.
  mget: split('A part for each slot; values in the order of the keys.'),
  mset: split('A part for each slot; OK when all are done.'),
  del: split('A part for each slot; the sum of the replies.'),
  unlink: split('A part for each slot; the sum of the replies.'),
  exists: split('A part for each slot; the sum of the replies.'),
  touch: split('A part for each slot; the sum of the replies.'),
  // Everywhere.
  dbsize: all('The sum over all primaries.'),
  keys: all('The keys of all primaries, in one list.'),
  flushall: all('On all primaries; OK when all are done.'),
  flushdb: all('On all primaries; OK when all are done.'),
  'script|load': all('On all primaries; kept by the endpoint, to load it where it is missing.'),
  'script|exists': all('Whether any primary has it: where it is missing it is loaded when called.'),
  'script|flush': all('On all primaries, and what the endpoint keeps.'),
  'script|kill': all('On all primaries; OK when one of them ran a script.'),
  'function|load': all('On all primaries; an error of one is the reply.'),
  'function|delete': all('On all primaries; an error of one is the reply.'),
  'function|flush': all('On all primaries; an error of one is the reply.'),
  'function|restore': all('On all primaries; an error of one is the reply.'),
  'function|kill': all('On all primaries; OK when one of them ran a function.'),
  'config|set': all(
    'Of a short list of parameters only, on all nodes, until they start again; what is as asked for already is fine.',
  ),
  'config|resetstat': all('On all primaries.'),
  'latency|reset': all('On all primaries; the sum.'),
  'latency|histogram': all('The calls of all primaries, counted together.'),
  'latency|graph': all('Of the first primary that has samples of the event.'),
  'latency|history': all('The events of all primaries, by time.'),
  'latency|latest': all('The events of all primaries, counted together.'),
  'slowlog|reset': all('On all primaries.'),
  'commandlog|reset': all('On all primaries.'),
  'slowlog|get': NODE_REPORT,
  'slowlog|len': all('The sum over all primaries.'),
  'commandlog|get': NODE_REPORT,
  'commandlog|len': all('The sum over all primaries.'),
  'memory|purge': all('On all primaries.'),
  wait: own('On every primary: behind the writes of all clients until now. The smallest number of replicas.'),
  waitaof: own('On every primary: behind the writes of all clients until now. The smallest numbers.'),
  scan: own(
    'Slot by slot over all primaries; a cursor stays good when slots move or a primary is replaced.',
    'as in the engine',
  ),
  clusterscan: own('To the owner of the slot that the cursor names.', 'as in the engine'),
  randomkey: own('From a primary chosen by chance, by how many keys each has.'),
  info: own(
    'The endpoint tells of itself in the sections server and clients; the figures of all primaries are added up.',
  ),
  // One primary is as good as another.
  'config|get': own(
    'From the primaries; the parameters of the endpoint are told as they are there, secrets not at all.',
  ),
  'function|list': ANY,
  'function|dump': ANY,
  'function|stats': own('Of the primary that runs a script, if one does.'),
  'script|show': ANY,
  'memory|doctor': ANY,
  'memory|malloc-stats': ANY,
  'memory|stats': ANY,
  'latency|doctor': ANY,
  lastsave: ANY,
  lolwut: ANY,
  time: ANY,
  'acl|cat': ANY,
  'acl|genpass': ANY,
  'acl|whoami': ANY,
  'acl|list': ANY,
  'acl|users': ANY,
  'acl|getuser': ANY,
  'acl|dryrun': ANY,
  'acl|log': ANY,
  command: ANY,
  'command|count': ANY,
  'command|docs': ANY,
  'command|getkeys': ANY,
  'command|getkeysandflags': ANY,
  'command|info': ANY,
  'command|list': ANY,
  publish: own(
    'To the primary where all subscribe: the number is that of all subscribers through endpoints. In a transaction or a script its node tells the number, and knows few; the message reaches all.',
  ),
  'pubsub|channels': ANY,
  'pubsub|numsub': ANY,
  'pubsub|numpat': ANY,
  'pubsub|shardchannels': all('The channels of all primaries, in one list.'),
  'pubsub|shardnumsub': own('From the owner of each channel.'),
  // The connection.
  ping: CONNECTION,
  echo: CONNECTION,
  hello: own('Answered by the endpoint, which checks the user and the password and speaks RESP2 or RESP3.'),
  auth: own('Checked by the endpoint, and again by the engine with the first command.'),
  select: CONNECTION,
  quit: CONNECTION,
  reset: CONNECTION,
  monitor: own(
    'Commands of the clients of this endpoint (of the same worker), as they come, and what scripts call; not what has secrets.',
  ),
  role: own('The endpoint is a primary without replicas.'),
  readonly: own('Commands that only read may go to replicas from now on.'),
  readwrite: own('Everything goes to primaries from now on.'),
  'client|caching': CONNECTION,
  'client|capa': CONNECTION,
  'client|getname': CONNECTION,
  'client|getredir': CONNECTION,
  'client|id': CONNECTION,
  'client|info': CONNECTION,
  'client|kill': own('Clients of this endpoint.'),
  'client|list': own('The clients of this endpoint.'),
  'client|no-evict': own('Accepted; the connections of the endpoint are not evicted.'),
  'client|no-touch': dedicated('From now on on connections that the client has for itself.', NONE),
  'client|pause': own('Commands of the clients of this endpoint wait; nodes go on by themselves.'),
  'client|unpause': own('Commands of the clients of this endpoint go on.'),
  'client|reply': CONNECTION,
  'client|setinfo': CONNECTION,
  'client|setname': CONNECTION,
  'client|tracking': dedicated(
    'From now on on connections that the client has for itself; in RESP2 with REDIRECT.',
    NONE,
  ),
  'client|trackinginfo': CONNECTION,
  'client|unblock': own('A client of this endpoint that blocks.'),
  'client|import-source': dedicated('From now on on connections that the client has for itself.', NONE),
  // Transactions, blocking commands, scripts.
  multi: TRANSACTION,
  exec: TRANSACTION,
  discard: TRANSACTION,
  watch: dedicated('On a connection that the client has for itself until EXEC, DISCARD or UNWATCH.'),
  unwatch: own('Gives the connection back.'),
  blpop: BLOCKS,
  brpop: BLOCKS,
  blmove: BLOCKS,
  blmpop: BLOCKS,
  brpoplpush: BLOCKS,
  bzpopmin: BLOCKS,
  bzpopmax: BLOCKS,
  bzmpop: BLOCKS,
  xread: BLOCKS,
  xreadgroup: BLOCKS,
  evalsha: own(
    'To the owner of the slot of its keys; a script that is missing there is loaded and called again.',
    ONE_SLOT,
  ),
  evalsha_ro: own(
    'To the owner of the slot of its keys; a script that is missing there is loaded and called again.',
    ONE_SLOT,
  ),
  eval: own('To the owner of the slot of its keys, and kept by the endpoint for EVALSHA.', ONE_SLOT),
  eval_ro: own('To the owner of the slot of its keys, and kept by the endpoint for EVALSHA.', ONE_SLOT),
  fcall: own(
    'To the owner of the slot of its keys; a library that is missing there is brought from another primary.',
    ONE_SLOT,
  ),
  fcall_ro: own(
    'To the owner of the slot of its keys; a library that is missing there is brought from another primary.',
    ONE_SLOT,
  ),
  msetex: own(
    'To the owner of the slot of its keys, in a transaction: by itself the engine does not see that a slot has moved.',
    ONE_SLOT,
  ),
  'script|debug': refuse('The debugger holds a node.', 'Debug scripts against a server of your own.'),
  // Subscriptions.
  subscribe: EVENTS_TOO,
  psubscribe: EVENTS_TOO,
  unsubscribe: SUBSCRIBES,
  punsubscribe: SUBSCRIBES,
  ssubscribe: SLOT_CHANNEL,
  sunsubscribe: SLOT_CHANNEL,
  // The cluster, as this database shows it.
  'cluster|info': own('One node that owns all slots; or the true cluster, where the database shows it.'),
  'cluster|myid': own('The endpoint as a node.'),
  'cluster|myshardid': own('The endpoint as a shard.'),
  'cluster|nodes': own('One node that owns all slots; or the true cluster, where the database shows it.'),
  'cluster|shards': own('One node that owns all slots; or the true cluster, where the database shows it.'),
  'cluster|slots': own('One node that owns all slots; or the true cluster, where the database shows it.'),
  'cluster|keyslot': own('Computed by the endpoint.'),
  'cluster|countkeysinslot': own('From the owner of the slot.'),
  'cluster|getkeysinslot': own('From the owner of the slot.'),
  'cluster|slot-stats': refuse(
    'It is about the slots of one node.',
    'Connect to the node itself: valkeeper db show NAME.',
  ),
  'cluster|links': refuse('It is about one node.', 'Connect to the node itself: valkeeper db show NAME lists them.'),
  'cluster|replicas': refuse('It is about one node.', 'valkeeper db show NAME lists the replicas.'),
  'cluster|slaves': refuse('It is about one node.', 'valkeeper db show NAME lists the replicas.'),
  'cluster|count-failure-reports': refuse('It is about one node.', 'valkeeper db show NAME tells how nodes are.'),
  'cluster|getslotmigrations': refuse('It is about one node.', 'Connect to the node itself: valkeeper db show NAME.'),
  asking: refuse('Redirections are followed by the endpoint.', 'Send the command itself.'),
  // Not through the endpoint.
  move: ROUTE,
  swapdb: refuse('A cluster does not have it.', 'Use FLUSHDB and write anew, or two names for keys.'),
  migrate: refuse('It would take keys out of the database.', 'DUMP and RESTORE, or COPY.'),
  'acl|deluser': USERS,
  'acl|load': USERS,
  'acl|save': USERS,
  'acl|setuser': USERS,
  'config|rewrite': NODES,
  bgrewriteaof: NODES,
  bgsave: NODES,
  save: NODES,
  failover: NODES,
  replicaof: NODES,
  slaveof: NODES,
  replconf: NODES,
  psync: NODES,
  sync: NODES,
  shutdown: NODES,
  'restore-asking': NODES,
  debug: DEBUG,
  pfdebug: ROUTE,
  pfselftest: ANY,
  'module|list': ANY,
  'module|load': MODULES,
  'module|loadex': MODULES,
  'module|unload': MODULES,
  ...Object.fromEntries(
    [
      ...['addslots', 'addslotsrange', 'bumpepoch', 'cancelslotmigrations', 'delslots', 'delslotsrange', 'failover'],
      ...['flushslot', 'flushslots', 'forget', 'meet', 'migrateslots', 'replicate', 'reset', 'saveconfig'],
      ...['set-config-epoch', 'setslot', 'syncslots'],
    ].map((name) => [`cluster|${name}`, NODES]),
  ),
};

/** By name, `get` or `client|list`. HELP of whatever has it is answered by the engine. */
export const policyOf = (name: string): Policy => (name.endsWith('|help') ? ANY : (POLICIES[name] ?? ROUTE));
