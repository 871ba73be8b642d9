/** A command that comes during CLIENT PAUSE: its client is held, and it is carried out when the pause is over. */
import { CommandScanner, ENGINE_LIMITS } from '../resp/command-scanner.ts';
import type { Call } from './call.ts';
import { ask, pairsOf } from './gather.ts';
import { frameMayWrite, mayWrite } from './pause.ts';

/** Carries a command out of its own bytes. */
export type CarryOut = (scanner: CommandScanner, frame: Buffer) => void;

/** @returns whether the command waits; `carryOut` is called when its time has come */
export function postponed(call: Call, carryOut: CarryOut): boolean {
  const { client, home, command } = call;
  if (!home.pause.isOn || !concerns(call)) return false;
  const frame = call.frame();
  client.hold();
  const goOn = (): void => {
    client.blockedOn = null;
    if (client.isClosed) return;
    const scanner = new CommandScanner();
    scanner.scan(frame, 0, frame.length, ENGINE_LIMITS);
    carryOut(scanner, frame);
    client.release();
  };
  const wait = (): void => {
    if (!home.pause.isOn) return goOn();
    client.blockedOn = { engineClientId: 0, node: -1, abandon: home.pause.wait(goOn) };
  };
  // What a function or a script may do is known where it is loaded.
  if ((command.name !== 'fcall' && command.name !== 'evalsha') || home.pause.mode === 'all') wait();
  else
    void onlyReads(call).then((does) => {
      if (does) goOn();
      else wait();
    });
  return true;
}

function concerns(call: Call): boolean {
  const { command, home, session } = call;
  if (home.pause.mode === 'all') return true;
  if (command.name === 'exec') return session.transaction?.frames.some(frameMayWrite) ?? false;
  const script =
    command.name === 'eval' ? call.arg(1) : command.name === 'evalsha' ? home.scripts.get(call.text(1)) : undefined;
  return mayWrite(command, script);
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
