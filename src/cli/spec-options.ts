/** The options that describe a database, for `db create` and `db plan`. */
import { type Command, Option } from 'commander';
import { formatSize } from '../domain/size.ts';
import {
  type DatabaseSpec,
  DEFAULT_SPEC,
  EVICTION_POLICIES,
  type EvictionPolicy,
  PERSISTENCE_MODES,
  type Persistence,
  SPEC_LIMITS,
} from '../domain/spec.ts';
import { choice, integer, size } from './options.ts';

export interface SpecOptions {
  shards?: number;
  replicas?: number;
  memory?: number;
  persistence?: Persistence;
  eviction?: EvictionPolicy;
  auth: boolean;
}

/** Adds them; what is not said has no value. */
export function addSpecOptions(command: Command): Command {
  const { shards, replicas } = DEFAULT_SPEC;
  const option = adder(command);
  option(
    '--shards <n>',
    `primaries the data is spread over (default ${shards})`,
    integer('--shards', SPEC_LIMITS.shards),
  );
  option('--replicas <n>', `copies of each primary (default ${replicas})`, integer('--replicas', SPEC_LIMITS.replicas));
  addChangeOptions(command);
  return command.option('--no-auth', 'without a password; only on loopback');
}

/** Adds those that can change while a database runs. */
export function addChangeOptions(command: Command): Command {
  const { memoryBytes, persistence, eviction } = DEFAULT_SPEC;
  const option = adder(command);
  option(
    '--memory <size>',
    `data of all primaries together, such as 512mb or 2gb (default ${formatSize(memoryBytes)})`,
    size('--memory'),
  );
  option(
    '--persistence <mode>',
    `how data outlives a process: ${PERSISTENCE_MODES.join(', ')} (default ${persistence})`,
    choice('--persistence', PERSISTENCE_MODES),
  );
  option(
    '--eviction <policy>',
    `what goes when memory is full: ${EVICTION_POLICIES.join(', ')} (default ${eviction})`,
    choice('--eviction', EVICTION_POLICIES),
  );
  return command;
}

const adder =
  (command: Command) =>
  (flags: string, text: string, parse: (text: string) => unknown): void => {
    command.addOption(new Option(flags, text).argParser(parse));
  };

/** What was said; what was not is left to the server. */
export function specOf({ shards, replicas, memory, persistence, eviction, auth }: SpecOptions): Partial<DatabaseSpec> {
  return {
    ...(shards === undefined ? {} : { shards }),
    ...(replicas === undefined ? {} : { replicas }),
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(persistence === undefined ? {} : { persistence }),
    ...(eviction === undefined ? {} : { eviction }),
    ...(auth ? {} : { auth }),
  };
}
