/**
 * Machines become part of the fleet, and stay it: who brings a token gets a certificate, who shows a certificate gets the
 * next. Whatever is refused is an event here and a clear word there, and changes nothing.
 */
import { ValkeeperError } from '../domain/errors.ts';
import type { NewEvent } from '../domain/event.ts';
import type { MachineRecord } from '../domain/machine.ts';
import type { Clock } from '../platform/clock.ts';
import { AGENT_PROTOCOL } from '../protocol/agent-messages.ts';
import type { CertificateReply, JoinRequest } from '../protocol/join-messages.ts';
import type { SigningRequest } from '../trust/authority.ts';
import { clockError } from '../trust/clock-offset.ts';
import { decideJoin } from '../trust/join.ts';
import { judgeJoinToken, parseJoinToken } from '../trust/join-token.ts';
import type { AgentCaller } from './agent-caller.ts';
import type { FleetAuthority } from './fleet-authority.ts';
import { readJoinRequest, readRenewRequest } from './join-request.ts';
import type { JoinTokens } from './join-tokens.ts';
import { knownCaller, sameAddress } from './machine-admission.ts';
import type { Machines } from './machines.ts';
import type { Refusals } from './refusals.ts';

/** Tries of a join whose records somebody else changed in between. */
const MAX_TRIES = 10;

export interface JoiningSurroundings {
  clock: Clock;
  machines: Machines;
  tokens: JoinTokens;
  authority: FleetAuthority;
  refusals: Refusals;
  record: (event: NewEvent) => void;
  /** Of certificates; the authority's own measure without it. */
  validityMs?: number | undefined;
}

export class Joining {
  readonly #around: JoiningSurroundings;
  /** One after the other: of two that want one name or address, the second is to see the first. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(around: JoiningSurroundings) {
    this.#around = around;
  }

  /**
   * @param from address of who asks, for the event
   * @throws invalid_value, invalid_name, other_protocol, clock_off, certificate_request_invalid, what is wrong with the
   * token, machine_name_taken, address_taken
   */
  join(body: unknown, from: string): Promise<CertificateReply> {
    return this.#inTurn(async () => {
      let name = '';
      try {
        checkProtocol(body);
        const asked = readJoinRequest(body);
        name = asked.name;
        return await this.#join(asked);
      } catch (error) {
        this.#refused(error, name, `A machine at ${from} that wanted to join${name && ` as ${name}`}`, from);
        throw error;
      }
    });
  }

  /** @throws invalid_value, certificate_request_invalid, machine_removed, machine_not_joined */
  renew(caller: Extract<AgentCaller, { kind: 'machine' }>, body: unknown): Promise<CertificateReply> {
    return this.#inTurn(async () => {
      const { name, keyId } = caller;
      try {
        const { machines } = this.#around;
        const { address, certificate } = knownCaller(caller, machines.find(name));
        const request = await readRequest(readRenewRequest(body).request);
        const issued = await this.#issue(request, name, address);
        const keyIds = [request.keyId, keyId];
        const next = { ...certificate, keyIds, serial: issued.serial, notAfter: issued.notAfter };
        await machines.change(name, (present) => {
          // It may have been taken out, or have joined anew, in the moment before.
          knownCaller(caller, present);
          return { ...present, certificate: next };
        });
        this.#around.refusals.forget(`${name} `);
        return { certificate: issued.certificate, bundle: issued.bundle };
      } catch (error) {
        this.#refused(error, name, `${name}, which wanted to renew its certificate,`, name);
        throw error;
      }
    });
  }

  async #join(asked: JoinRequest): Promise<CertificateReply> {
    const { clock, machines, record: event, tokens } = this.#around;
    const { address, labels, memoryBytes, name, zone } = asked;
    this.#checkClock(asked);
    const request = await readRequest(asked.request);
    const { keyId } = request;
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const now = clock.now();
      const token = parseJoinToken(asked.token);
      const stored = token && (await tokens.find(token.id));
      const present = machines.find(name);
      const outcome = judgeJoinToken(token, stored?.value, { machine: name, keyId, now });
      const decision = decideJoin(outcome, owner(present, keyId), { name, keyId, now });
      if (!decision.admitted) throw decision.error;
      const other = sameAddress(name, address, machines.all());
      if (other) throw new ValkeeperError('address_taken', { address, name, other: other.name });
      const issued = await this.#issue(request, name, address);
      const joined: MachineRecord = {
        ...{ name, address, zone, memoryBytes, tls: true },
        state: present === undefined || present.state === 'removed' ? 'active' : present.state,
        labels: { ...labels, ...decision.token.labels },
        joinedAt: new Date(now).toISOString(),
        certificate: { keyIds: [keyId], serial: issued.serial, notAfter: issued.notAfter },
      };
      const used = { put: stored!.key, value: decision.token, expect: stored!.revision };
      if (!(await machines.store(joined, [used]))) continue;
      const message = `${name} has joined with the token ${decision.token.id}, at ${address}.`;
      event({ kind: 'machine_joined', severity: 'info', machine: name, message });
      this.#around.refusals.forget(`${name} `);
      return { certificate: issued.certificate, bundle: issued.bundle };
    }
    throw new Error(`the records of ${name} and its token changed ${MAX_TRIES} times in a row`);
  }

  /** @throws certificate_request_invalid */
  async #issue(request: SigningRequest, name: string, address: string) {
    const { clock, validityMs } = this.#around;
    const authority = await this.#around.authority();
    const order = { request, identity: { kind: 'machine', name } as const, addresses: [address], now: clock.now() };
    const issued = await authority.issue(validityMs === undefined ? order : { ...order, validityMs });
    return { ...issued, bundle: [authority.certificate] };
  }

  /** @throws clock_off */
  #checkClock({ name, now: theirs }: JoinRequest): void {
    const now = this.#around.clock.now();
    const error = clockError(`The machine ${name}`, { theirs, askedAt: now, answeredAt: now });
    if (error) throw error;
  }

  #refused(error: unknown, name: string, who: string, key: string): void {
    if (!(error instanceof ValkeeperError)) return;
    const message = `${who} was refused: ${error.message}`;
    const machine = name === '' ? {} : { machine: name };
    this.#around.refusals.note(`${key} ${name} ${error.code}`, {
      ...{ kind: 'join_refused', severity: 'warning', message, details: { code: error.code } },
      ...machine,
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Whose the name is, as far as joining is concerned: a machine that was taken out has none. */
function owner(present: MachineRecord | undefined, keyId: string) {
  if (present === undefined || present.state === 'removed') return undefined;
  const keyIds = present.certificate?.keyIds ?? [];
  return { name: present.name, keyId: keyIds.includes(keyId) ? keyId : (keyIds[0] ?? 'of a local machine') };
}

/** Before anything else, so that one of another version is not told of fields. @throws other_protocol */
function checkProtocol(body: unknown): void {
  const { protocol, name } = (body ?? {}) as { protocol?: unknown; name?: unknown };
  if (typeof protocol !== 'number' || protocol === AGENT_PROTOCOL) return;
  throw new ValkeeperError('other_protocol', {
    machine: String(name).slice(0, 40),
    theirs: protocol,
    ours: AGENT_PROTOCOL,
  });
}

/** Seldom needed, and dear to load: see trust/x509.ts. @throws certificate_request_invalid */
async function readRequest(pem: string): Promise<SigningRequest> {
  const { readRequest: read } = await import('../trust/authority.ts');
  return read(pem);
}
