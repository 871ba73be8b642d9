/**
 * Looks at a fleet from a host of its own, as a client and as an operator do: the API over TLS, endpoints, and for what
 * only nodes can tell, nodes with the certificate of a machine. Requests and answers are JSON lines; see `observer.ts`.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { Address } from './client-options.ts';
import type { Final } from './history.ts';
import type { Answers, Question } from './observer.ts';

const ASK_MS = 4_000;
const BATCH = 200;

const quiet = (redis: Redis): Redis => redis.on('error', () => {}); // each question tells its own failure

function status({ url, ca, token, database }: Question<'status'>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/v1/databases/${database}`, {
      ...{ ca: readFileSync(ca), agent: false, timeout: ASK_MS },
      headers: { authorization: `Bearer ${readFileSync(token, 'utf8').trim()}` },
    });
    const late = setTimeout(() => outgoing.destroy(new Error(`no answer within ${ASK_MS} ms`)), ASK_MS);
    outgoing.once('close', () => clearTimeout(late));
    outgoing.once('error', reject);
    outgoing.once('response', async (response) => {
      try {
        const text = (await response.toArray()).join('');
        if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${text}`);
        resolve(JSON.parse(text));
      } catch (error) {
        reject(error);
      }
    });
    outgoing.end();
  });
}

async function finals({ endpoint, password, keys }: Question<'finals'>): Promise<Answers['finals']> {
  const redis = quiet(
    new Redis({ ...endpoint, ...(password === null ? {} : { password }), commandTimeout: 15_000, lazyConnect: true }),
  );
  try {
    await redis.connect();
    const values: [string, Final][] = [];
    for (let at = 0; at < keys.length; at += BATCH) {
      const batch = keys.slice(at, at + BATCH);
      const pipeline = redis.pipeline();
      for (const [key, isList] of batch) {
        if (isList) pipeline.lrange(key, 0, -1);
        else pipeline.get(key);
      }
      const answers = (await pipeline.exec()) ?? [];
      for (const [index, [error, value]] of answers.entries()) {
        if (error) throw error;
        values.push([batch[index]![0], value as Final]);
      }
    }
    return values;
  } finally {
    redis.disconnect();
  }
}

/** Each node's own word on who owns which slots: `from-to node-id`, sorted. */
function owners({ nodes, identity, authorities, password }: Question<'owners'>): Promise<Answers['owners']> {
  const tls = {
    ...{ cert: readFileSync(identity), key: readFileSync(identity), ca: readFileSync(authorities) },
    checkServerIdentity: () => undefined,
  };
  const ask = async ({ host, port }: Address): Promise<string[]> => {
    const redis = quiet(
      new Redis({
        ...{ host, port, tls, lazyConnect: true, commandTimeout: ASK_MS },
        ...(password === null ? {} : { password }),
      }),
    );
    try {
      await redis.connect();
      const slots = await redis.cluster('SLOTS');
      return slots.map(([from, to, primary]) => `${from}-${to} ${primary![2]}`).sort();
    } finally {
      redis.disconnect();
    }
  };
  return Promise.all(nodes.map(ask));
}

const answer = (question: Question): Promise<unknown> => {
  switch (question.ask) {
    case 'status':
      return status(question);
    case 'finals':
      return finals(question);
    case 'owners':
      return owners(question);
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, question } = JSON.parse(line) as { id: number; question: Question };
  answer(question).then(
    (value) => console.log(JSON.stringify({ id, value })),
    (error: Error) => console.log(JSON.stringify({ id, error: error.message })),
  );
}
process.exit(0);
