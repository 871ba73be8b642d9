/**
 * A command whose time has not come: its client is held, and it is carried out when CLIENT PAUSE is over, or when it is
 * its turn to write to slots whose writers are paced.
 */
import { CommandScanner, ENGINE_LIMITS } from '../resp/command-scanner.ts';
import type { Call } from './call.ts';
import { keyPositions } from './commands/keys.ts';
import { ask, pairsOf } from './gather.ts';
import { slotOf } from './hash-slot.ts';
import { frameMayWrite, mayWrite } from './pause.ts';

/** Carries a command out of its own bytes. */
export type CarryOut = (scanner: CommandScanner, frame: Buffer) => void;

/** @returns whether the command waits; `carryOut` is called when its time has come */
export const postponed = (call: Call, carryOut: CarryOut): boolean =>
  waitsForEnd(call, carryOut) || waitsForTurn(call, carryOut);

/** @returns what is to be called when its time has come */
function heldBack(call: Call, carryOut: CarryOut): () => void {
  const { client } = call;
  const frame = call.frame();
  client.hold();
  client.count(frame.length);
  return () => {
    client.blockedOn = null;
    if (client.isClosed) return;
    client.count(-frame.length);
    const scanner = new CommandScanner();
    scanner.scan(frame, 0, frame.length, ENGINE_LIMITS);
    carryOut(scanner, frame);
    client.release();
  };
}

/** Of a pause. */
function waitsForEnd(call: Call, carryOut: CarryOut): boolean {
  const { client, home, command } = call;
  if (!home.pause.isOn || !concerns(call)) return false;
  // What a function or a script may do is known where it is loaded.
  const isOpen = (command.name === 'fcall' || command.name === 'evalsha') && home.pause.mode !== 'all';
  const reads = isOpen ? onlyReads(call) : null;
  const goOn = heldBack(call, carryOut);
  const wait = (): void => {
    if (!home.pause.isOn) return goOn();
    client.blockedOn = { engineClientId: 0, node: -1, abandon: home.pause.wait(goOn) };
  };
  if (reads === null) wait();
  else
    void reads.then((does) => {
      if (does) goOn();
      else wait();
    });
  return true;
}

function concerns(call: Call): boolean {
  const { command, home } = call;
  if (home.pause.mode === 'all') return true;
  return command.name === 'exec' ? transactionMayWrite(call) : mayWrite(command, scriptOf(call));
}

const transactionMayWrite = ({ session }: Call): boolean => session.transaction?.frames.some(frameMayWrite) ?? false;

/** The script that it runs, where it is known. */
function scriptOf(call: Call): Buffer | undefined {
  const { name } = call.command;
  if (name === 'eval') return call.arg(1);
  return name === 'evalsha' ? call.home.scripts.get(call.text(1)) : undefined;
}

async function onlyReads(call: Call): Promise<boolean> {
  const name = call.text(1);
  if (call.command.name === 'evalsha') {
    const script = await ask(call.client, -1, ['SCRIPT', 'SHOW', name], call.home.adminLane);
    return Buffer.isBuffer(script) && !mayWrite(call.command, script);
  }
  const libraries = await ask(call.client, -1, ['FUNCTION', 'LIST'], call.home.adminLane);
  if (!Array.isArray(libraries)) return false;
  return libraries.some((library) =>
    (pairsOf(library).get('functions') as never[]).some((one) => {
      const fields = pairsOf(one);
      const flags = [...(fields.get('flags') as Iterable<Buffer>)].map(String);
      return String(fields.get('name')) === name && flags.includes('no-writes');
    }),
  );
}

/** Of a writer that is paced. */
function waitsForTurn(call: Call, carryOut: CarryOut): boolean {
  const { client, home } = call;
  if (!home.pacing.isOn || !writesToPaced(call)) return false;
  const bytes = call.command.name === 'exec' ? call.session.transaction!.bytes : call.to - call.from;
  if (home.pacing.takes(bytes)) return false;
  home.counts.paced += 1;
  const goOn = heldBack(call, carryOut);
  client.blockedOn = { engineClientId: 0, node: -1, abandon: home.pacing.wait(bytes, goOn) };
  return true;
}

/** One of its keys is in such a slot. What a transaction takes waits with its EXEC. */
function writesToPaced(call: Call): boolean {
  const { command, home, session } = call;
  const { transaction } = session;
  if (command.name === 'exec')
    return transaction !== null && home.pacing.isPaced(transaction.slot) && transactionMayWrite(call);
  if (transaction !== null || !mayWrite(command, scriptOf(call))) return false;
  return keyPositions(command.facts, call.argc, (index) => call.arg(index)).some((index) => {
    const start = call.startOf(index);
    return home.pacing.isPaced(slotOf(call.bytes, start, start + call.lengthOf(index)));
  });
}
