/** The stored intent about a machine, and what its agent told last: a machine that is away is still one of the fleet. */
import { ValkeeperError } from './errors.ts';
import type { MachineState } from './view.ts';

export interface MachineRecord {
  name: string;
  /** Where its nodes listen. */
  address: string;
  /** In which zone its agent says it is; the label `zone` goes before it. */
  zone: string;
  /** Memory it gives to nodes, in bytes; 0: it is a witness. */
  memoryBytes: number;
  /** It has credentials: nodes of new databases speak TLS there. */
  tls: boolean;
  state: MachineState;
  /** Names and values of an operator's choosing. */
  labels: Readonly<Record<string, string>>;
  /** ISO time. */
  joinedAt: string;
  /** Of a machine that joined with a token; a local one has none. */
  certificate?: MachineCertificate;
}

/** It votes, and takes no nodes: it gives them no memory. */
export const isWitness = ({ memoryBytes }: Pick<MachineRecord, 'memoryBytes'>): boolean => memoryBytes === 0;

/** What the authority issued to a machine last. */
export interface MachineCertificate {
  /**
   * The keys that are this machine's, as SHA-256 of the public key: that of the last renewal, and the one that asked
   * for it, since the answer may have been lost. So a name belongs to the keys of who joined with it.
   */
  keyIds: readonly string[];
  /** Hexadecimal digits in upper case. */
  serial: string;
  /** Milliseconds since the epoch. */
  notAfter: number;
}

/** The label that says in which zone a machine is. */
const ZONE_LABEL = 'zone';

/** Machines that fail together: as labelled, else as its agent says. */
export const zoneOf = ({ labels, zone }: Pick<MachineRecord, 'labels' | 'zone'>): string => labels[ZONE_LABEL] ?? zone;

const LABEL = /^[a-z0-9](?:[a-zA-Z0-9._/-]{0,61}[a-zA-Z0-9])?$/;
const VALUE = /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/;
const MOST_LABELS = 32;

/**
 * The labels after a change: a value sets, null takes away.
 * @throws invalid_value for a name or value that none can have, or too many
 */
export function withLabels(
  present: MachineRecord['labels'],
  change: Readonly<Record<string, string | null>>,
): MachineRecord['labels'] {
  const labels: Record<string, string> = { ...present };
  for (const [name, value] of Object.entries(change)) {
    if (!LABEL.test(name) || (value !== null && !VALUE.test(value))) {
      throw new ValkeeperError('invalid_value', {
        field: `label ${name}`,
        problem: value === null ? 'is no name of a label' : `${JSON.stringify(value)} does not fit`,
        remedy: 'Names and values are 1 to 63 letters, digits, dots, hyphens and underscores, such as zone=eu-1a.',
      });
    }
    if (value === null) delete labels[name];
    else labels[name] = value;
  }
  if (Object.keys(labels).length > MOST_LABELS) {
    throw new ValkeeperError('invalid_value', {
      field: 'labels',
      problem: `there would be more than ${MOST_LABELS}`,
      remedy: 'Take some away with `valkeeper machine label NAME LABEL-`.',
    });
  }
  return labels;
}
