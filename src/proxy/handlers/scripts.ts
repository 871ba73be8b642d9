/** Scripts: called where their keys are, known to every primary. Those without keys run at one primary, always the same. */
import { encodeReply } from '../../resp/encode-reply.ts';
import type { Call, Handler } from '../call.ts';
import { decodeReply } from '../decoded-reply.ts';
import { type Combine, firstError, toAllPrimaries, unlessError } from '../gather.ts';
import { HealedCall } from '../healed-call.ts';
import { routeByKeys, slotOfKeys } from '../routing.ts';
import { functionCure, scriptCure } from '../script-sources.ts';
import { FUNCTION_HANDLERS, killEverywhere } from './functions.ts';

const SHA_LENGTH = 40;
const MINUS = 0x2d;

const evaluate: Handler = (call) => {
  const sha = call.home.scripts.remember(call.arg(1));
  callHealed(call, { name: sha, missing: '', bring: async () => false });
};

/** A call of something that may have to be brought to its node. */
function callHealed(call: Call, cure: ReturnType<typeof scriptCure>): void {
  const found = slotOfKeys(call);
  if ('error' in found) return call.error(found.error);
  new HealedCall(call.client, cure, found.slot).begin(call.command.readsOnly, call.bytes, call.from, call.to);
}

const evalsha: Handler = (call) => {
  if (call.lengthOf(1) !== SHA_LENGTH) return routeByKeys(call); // the engine has no such script
  callHealed(call, scriptCure(call.text(1).toLowerCase()));
};

const fcall: Handler = (call) => callHealed(call, functionCure(call.text(1)));

function everywhere(call: Call, combine: Combine): void {
  toAllPrimaries(call.client, true, call.frame(), combine);
}

/** Kept only when the engine takes it. */
const load: Handler = (call) => {
  const { scripts } = call.home;
  const script = Buffer.from(call.arg(2));
  everywhere(
    call,
    unlessError((replies) => {
      scripts.remember(script);
      return replies[0]!;
    }),
  );
};

/** Whether any primary has it: where it is missing it is loaded when it is called. */
const exists: Handler = (call) => {
  const { resp } = call.session;
  everywhere(
    call,
    unlessError((replies) => {
      const all = replies.map((reply) => decodeReply(reply) as number[]);
      return encodeReply(
        all[0]!.map((_, index) => Math.max(...all.map((one) => one[index]!))),
        resp,
      );
    }),
  );
};

const flush: Handler = (call) => {
  const { scripts } = call.home;
  everywhere(
    call,
    unlessError((replies) => {
      scripts.clear();
      return replies[0]!;
    }),
  );
};

/** From a primary that has it. */
const show: Handler = (call) =>
  everywhere(call, (replies) => replies.find((reply) => reply[0] !== MINUS) ?? firstError(replies)!);

export const SCRIPT_HANDLERS: Readonly<Record<string, Handler>> = {
  eval: evaluate,
  eval_ro: evaluate,
  evalsha,
  evalsha_ro: evalsha,
  fcall,
  fcall_ro: fcall,
  'script|load': load,
  'script|exists': exists,
  'script|flush': flush,
  'script|show': show,
  'script|kill': killEverywhere,
  ...FUNCTION_HANDLERS,
};
