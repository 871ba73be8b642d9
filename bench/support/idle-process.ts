/**
 * Connections that do nothing, held by a process of its own: each has asked for one key and was answered, so that it is
 * known to whatever it is connected to. Arguments: host, port, how many, key. Says `ready` when all are there; ends when
 * its standard input does.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const AT_ONCE = 50;
const [host, port, count, key] = process.argv.slice(2) as [string, string, string, string];
const request = `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`;
const held: Socket[] = [];
let begun = 0;
let ending = false;

async function opener(): Promise<void> {
  while (begun < Number(count)) {
    begun += 1;
    const socket = connect({ host, port: Number(port) });
    await once(socket, 'connect');
    socket.write(request);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    if (reply[0] !== 0x24) throw new Error(`not the reply to a GET: ${reply.toString('latin1', 0, 80)}`);
    socket.once('close', () => {
      if (!ending) throw new Error('an idle connection was closed');
    });
    held.push(socket);
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, opener));
process.stdout.write('ready\n');
process.stdin.resume();
await once(process.stdin, 'end');
ending = true;
for (const socket of held) socket.destroy();
