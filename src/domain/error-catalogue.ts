/**
 * Every error Valkeeper raises for a person, in one catalogue. A thrower names a code and fills the
 * placeholders; the kind decides the HTTP status and the exit code. `docs/errors.md` is generated from here.
 */

import { BACKUP_ERRORS } from './backup-errors.ts';
import { DATA_ERRORS } from './data-errors.ts';
import { FLEET_ERRORS } from './fleet-errors.ts';
import { RESHARD_ERRORS } from './reshard-errors.ts';
import { SERVER_ERRORS } from './server-errors.ts';
import { STORE_ERRORS } from './store-errors.ts';
import { TRUST_ERRORS } from './trust-errors.ts';

/** What sort of failure it is, with the HTTP status and process exit code it maps to. */
export const ERROR_KINDS = {
  invalid: { http: 400, exit: 2, meaning: 'the request is wrong: correct it and send it again' },
  not_found: { http: 404, exit: 3, meaning: 'what it names does not exist' },
  conflict: { http: 409, exit: 4, meaning: 'it clashes with what exists or with what runs now' },
  refused: { http: 422, exit: 5, meaning: 'a safety gate said no; the hint names the exact override, if there is one' },
  unavailable: { http: 503, exit: 6, meaning: 'something it needs is not there now; it may work later' },
  internal: { http: 500, exit: 70, meaning: 'a defect in Valkeeper' },
} as const;

export type ErrorKind = keyof typeof ERROR_KINDS;

export interface CatalogueEntry {
  kind: ErrorKind;
  /** What is wrong and where; `{name}` is filled from the thrower's parameters. */
  message: string;
  /** What to do next; `{name}` is filled likewise. */
  hint: string;
  /** HTTP status, where HTTP has a more exact one than the kind's. */
  http?: number;
}

