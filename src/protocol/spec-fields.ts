/**
 * The fields of a spec, once: the API's schema, the options of the command line, the fields of a spec file and what
 * their documents say of them all come from this table. A new field is added here, to `DatabaseSpec` with its default,
 * and to `specInputSchema`; the compiler asks for all three.
 */
import {
  CLIENT_TLS,
  CLUSTER_VIEWS,
  type DatabaseSpec,
  DURABILITIES,
  EVICTION_POLICIES,
  PACES,
  PERSISTENCE_MODES,
  READ_POLICIES,
  SPEC_LIMITS,
} from '../domain/spec.ts';

/** What a field holds, and how people write it. */
export type SpecFieldKind =
  | { kind: 'integer'; min: number; max: number }
  /** Bytes; people write it with a unit. */
  | { kind: 'size' }
  | { kind: 'choice'; choices: readonly string[] }
  | { kind: 'switch' }
  /** Users with their rules; on the command line one an option. */
  | { kind: 'users' };

export type SpecField = SpecFieldKind & {
  /** As people write it: the option `--key`, the field `key` of a spec file. */
  key: string;
  about: string;
  /** It can change while the database runs. */
  live: boolean;
  /** What it is when nothing is said, where the default alone does not tell it. */
  byDefault?: string;
};

export const SPEC_FIELDS = {
  shards: {
    key: 'shards',
    kind: 'integer',
    ...SPEC_LIMITS.shards,
    about: 'primaries the data is spread over',
    live: true,
  },
  replicas: { key: 'replicas', kind: 'integer', ...SPEC_LIMITS.replicas, about: 'copies of each primary', live: true },
  memoryBytes: { key: 'memory', kind: 'size', about: 'data of all primaries together', live: true },
  persistence: {
    key: 'persistence',
    kind: 'choice',
    choices: PERSISTENCE_MODES,
    about: 'how data outlives a process',
    live: true,
  },
  durability: {
    key: 'durability',
    kind: 'choice',
    choices: DURABILITIES,
    about: 'when a write through the endpoint is answered: once the primary has it, or once replicas have it too',
    live: true,
  },
  acknowledgements: {
    key: 'acknowledgements',
    kind: 'integer',
    ...SPEC_LIMITS.acknowledgements,
    about: 'replicas that must have a write before it is answered, with durability acknowledged',
    live: true,
  },
  eviction: {
    key: 'eviction',
    kind: 'choice',
    choices: EVICTION_POLICIES,
    about: 'what goes when memory is full',
    live: true,
  },
  auth: {
    key: 'auth',
    kind: 'switch',
    about: 'whether a password is needed; without one only on loopback',
    live: false,
  },
  port: {
    key: 'port',
    kind: 'integer',
    ...SPEC_LIMITS.port,
    about: 'port of the endpoint at every machine',
    live: true,
    byDefault: 'the first free from 6379',
  },
  read: {
    key: 'read',
    kind: 'choice',
    choices: READ_POLICIES,
    about: 'who answers reads that come through the endpoint',
    live: true,
  },
  clusterView: {
    key: 'cluster-view',
    kind: 'choice',
    choices: CLUSTER_VIEWS,
    about: 'what the endpoint shows cluster clients: itself as one node, or the nodes',
    live: true,
  },
  tls: {
    key: 'tls',
    kind: 'choice',
    choices: CLIENT_TLS,
    about: 'whether clients of the endpoint must use TLS; it is offered where the machine has a certificate',
    live: true,
  },
  users: {
    key: 'users',
    kind: 'users',
    about: 'users beside default, with what they may do',
    live: true,
    byDefault: 'none',
  },
  replaceAfterSeconds: {
    key: 'replace-after',
    kind: 'integer',
    ...SPEC_LIMITS.replaceAfterSeconds,
    about: 'seconds a machine may be away before its copies are made anew elsewhere',
    live: true,
  },
  pace: {
    key: 'pace',
    kind: 'choice',
    choices: PACES,
    about: 'how slots move when the number of shards changes: fast, or gentle to clients',
    live: true,
  },
} as const satisfies Record<keyof DatabaseSpec, SpecField>;

/** The fields with their names in a spec. */
export const specFields = (): [keyof DatabaseSpec, SpecField][] =>
  Object.entries(SPEC_FIELDS) as [keyof DatabaseSpec, SpecField][];
