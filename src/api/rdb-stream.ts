/** The RDB of a shard as an answer: read from its node only as fast as the client takes it. */
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import type { ControlPlane } from '../control/control-plane.ts';
import { RDB_HEADERS } from '../protocol/rdb-headers.ts';

/** A client that takes nothing for so long is let go: others wait for their turn at its machine. */
const SLOW_MS = 60_000;

/** Answers with it; what is refused is thrown before the first byte. @throws what `Exports.give` throws */
export async function sendRdb(
  control: ControlPlane,
  { name, shard }: { name: string; shard: string },
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = reply;
  const left = new AbortController();
  raw.once('close', () => left.abort());
  await control.exports.give(name, shard, left.signal, async ({ node, machine, role, forkedAt, bytes }) => {
    reply.hijack();
    raw.setTimeout(SLOW_MS, () => raw.destroy());
    raw.writeHead(200, {
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
      [RDB_HEADERS.node.name]: node,
      [RDB_HEADERS.machine.name]: machine,
      [RDB_HEADERS.role.name]: role,
      [RDB_HEADERS.forkedAt.name]: new Date(forkedAt).toISOString(),
    });
    await pipeline(bytes, raw); // it cuts the connection where the end does not come
  });
  return reply;
}
