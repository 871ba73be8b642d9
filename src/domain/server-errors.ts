/** The part of the error catalogue that is about several servers of one fleet; see error-catalogue.ts. */

/** By code. */
export const SERVER_ERRORS = {
  bad_store: {
    kind: 'invalid',
    message: '{option}: {problem}',
    hint: 'Write etcd://HOST:PORT[,HOST:PORT...]/PREFIX, or etcds:// for TLS; without --store the data directory is the store.',
  },
  bad_advertise: {
    kind: 'invalid',
    message: '--advertise: {url} {problem}.',
    hint: 'Write the URL at which the other servers and all agents reach this API, such as https://10.0.0.1:7440.',
  },
  several_servers: {
    kind: 'refused',
    message: 'The fleet shares its store with other servers: it is not stopped as a whole.',
    hint: 'End a server with SIGTERM: another leads at once, and agents and nodes go on. There is no override.',
  },
  no_leader: {
    kind: 'unavailable',
    message: 'No server leads now: {problem}.',
    hint: 'Nothing was changed. Send it again in {seconds} s: another server leads within seconds, while a majority of etcd runs.',
  },
  leader_lost: {
    kind: 'unavailable',
    message:
      'The server that leads, {leader}, was lost before it answered: nobody can tell whether the change was made.',
    hint: 'Look before you repeat it, once another server leads (`valkeeper status`).',
  },
  term_over: {
    kind: 'unavailable',
    message: 'The agent takes no requests of term {term}: it has seen term {seen}.',
    hint: 'The server that sent this leads no longer. After etcd was restored from an old copy, see docs/several-servers.md.',
  },
} as const;
