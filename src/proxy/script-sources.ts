/** Finds scripts and functions that one primary does not have, and brings them there. As Valkeeper's own user: whoever
 * may call a script may do so wherever its keys are. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Reply, ReplyError } from '../resp/reply.ts';
import type { Client } from './client.ts';
import { ask, slotsOfPrimaries } from './gather.ts';
import type { Cure } from './healed-call.ts';

/** A primary that says nothing for so long is not waited for: others may know. */
const PATIENCE_MS = 2_000;

/** For EVALSHA: the script, from what the endpoint keeps or any primary has. */
export const scriptCure = (sha: string): Cure => ({
  name: sha,
  missing: 'NOSCRIPT',
  bring: (client, slot) => bringScript(client, slot, sha),
});

/** For FCALL: the library that has the function at another primary. */
export const functionCure = (name: string): Cure => ({
  name: `function ${name}`,
  missing: 'ERR Function not found',
  bring: (client, slot) => bringFunction(client, slot, name),
});

/** Before a transaction: its scripts are loaded at the owner of its slot, as far as anybody knows them. */
export async function ensureScripts(client: Client, slot: number, shas: readonly string[]): Promise<void> {
  const { adminLane } = client.home;
  const known = await ask(client, slot, ['SCRIPT', 'EXISTS', ...shas], adminLane);
  if (!Array.isArray(known)) return;
  await Promise.all(shas.filter((_, index) => known[index] !== 1).map((sha) => bringScript(client, slot, sha)));
}

async function bringScript(client: Client, slot: number, sha: string): Promise<boolean> {
  const { scripts, adminLane } = client.home;
  const script = scripts.get(sha) ?? (await fromAny(client, (at) => scriptAt(client, at, sha)));
  if (script === undefined) return false;
  scripts.remember(script);
  return !((await ask(client, slot, ['SCRIPT', 'LOAD', script], adminLane)) instanceof ReplyError);
}

async function scriptAt(client: Client, slot: number, sha: string): Promise<Buffer | undefined> {
  const reply = await ask(client, slot, ['SCRIPT', 'SHOW', sha], client.home.adminLane);
  return Buffer.isBuffer(reply) ? reply : undefined;
}

async function bringFunction(client: Client, slot: number, name: string): Promise<boolean> {
  const code = await fromAny(client, (at) => libraryAt(client, at, name));
  if (code === undefined) return false;
  const reply = await ask(client, slot, ['FUNCTION', 'LOAD', code], client.home.adminLane);
  // Another client's call may have brought it a moment before.
  return !(reply instanceof ReplyError) || reply.message.includes('already exists');
}

async function libraryAt(client: Client, slot: number, name: string): Promise<Buffer | undefined> {
  const { adminLane } = client.home;
  const libraries = await ask(client, slot, ['FUNCTION', 'LIST'], adminLane);
  if (!Array.isArray(libraries)) return undefined;
  const has = (library: Reply): boolean =>
    ((field(library, 'functions') as Reply[] | undefined) ?? []).some((one) => String(field(one, 'name')) === name);
  const library = libraries.find(has);
  if (library === undefined) return undefined;
  const wanted = field(library, 'library_name') as Buffer;
  const found = await ask(client, slot, ['FUNCTION', 'LIST', 'LIBRARYNAME', wanted, 'WITHCODE'], adminLane);
  const code = Array.isArray(found) && found.length > 0 ? field(found[0]!, 'library_code') : undefined;
  return Buffer.isBuffer(code) ? code : undefined;
}

function field(map: Reply, name: string): Reply | undefined {
  if (!(map instanceof Map)) return undefined;
  for (const [key, value] of map) if (String(key) === name) return value;
  return undefined;
}

/** The first that any primary has; undefined when none has it. */
async function fromAny<T>(client: Client, find: (slot: number) => Promise<T | undefined>): Promise<T | undefined> {
  const found = slotsOfPrimaries(client).map(async (slot) => {
    const one = await find(slot);
    if (one === undefined) throw new Error('not there');
    return one;
  });
  return Promise.race([
    Promise.any(found).catch(() => undefined),
    pause(PATIENCE_MS, undefined, { ref: false }) as Promise<undefined>,
  ]);
}
