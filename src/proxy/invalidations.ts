/** Where what the engine tells of changed keys goes: to the client that reads them, or to the one it redirects to. */
import { encodeReply } from '../resp/encode-reply.ts';
import { Push } from '../resp/reply.ts';
import type { Home } from './home.ts';
import type { Listener } from './listener.ts';

/** Of `>2`, `$10`, `invalidate`: what comes behind is the array of keys, or null for all. */
const HEAD_LENGTH = Buffer.byteLength('>2\r\n$10\r\ninvalidate\r\n');
const TO_SUBSCRIBER = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n');
const NULL = 0x5f;
const NULL_IN_RESP2 = Buffer.from('*-1\r\n');

/** A client that tracks. */
export interface Invalidations extends Listener {
  readonly home: Home;
}

/** Hands on what a connection of the client has pushed. */
export function tellInvalidation(client: Invalidations, bytes: Buffer, from: number, to: number): void {
  const { session, home } = client;
  const { tracking } = session;
  if (tracking === null) return;
  if (tracking.redirect === 0) return client.push(bytes, from, to);
  const target = home.peers.get(tracking.redirect);
  if (target) return deliver(target, bytes, from, to);
  const args = [String(tracking.redirect), bytes.toString('base64', from, to)];
  void home.askOthers({ ask: 'invalidate', database: home.database.uid, args }).then((told) => {
    if (!told.includes('1')) targetIsGone(client);
  });
}

/** For a client of this worker that another redirects to. @returns whether it is here */
export function deliverTo(home: Home, id: number, base64: string): boolean {
  const target = home.peers.get(id);
  if (!target) return false;
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length > 0) deliver(target, bytes, 0, bytes.length);
  return true;
}

/** In RESP2 only a client that is subscribed to anything can be told. */
function deliver(target: Listener, bytes: Buffer, from: number, to: number): void {
  if (target.session.resp === 3) return target.push(bytes, from, to);
  if (!target.session.isSubscriberOnly) return;
  const keys = bytes[from + HEAD_LENGTH] === NULL ? NULL_IN_RESP2 : bytes.subarray(from + HEAD_LENGTH, to);
  const message = Buffer.concat([TO_SUBSCRIBER, keys]);
  target.push(message, 0, message.length);
}

/** The client keeps what it cannot be told of any more: in RESP3 it learns that. */
function targetIsGone(client: Invalidations): void {
  const { session } = client;
  const { tracking, resp } = session;
  if (tracking === null || client.isClosed) return;
  session.tracking = { ...tracking, isBroken: true };
  if (resp === 2) return;
  const broken = encodeReply(new Push(['tracking-redir-broken', tracking.redirect]), 3);
  client.push(broken, 0, broken.length);
}

/** Whether there is a client of this id, at any worker. */
export async function isClient(home: Home, id: number): Promise<boolean> {
  if (home.peers.has(id)) return true;
  const args = [String(id), ''];
  return (await home.askOthers({ ask: 'invalidate', database: home.database.uid, args })).includes('1');
}
