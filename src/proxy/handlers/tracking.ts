/**
 * CLIENT TRACKING: the client's commands go over connections of its own, which remember what it reads; what they push
 * goes to it as it is, or to the client that it redirects to. A connection is set up before the first command goes over
 * it.
 */
import { type Answer, encodeReply } from '../../resp/encode-reply.ts';
import { ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { isLong } from '../client-filter.ts';
import { ask, slotsOfPrimaries } from '../gather.ts';
import { inTurn } from '../in-turn.ts';
import { isClient } from '../invalidations.ts';
import { retrack } from '../own-lane.ts';
import { refusalFor } from '../permission.ts';
import type { Session, Tracking } from '../session.ts';

const NO_TARGET = 'ERR The client ID you want redirect to does not exist';
const OK = Buffer.from('+OK\r\n');
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
  /** 0: to nobody else. */
  redirect: number;
}

/** The options, or the engine's error. */
function optionsOf(call: Call): Options | string {
  const options: Options = { bcast: false, optin: false, optout: false, noLoop: false, prefixes: [], redirect: 0 };
  const words = call.args(3);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!.toString().toUpperCase();
    const next = words[index + 1];
    if (word === 'REDIRECT' && next) {
      if (options.redirect !== 0) return 'ERR A client can only redirect to a single other client';
      if (!isLong(String(next))) return 'ERR value is not an integer or out of range';
      options.redirect = Number(next);
      index += 1;
    } else if (word === 'BCAST') options.bcast = true;
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
function trackingOf(
  { bcast, optin, optout, noLoop, prefixes, redirect }: Options,
  before: Tracking | null,
): Tracking | string {
  if (prefixes.length > 0 && !bcast) return 'ERR PREFIX option requires BCAST mode to be enabled';
  if (before && (before.mode === 'bcast') !== bcast) return cannotSwitch('BCAST mode on/off');
  if (bcast && (optin || optout)) return 'ERR OPTIN and OPTOUT are not compatible with BCAST';
  if (optin && optout) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if ((optin && before?.mode === 'optout') || (optout && before?.mode === 'optin')) {
    return cannotSwitch('OPTIN/OPTOUT mode');
  }
  const same = { noLoop, redirect, isBroken: false, since: before?.since ?? {} };
  if (!bcast) return { ...same, mode: optin ? 'optin' : optout ? 'optout' : 'default', prefixes: [] };
  const known = before?.prefixes ?? [];
  const clash = collision(prefixes, known);
  if (clash !== null) return clash;
  const added = prefixes.length > 0 ? prefixes : [Buffer.alloc(0)];
  const isNew = (one: Buffer): boolean => !known.some((other) => other.equals(one));
  return { ...same, mode: 'bcast', prefixes: [...known, ...added.filter(isNew)] };
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
  const order = new Map([...known, ...prefixes].map((prefix, place) => [prefix, place]));
  // Of those in the order of their bytes, what begins with another stands behind it, with nothing else between.
  const sorted = [...order.keys()].sort(Buffer.compare);
  const at = sorted.findIndex((prefix, place) => place > 0 && overlaps(sorted[place - 1]!, prefix));
  if (at < 0) return null;
  const [one, other] = sorted.slice(at - 1, at + 1).sort((a, b) => order.get(a)! - order.get(b)!);
  const isKnown = order.get(one!)! < known.length;
  return isKnown
    ? `ERR Prefix '${other}' overlaps with an existing prefix '${one}'. ${rule}`
    : `ERR Prefix '${one}' overlaps with another provided prefix '${other}'. ${rule}`;
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
    if (wanted.redirect !== 0 && !(await isClient(client.home, wanted.redirect))) {
      return encodeReply(new ReplyError(NO_TARGET), session.resp);
    }
    const refusal =
      before && isTold(session, before) && isTold(session, wanted)
        ? await changeOn(client, wanted)
        : await begin(client, wanted);
    if (refusal === null) return OK;
    change(client, before);
    return encodeReply(refusal, session.resp);
  });
};

/** Somebody is told of what its connections push. */
const isTold = ({ resp }: Session, { redirect }: Tracking): boolean => resp === 3 || redirect > 0;

async function begin(client: Client, wanted: Tracking): Promise<ReplyError | null> {
  change(client, wanted);
  return isTold(client.session, wanted) ? refusalOf(client) : null;
}

/** Goes on with the connections it has, and with what they remember. */
async function changeOn({ session, lane }: Client, wanted: Tracking): Promise<ReplyError | null> {
  const known = session.tracking?.prefixes ?? [];
  session.tracking = wanted;
  session.caching = null;
  return retrack(
    lane,
    wanted,
    wanted.prefixes.filter((one) => !known.includes(one)),
  );
}

function change(client: Client, wanted: Tracking | null): void {
  if (client.isClosed) return;
  client.session.tracking = wanted;
  client.session.caching = null;
  client.changeIdentity({});
}

const isSame = (one: Tracking, other: Tracking): boolean =>
  one.mode === other.mode &&
  one.noLoop === other.noLoop &&
  one.redirect === other.redirect &&
  !one.isBroken &&
  one.prefixes.length === other.prefixes.length;

/** Whether the user may. With BCAST the primaries that can be reached are waited for: they tell of keys nobody reads. */
async function refusalOf(client: Client): Promise<ReplyError | null> {
  const refusal = await refusalFor(client, 'CLIENT', 'TRACKING', 'ON');
  if (refusal === null && client.session.tracking?.mode === 'bcast') {
    const asked = slotsOfPrimaries(client).map((slot) => ask(client, slot, ['HELLO']));
    await Promise.race([Promise.all(asked), pause(OTHERS_MS)]);
  }
  return refusal;
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
  session.caching = word === 'YES' ? 'yes' : 'no';
  client.updatePlain();
  call.ok();
};

const trackinginfo: Handler = (call) => {
  const { tracking: on, caching: next } = call.session;
  const flags = [on ? 'on' : 'off'];
  if (on && on.mode !== 'default') flags.push(on.mode);
  if (next !== null) flags.push(`caching-${next}`);
  if (on?.noLoop) flags.push('noloop');
  if (on?.isBroken) flags.push('broken_redirect');
  call.answer(
    new Map<Answer, Answer>([
      ['flags', new Set(flags)],
      ['redirect', on?.redirect ?? -1],
      ['prefixes', [...(on?.prefixes ?? [])]],
    ]),
  );
};

const getredir: Handler = (call) => call.answer(call.session.tracking?.redirect ?? -1);

export const TRACKING_HANDLERS: Readonly<Record<string, Handler>> = {
  'client|tracking': tracking,
  'client|caching': caching,
  'client|trackinginfo': trackinginfo,
  'client|getredir': getredir,
};