/** The catalogue. Codes are stable: scripts may match on them. */
export const ERRORS = {
  ...DATA_ERRORS,
  ...FLEET_ERRORS,
  ...BACKUP_ERRORS,
  ...RESHARD_ERRORS,
  ...SERVER_ERRORS,
  ...STORE_ERRORS,
  ...TRUST_ERRORS,
  invalid_value: { kind: 'invalid', message: '{field}: {problem}', hint: '{remedy}' },
  invalid_name: {
    kind: 'invalid',
    message: '{field}: {value} is not a valid name',
    hint: 'Use 1 to 40 lower-case letters, digits and hyphens, starting with a letter.',
  },
  engine_unusable: {
    kind: 'invalid',
    message: '{source}: {path} cannot be the engine: {problem}',
    hint: 'Name a valkey-server of version 9.1 or later, below 10, or name none: then one is found or built.',
  },
  unknown_field: { kind: 'invalid', message: '{field}: unknown field', hint: 'Known fields: {known}.' },
  spec_file_invalid: {
    kind: 'invalid',
    message: '{file} cannot be applied:\n{errors}',
    hint: 'Correct it; nothing was changed. Fields: {fields}.',
  },
  config_file_invalid: {
    kind: 'invalid',
    message: '{file} cannot be used:\n{errors}',
    hint: 'Correct it; nothing was started. Keys: {keys}. What each is for: `valkeeper config example {process}`.',
  },
  usage: { kind: 'invalid', message: '{problem}', hint: '{remedy}' },
  data_dir_unusable: {
    kind: 'invalid',
    message: 'The data directory cannot be used: {path} {problem}.',
    hint: 'Choose another with --data-dir or VALKEEPER_HOME, or mend this one.',
  },
  unknown_operation: {
    kind: 'invalid',
    message: 'The agent knows no operation {operation}.',
    hint: 'Agent and control plane must be of the same version.',
  },
  method_not_allowed: {
    kind: 'invalid',
    http: 405,
    message: '{path} takes no {method}.',
    hint: 'It takes {allowed}.',
  },
  body_too_large: {
    kind: 'invalid',
    http: 413,
    message: 'The request body is larger than {limitBytes} bytes.',
    hint: 'No request of this API needs that much.',
  },
  database_not_found: {
    kind: 'not_found',
    message: 'There is no database named {name}.',
    hint: 'List the databases with `valkeeper db list`.',
  },
  failover_not_found: {
    kind: 'not_found',
    message: 'No failover {id} of {name} is known.',
    hint: 'List them with `valkeeper db failovers {name}`.',
  },
  node_not_found: {
    kind: 'not_found',
    message: '{machine} has no node {node}.',
    hint: 'List the nodes with `valkeeper db show NAME`.',
  },
  user_not_found: {
    kind: 'not_found',
    message: '{name} has no user {user}.',
    hint: 'It has {users}. Add one with `valkeeper db update {name} --user NAME=RULES`.',
  },
  log_not_found: {
    kind: 'not_found',
    message: 'There is no log of {source}.',
    hint: 'Logs there are: server, a machine (`valkeeper machine list`), a node id or its beginning (`valkeeper db show NAME`).',
  },
  machine_not_found: {
    kind: 'not_found',
    message: 'There is no machine named {name} in this data directory.',
    hint: 'List the machines with `valkeeper machine list`.',
  },
  shard_not_found: {
    kind: 'not_found',
    message: 'The database {name} has no shard {shard}.',
    hint: 'Its shards: {shards}.',
  },
  copy_not_found: {
    kind: 'not_found',
    message: '{shard} of {name} has no single copy that {to} would mean.',
    hint: 'Name a machine, or the beginning of an id: {copies}.',
  },
  machine_exists: {
    kind: 'conflict',
    message: 'There is a machine named {name} already.',
    hint: 'Choose another name; `valkeeper machine list` shows those there are.',
  },
  file_not_found: {
    kind: 'not_found',
    message: 'There is no file {path}.',
    hint: 'Check its name and the folder you are in; - reads from stdin.',
  },
  route_not_found: { kind: 'not_found', message: 'There is no {method} {path}.', hint: 'All routes begin with /v1.' },
  database_exists: {
    kind: 'conflict',
    message: 'A database named {name} exists already.',
    hint: 'Choose another name, or look at it with `valkeeper db show {name}`.',
  },
  being_deleted: {
    kind: 'conflict',
    message: '{name} is being deleted: it cannot be changed.',
    hint: 'Wait until it is gone (`valkeeper db list`), then create it anew.',
  },
  generation_changed: {
    kind: 'conflict',
    http: 412,
    message: 'The spec of {name} is at generation {generation}; If-Match asks for {wanted}.',
    hint: 'Read it again (`valkeeper db show {name}`), and repeat the change if it is still wanted.',
  },
  fleet_exists: {
    kind: 'conflict',
    message: 'The machines of {dir} were chosen when it was made: {machines}.',
    hint: 'Leave out --machines and --address-base, or choose a new directory with --data-dir.',
  },
  port_taken: {
    kind: 'conflict',
    message: 'Port {port} of {address} on {machine} is taken by another process.',
    hint: 'Stop what listens there (`ss -ltnp` shows it), or delete the database and create it again on other ports.',
  },
  endpoint_port_taken: {
    kind: 'conflict',
    message: 'The endpoint cannot have port {port}: {owner} has it.',
    hint: 'Choose another with --port, or leave it out: then a free one is found.',
  },
  bad_rules: {
    kind: 'invalid',
    message: 'The engine does not take the rules of the user {user}: {problem}',
    hint: 'Correct the rules; `valkeeper db connect NAME -- ACL CAT` lists the categories of commands.',
  },
  no_endpoint: {
    kind: 'conflict',
    message: 'No endpoint runs on {machine}.',
    hint: 'It runs while there are databases; see `valkeeper machine list`.',
  },
  endpoint_not_replaced: {
    kind: 'unavailable',
    message: 'The endpoint of {machine} was not replaced: {problem}.',
    hint: 'The present one goes on. Look at `valkeeper logs {machine}` and try again.',
  },
  unit_exists: {
    kind: 'conflict',
    message: 'A different unit lies at {path}.',
    hint: 'Compare it with `valkeeper service show {role}`; to replace it: `valkeeper service install {role} --force`.',
  },
  unit_foreign: {
    kind: 'conflict',
    message: '{path} was not written by `valkeeper service install`.',
    hint: 'To remove it all the same: `valkeeper service uninstall {role} --force`.',
  },
  systemctl_failed: {
    kind: 'unavailable',
    message: '`{command}` failed: {problem}',
    hint: 'See why with `systemctl status {unit}` and `journalctl -u {unit}`; then run it again.',
  },
  api_port_taken: {
    kind: 'conflict',
    message: 'The API cannot listen on port {port}: another process has it.',
    hint: 'Choose another with --api-port, or stop what listens there (`ss -ltnp` shows it).',
  },
  already_running: {
    kind: 'conflict',
    message: 'Valkeeper runs already in {dir}, as process {pid}.',
    hint: 'Look at it with `valkeeper status`, or stop it with `valkeeper down`.',
  },
  nothing_on_disk: {
    kind: 'refused',
    message: 'Stopping would lose the data of {names}: kept in memory only.',
    hint: 'To stop all the same: `valkeeper down --yes`.',
  },
  not_enough_memory: {
    kind: 'refused',
    message:
      'The database does not fit: its {nodes} nodes need {needed} each, copies of a shard on machines of their own, and there is room for {room}.',
    hint: '{advice}, ask for less with --memory, or delete a database.',
  },
  no_room_to_grow: {
    kind: 'refused',
    message: 'The database cannot grow so much: on {machine} its nodes need {needed} more, and {free} is left.',
    hint: 'Ask for less with --memory, or delete a database.',
  },
  memory_in_use: {
    kind: 'refused',
    message: '{shard} of {name} uses {used}, more than the {limit} that a shard would have.',
    hint: 'Delete data first, or ask for more with --memory.',
  },
  not_changeable: {
    kind: 'refused',
    message: 'The {field} of {name} cannot be changed yet; now: {present}.',
    hint: 'Create another database with it and copy the data.',
  },
  no_auth_beyond_loopback: {
    kind: 'refused',
    message: '{machine} listens on {address}: a database without a password is accepted on loopback addresses only.',
    hint: 'Leave out --no-auth.',
  },
  engine_checksum: {
    kind: 'refused',
    message: '{url} is not the expected archive: its SHA-256 is {actual}, expected is {expected}',
    hint: 'Try again; if it stays so, do not trust the download. Name an engine of your own with VALKEEPER_ENGINE=/path/to/valkey-server.',
  },
  stopping: {
    kind: 'unavailable',
    message: 'Valkeeper is stopping.',
    hint: 'Start it again with `./valkeeper up`.',
  },
  too_many_streams: {
    kind: 'unavailable',
    message: 'All {limit} streams of events are taken.',
    hint: 'End one of them, or ask `GET /v1/events` now and then.',
  },
  agent_away: {
    kind: 'unavailable',
    message: 'The agent of {machine} is not connected.',
    hint: 'See `valkeeper machine list`; on a fleet made by `valkeeper up` it is restarted by itself.',
  },
  agent_timeout: {
    kind: 'unavailable',
    message: 'The agent of {machine} did not answer to {operation} within {seconds} s.',
    hint: 'It is tried again. If it lasts, look at `valkeeper logs {machine}`.',
  },
  foreign_node: {
    kind: 'refused',
    message: 'The node {node} belongs to another database that was named {database}.',
    hint: 'Nothing was removed.',
  },
  confirmation_needed: {
    kind: 'refused',
    message: '{question} Nobody is there to answer.',
    hint: 'Repeat the command with --yes.',
  },
  declined: { kind: 'refused', message: 'Nothing was changed: the answer was no.', hint: 'Answer yes, or give --yes.' },
  not_authorized: {
    kind: 'refused',
    http: 401,
    message: 'The API does not know this token.',
    hint: 'Send `Authorization: Bearer <token>` with the text of the file `token` in the data directory.',
  },
  file_unusable: {
    kind: 'unavailable',
    message: 'Cannot {verb} {path}: {problem}.',
    hint: 'Look at the owner and permissions of the file and its folder (`ls -la`) and at the free space (`df -h`).',
  },
  file_damaged: {
    kind: 'unavailable',
    message: '{path} is not readable JSON: {problem}.',
    hint: 'Restore it from a copy, or move it away to begin without it.',
  },
  node_not_started: {
    kind: 'unavailable',
    message: 'The node {node} on {machine} did not start: {problem}. Its log ends with: {log}',
    hint: 'Mend what the log names; it is tried again by itself.',
  },
  node_not_ended: {
    kind: 'unavailable',
    message: 'The process {pid} of the node {node} on {machine} has not ended {seconds} s after it was killed.',
    hint: 'The kernel holds it, as a rule for a disk that does not answer: look at `dmesg`. It is tried again.',
  },
  no_free_ports: {
    kind: 'unavailable',
    message: '{address} has no {count} free ports from {from} to {to} (with their bus ports, 10000 above).',
    hint: 'Delete a database, or stop what listens there.',
  },
  not_running: {
    kind: 'unavailable',
    message: 'Valkeeper is not running in {dir}.',
    hint: 'Start it with `./valkeeper up`, or name its directory with --data-dir.',
  },
  no_answer: {
    kind: 'unavailable',
    message: 'Valkeeper at {url} did not answer: {detail}.',
    hint: 'Try again; if it stays so, look into control/server.log in the data directory.',
  },
  engine_missing: {
    kind: 'unavailable',
    message: 'There is no valkey-server on PATH and none has been built yet.',
    hint: '`./valkeeper up` builds one; or name one with VALKEEPER_ENGINE=/path/to/valkey-server.',
  },
  no_node_answers: {
    kind: 'unavailable',
    message: 'No node of {name} answers.',
    hint: 'See why with `valkeeper db show {name}`.',
  },
  not_in_time: {
    kind: 'unavailable',
    message: '{what} within {seconds} s: {missing}.',
    hint: 'It goes on in the background; look again with `{command}`.',
  },
  demo_late: {
    kind: 'unavailable',
    message: 'The demo waited for {what}, but not even {seconds} s were enough: {missing}.',
    hint: 'Perhaps the machine is too busy: play it again. With --keep the fleet stays, for a look at it.',
  },
  start_failed: {
    kind: 'unavailable',
    message: 'The {process} ended while starting ({how}): {detail}',
    hint: 'The whole log is {log}.',
  },
  no_cli: {
    kind: 'unavailable',
    message: 'There is no valkey-cli beside the engine {engine} or on PATH.',
    hint: 'Install it, or use any Redis client: `valkeeper db show {name}` prints the addresses.',
  },
  interrupted: {
    kind: 'unavailable',
    message: 'Interrupted. {outcome}',
    hint: 'Run the command again when you like.',
  },
  engine_build_failed: {
    kind: 'unavailable',
    message: 'Building the engine failed: {step}',
    hint: 'The log is {log}. Or name an engine of your own with VALKEEPER_ENGINE=/path/to/valkey-server (9.1 or later).',
  },
  engine_build_interrupted: {
    kind: 'unavailable',
    message: 'Building the engine was interrupted; nothing of it was left.',
    hint: 'Start again to build it.',
  },
  engine_cache_unusable: {
    kind: 'unavailable',
    message: 'The folder for built engines cannot be used: {path}: {problem}',
    hint: 'Free space there or make it writable, or choose another place with XDG_CACHE_HOME.',
  },
  engine_source_unavailable: {
    kind: 'unavailable',
    message: 'The source of the engine cannot be had. {problem}',
    hint: 'Check the network and try again, or name an engine of your own with VALKEEPER_ENGINE=/path/to/valkey-server (9.1 or later).',
  },
  engine_tools_missing: {
    kind: 'unavailable',
    message: 'The engine must be compiled here, and this is missing: {what}',
    hint: 'As root: apt-get install {packages} (the names on Debian). Then try again.',
  },
  internal: {
    kind: 'internal',
    message: 'Unexpected: {detail}',
    hint: 'This is a defect. Please report it with the log (`valkeeper logs`).',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;
