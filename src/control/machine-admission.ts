/** Is an agent that says hello, or asks for a certificate, let in? Pure. */
import { ValkeeperError } from '../domain/errors.ts';
import type { MachineCertificate, MachineRecord } from '../domain/machine.ts';
import type { Hello } from '../protocol/agent-messages.ts';
import { peerError } from '../trust/peer-error.ts';
import type { AgentCaller } from './agent-caller.ts';

type Joined = MachineRecord & { certificate: MachineCertificate };

/**
 * Why an agent is not let in; null when it is. One that came with a certificate speaks for the machine of that only, and
 * for no local one; a local agent never for a machine that has joined.
 */
export function admissionError(
  { machine, address }: Pick<Hello, 'machine' | 'address'>,
  caller: AgentCaller,
  records: readonly MachineRecord[],
  now: number,
): ValkeeperError | null {
  const record = records.find(({ name }) => name === machine);
  try {
    if (caller.kind === 'machine') {
      const expected = { kind: 'machine', name: machine } as const;
      const found = { kind: 'machine', name: caller.name } as const;
      if (caller.name !== machine) return peerError({ why: 'another_name', found, expected }, 'The agent', now);
      knownCaller(caller, record);
    } else if (record?.state === 'removed') return new ValkeeperError('machine_removed', { name: machine });
    else if (record?.certificate) return new ValkeeperError('machine_name_taken', { name: machine });
  } catch (error) {
    return error as ValkeeperError;
  }
  const other = sameAddress(machine, address, records);
  return other ? new ValkeeperError('address_taken', { address, name: machine, other: other.name }) : null;
}

/** The record of a machine that shows its certificate. @throws machine_removed, machine_not_joined */
export function knownCaller(
  { name, keyId }: Extract<AgentCaller, { kind: 'machine' }>,
  record: MachineRecord | undefined,
): Joined {
  if (record?.state === 'removed') throw new ValkeeperError('machine_removed', { name });
  if (!record?.certificate?.keyIds.includes(keyId)) throw new ValkeeperError('machine_not_joined', { name });
  return { ...record, certificate: record.certificate };
}

/** The machine that has the address already. */
export const sameAddress = (
  name: string,
  address: string,
  records: readonly MachineRecord[],
): MachineRecord | undefined =>
  records.find((other) => other.name !== name && other.state !== 'removed' && other.address === address);
