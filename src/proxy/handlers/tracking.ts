/**
 * CLIENT TRACKING: the client's commands go over connections of its own, which remember what it reads; what they push
 * goes to it as it is. A connection is set up before the first command goes over it.
 */
import { type Answer, encodeReply } from '../../resp/encode-reply.ts';
import { ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { ask, slotsOfPrimaries } from '../gather.ts';
import { inTurn } from '../in-turn.ts';
import type { Tracking } from '../session.ts';

const OK = Buffer.from('+OK\r\n');
const NO_REDIRECT =
  'ERR CLIENT TRACKING with REDIRECT is not possible through the endpoint: what is pushed belongs to the connection that reads. Use RESP3 (HELLO 3), and CLIENT TRACKING ON without REDIRECT';
const NEEDS_MODE =
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled';
/** How long CLIENT TRACKING ON BCAST waits for a primary that does not answer; it joins when it comes. */
const OTHERS_MS = 1_000;

interface Options {
  bcast: boolean;
  optin: boolean;
  optout: boolean;
  noLoop: boolean;
  prefixes: Buffer[];
}

/** The options, or the engine's error. */
function optionsOf(call: Call): Options | string {
  const options: Options = { bcast: false, optin: false, optout: false, noLoop: false, prefixes: [] };
  const words = call.args(3);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!.toString().toUpperCase();
    const next = words[index + 1];
    if (word === 'REDIRECT' && next) {
      return /^-?\d{1,18}$/.test(String(next)) ? NO_REDIRECT : 'ERR value is not an integer or out of range';
    }
    if (word === 'BCAST') options.bcast = true;
    else if (word === 'OPTIN') options.optin = true;
    else if (word === 'OPTOUT') options.optout = true;
    else if (word === 'NOLOOP') options.noLoop = true;
    else if (word === 'PREFIX' && next) {
      options.prefixes.push(next);
      index += 1;
    } else return 'ERR syntax error';
  }
  return options;
}

/** What is to be tracked from now on, or the engine's error. */
function trackingOf({ bcast, optin, optout, noLoop, prefixes }: Options, before: Tracking | null): Tracking | string {
  if (prefixes.length > 0 && !bcast) return 'ERR PREFIX option requires BCAST mode to be enabled';
  if (before && (before.mode === 'bcast') !== bcast) return cannotSwitch('BCAST mode on/off');
  if (bcast && (optin || optout)) return 'ERR OPTIN and OPTOUT are not compatible with BCAST';
  if (optin && optout) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if ((optin && before?.mode === 'optout') || (optout && before?.mode === 'optin')) {
    return cannotSwitch('OPTIN/OPTOUT mode');
  }
  if (!bcast) return { mode: optin ? 'optin' : optout ? 'optout' : 'default', noLoop, prefixes: [] };
  const known = before?.prefixes ?? [];
  const clash = collision(prefixes, known);
  if (clash !== null) return clash;
  const added = prefixes.length > 0 ? prefixes : [Buffer.alloc(0)];
  const isNew = (one: Buffer): boolean => !known.some((other) => other.equals(one));
  return { mode: 'bcast', noLoop, prefixes: [...known, ...added.filter(isNew)] };
}

const cannotSwitch = (what: string): string =>
  `ERR You can't switch ${what} before disabling tracking for this client, and then re-enabling it with a different mode.`;

/** Of two prefixes none may begin with the other. */
function collision(prefixes: readonly Buffer[], known: readonly Buffer[]): string | null {
  const overlaps = (one: Buffer, other: Buffer): boolean => {
    const length = Math.min(one.length, other.length);
    return one.subarray(0, length).equals(other.subarray(0, length));
  };
  const rule = 'Prefixes for a single client must not overlap.';
  for (const [index, prefix] of prefixes.entries()) {
    const existing = known.find((other) => overlaps(other, prefix));
    if (existing) return `ERR Prefix '${prefix}' overlaps with an existing prefix '${existing}'. ${rule}`;
    const provided = prefixes.slice(index + 1).find((other) => overlaps(prefix, other));
    if (provided) return `ERR Prefix '${prefix}' overlaps with another provided prefix '${provided}'. ${rule}`;
  }
  return null;
}

const tracking: Handler = (call) => {
  const { session, client } = call;
  const options = optionsOf(call);
  if (typeof options === 'string') return call.error(options);
  const state = call.upper(2);
  if (state === 'OFF') {
    if (session.tracking === null) return call.ok();
    return inTurn(client, async () => {
      change(client, null);
      return OK;
    });
  }
  if (state !== 'ON') return call.error('ERR syntax error');
  const before = session.tracking;
  const wanted = trackingOf(options, before);
  if (typeof wanted === 'string') return call.error(wanted);
  if (before && isSame(before, wanted)) return call.ok();
  inTurn(client, async () => {
    change(client, wanted);
    const refusal = session.resp === 3 ? await refusalOf(client) : null;
    if (refusal === null) return OK;
    change(client, before);
    return encodeReply(refusal, session.resp);
  });
};

function change(client: Client, wanted: Tracking | null): void {
  if (client.isClosed) return;
  client.session.tracking = wanted;
  client.session.caching = null;
  client.changeIdentity({});
}

const isSame = (one: Tracking, other: Tracking): boolean =>
  one.mode === other.mode && one.noLoop === other.noLoop && one.prefixes.length === other.prefixes.length;

/** Whether the nodes let the client's connections be as it asked: one of them, or with BCAST all that can be reached. */
async function refusalOf(client: Client): Promise<ReplyError | null> {
  const [first, ...others] = slotsOfPrimaries(client);
  const hello = (slot: number) => ask(client, slot, ['HELLO']);
  if (client.session.tracking?.mode === 'bcast') {
    await Promise.race([Promise.all([first!, ...others].map(hello)), pause(OTHERS_MS)]);
  }
  const answer = await hello(first!);
  return answer instanceof ReplyError ? answer : null;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

const caching: Handler = (call) => {
  const { session, client } = call;
  const mode = session.tracking?.mode;
  if (mode === undefined) return call.error(NEEDS_MODE);
  const word = call.upper(2);
  if (word === 'YES' && mode !== 'optin') {
    return call.error('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
  }
  if (word === 'NO' && mode !== 'optout') {
    return call.error('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
  }
  if (word !== 'YES' && word !== 'NO') return call.error('ERR syntax error');
  if (session.resp === 3) session.caching = word === 'YES' ? 'yes' : 'no';
  client.updatePlain();
  call.ok();
};

const trackinginfo: Handler = (call) => {
  const { tracking: on, caching: next } = call.session;
  const flags = [on ? 'on' : 'off'];
  if (on && on.mode !== 'default') flags.push(on.mode);
  if (next !== null) flags.push(`caching-${next}`);
  if (on?.noLoop) flags.push('noloop');
  call.answer(
    new Map<Answer, Answer>([
      ['flags', new Set(flags)],
      ['redirect', on ? 0 : -1],
      ['prefixes', [...(on?.prefixes ?? [])]],
    ]),
  );
};

const getredir: Handler = (call) => call.answer(call.session.tracking ? 0 : -1);

export const TRACKING_HANDLERS: Readonly<Record<string, Handler>> = {
  'client|tracking': tracking,
  'client|caching': caching,
  'client|trackinginfo': trackinginfo,
  'client|getredir': getredir,
};
