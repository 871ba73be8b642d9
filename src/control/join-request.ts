/** Reading what machines send that want to join or to renew: from outside, so nothing of it is believed. */
import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { ValkeeperError } from '../domain/errors.ts';
import { isName } from '../domain/ids.ts';
import { withLabels } from '../domain/machine.ts';
import type { JoinRequest, RenewRequest } from '../protocol/join-messages.ts';

const text = z.string().min(1).max(4_096);

const joinSchema = z.object({
  protocol: z.int(),
  token: text,
  name: text,
  request: text,
  address: text,
  zone: text,
  labels: z.record(z.string(), z.string()),
  memoryBytes: z.int().nonnegative(),
  now: z.number().positive(),
});

const renewSchema = z.object({ request: text });

/** @throws invalid_value, invalid_name; what is not of this version is read all the same, as far as `protocol` goes */
export function readJoinRequest(body: unknown): JoinRequest {
  const asked = parse(joinSchema, body);
  const { address, labels, name, zone } = asked;
  if (!isName(name)) throw new ValkeeperError('invalid_name', { field: 'name', value: JSON.stringify(name) });
  if (!isMachineAddress(address)) throw invalid('address', `${JSON.stringify(address)} is no address of one machine`);
  withLabels({}, { ...labels, zone });
  return asked;
}

/** @throws invalid_value */
export const readRenewRequest = (body: unknown): RenewRequest => parse(renewSchema, body);

/** IPv4, and of one machine: not all addresses, not many at once. */
const isMachineAddress = (address: string): boolean =>
  isIPv4(address) && !address.startsWith('0.') && Number(address.split('.')[0]) < 224;

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const { data, error } = schema.safeParse(body);
  if (data !== undefined) return data;
  const [issue] = error!.issues;
  throw invalid(issue!.path.join('.') || 'body', issue!.message);
}

const invalid = (field: string, problem: string): ValkeeperError =>
  new ValkeeperError('invalid_value', {
    field,
    problem,
    remedy: 'Agent and control plane must be of the same version.',
  });
