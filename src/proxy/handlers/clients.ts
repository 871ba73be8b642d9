/** CLIENT: the clients of the endpoint, of all its workers. */
import { encodeReply, Status, Verbatim } from '../../resp/encode-reply.ts';
import { ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import { type ClientFilter, isLong, parseClientFilter } from '../client-filter.ts';
import { clientLine } from '../client-line.ts';
import { ask, askNode, pairsOf, work } from '../gather.ts';
import type { Home, Peer, WorkerQuestion } from '../home.ts';
import { inTurn } from '../in-turn.ts';
import { deliverTo } from '../invalidations.ts';
import { refusalFor } from '../permission.ts';
import { BAD_NAME, DATABASES, isFitName } from './connection.ts';

const OK = Buffer.from('+OK\r\n');
const SYNTAX = 'ERR syntax error';
/** A blocking command may be on its way to its node yet: so often, and so long after each other, it is looked for. */
const UNBLOCK_TRIES = 10;
const UNBLOCK_PAUSE_MS = 10;

/** Figures of the clients of one worker, to be added up. */
export interface ClientCounts {
  clients: number;
  pubsub: number;
  tracking: number;
  /** Prefixes that are tracked, each once. */
  prefixes: number;
  /** Wait, but not at a node, where the node counts them. */
  waiting: number;
  accepted: number;
  rejected: number;
}

/** What this worker has. */
export function countClients(home: Home): ClientCounts {
  const peers = [...home.peers.values()];
  const count = (test: (peer: Peer) => boolean): number => peers.filter(test).length;
  return {
    clients: peers.length,
    pubsub: count(({ session }) => (session.subscriptions?.count ?? 0) > 0),
    tracking: count(({ session }) => session.tracking !== null),
    prefixes: new Set(
      peers.flatMap(({ session }) => session.tracking?.prefixes.map((one) => one.toString('latin1')) ?? []),
    ).size,
    waiting: count(({ blockedOn }) => blockedOn !== null && blockedOn.node < 0),
    accepted: home.counts.accepted,
    rejected: home.counts.rejected,
  };
}

/** What one worker says of its clients of a database; it was asked by a client of another. */
export function answerQuestion(home: Home, question: WorkerQuestion): string {
  switch (question.ask) {
    case 'counts':
      return JSON.stringify(countClients(home));
    case 'waited': {
      const node = home.map.byId(question.args[0]!);
      return String(node ? home.sender.waits.longest(node.index, performance.now()) : 0);
    }
    case 'list': {
      const filter = filterOf(home, question.args, false);
      return typeof filter === 'string' ? '' : linesOf(home, filter, null).join('\n');
    }
    case 'kill': {
      const filter = filterOf(home, question.args, false);
      return typeof filter === 'string' ? '0' : String(kill(home, filter, null));
    }
    case 'invalidate':
      return deliverTo(home, Number(question.args[0]), question.args[1]!) ? '1' : '0';
    case 'pause':
      applyPause(home, question.args);
      return '';
    case 'unblock': {
      const [id, reason] = question.args;
      const isBlocked = blockedClient(home, Number(id)) !== null;
      if (isBlocked) void unblockHere(home, Number(id), reason === 'ERROR');
      return isBlocked ? '1' : '0';
    }
  }
}

function filterOf(home: Home, args: readonly string[], skipsMe: boolean): ClientFilter | string {
  const users = new Set(home.database.users.map(({ name }) => name));
  return parseClientFilter(args, { users, databases: DATABASES }, skipsMe);
}

const found = (home: Home, { matches, skipsMe }: ClientFilter, me: Peer | null): Peer[] =>
  [...home.peers.values()].filter((peer) => !(skipsMe && peer === me) && matches(peer, home));

const linesOf = (home: Home, filter: ClientFilter, me: Peer | null): string[] =>
  found(home, filter, me).map((peer) => clientLine(peer, home));

/** Ends clients; the one that asks when it has its reply. */
function kill(home: Home, filter: ClientFilter, me: Peer | null): number {
  const peers = found(home, filter, me);
  for (const peer of peers) {
    if (peer === me) peer.closeAfterReplies();
    else peer.close();
  }
  return peers.length;
}

/** Does what the user may do, as the engine would let it. */
function permitted(call: Call, task: () => Promise<Parameters<typeof encodeReply>[0]>): void {
  const { client, session } = call;
  const command = call.texts();
  work(client, async () => encodeReply((await refusalFor(client, ...command)) ?? (await task()), session.resp));
}

const list: Handler = (call) => {
  if (call.argc === 3) return call.error(SYNTAX);
  const { home, client } = call;
  const args = call.texts(2);
  const filter = filterOf(home, args, false);
  if (typeof filter === 'string') return call.error(filter);
  permitted(call, async () => {
    const others = await home.askOthers({ ask: 'list', database: home.database.uid, args });
    const lines = [...linesOf(home, filter, client), ...others.flatMap((text) => text.split('\n'))];
    const idOf = (line: string): number => Number(line.slice('id='.length, line.indexOf(' ')));
    const sorted = lines.filter((line) => line !== '').sort((one, other) => idOf(one) - idOf(other));
    return new Verbatim(sorted.map((line) => `${line}\n`).join(''));
  });
};

const killClients: Handler = (call) => {
  const { home, client } = call;
  const isOld = call.argc === 3;
  const args = isOld ? ['addr', call.text(2)] : call.texts(2);
  const filter = filterOf(home, args, !isOld);
  if (typeof filter === 'string') return call.error(filter);
  permitted(call, async () => {
    const others = await home.askOthers({ ask: 'kill', database: home.database.uid, args });
    const count = others.reduce((sum, text) => sum + Number(text), kill(home, filter, client));
    if (!isOld) return count;
    return count > 0 ? new Status('OK') : new ReplyError('ERR No such client');
  });
};

const unblock: Handler = (call) => {
  const { home } = call;
  const reason = call.argc === 4 ? call.upper(3) : 'TIMEOUT';
  if (reason !== 'TIMEOUT' && reason !== 'ERROR') {
    return call.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  }
  const id = call.text(2);
  if (!isLong(id)) return call.error('ERR value is not an integer or out of range');
  permitted(call, async () => {
    if (await unblockHere(home, Number(id), reason === 'ERROR')) return 1;
    const others = await home.askOthers({ ask: 'unblock', database: home.database.uid, args: [id, reason] });
    return others.includes('1') ? 1 : 0;
  });
};

const blockedClient = (home: Home, id: number): Peer['blockedOn'] => home.peers.get(id)?.blockedOn ?? null;

/** Ends what a client of this worker waits for. @returns whether it waited */
async function unblockHere(home: Home, id: number, withError: boolean): Promise<boolean> {
  const blocked = blockedClient(home, id);
  for (let tries = 0; blocked !== null && tries < UNBLOCK_TRIES; tries += 1) {
    if (blocked.unblock?.(withError)) return true;
    if (blockedClient(home, id) !== blocked) return false;
    const { engineClientId, node } = blocked;
    if (engineClientId > 0 && node >= 0) {
      const reply = await askNode(home, node, ['CLIENT', 'UNBLOCK', engineClientId, withError ? 'ERROR' : 'TIMEOUT']);
      if (reply === 1) return true;
    }
    await new Promise((resolve) => setTimeout(resolve, UNBLOCK_PAUSE_MS));
  }
  return false;
}

/** Milliseconds and mode; nothing: it is over. */
function applyPause(home: Home, [ms, mode]: readonly string[]): void {
  if (ms === undefined) home.pause.end();
  else home.pause.begin(Number(ms), mode === 'WRITE' ? 'write' : 'all');
}

function pauseEverywhere(call: Call, args: string[]): void {
  const { home } = call;
  permitted(call, async () => {
    await home.askOthers({ ask: 'pause', database: home.database.uid, args });
    applyPause(home, args);
    return new Status('OK');
  });
}

const pause: Handler = (call) => {
  const mode = call.argc > 3 ? call.upper(3) : 'ALL';
  if (mode !== 'WRITE' && mode !== 'ALL') return call.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
  const ms = call.text(2);
  if (!isLong(ms)) return call.error('ERR timeout is not an integer or out of range');
  if (ms.startsWith('-')) return call.error('ERR timeout is negative');
  pauseEverywhere(call, [ms, mode]);
};

const unpause: Handler = (call) => pauseEverywhere(call, []);

const id: Handler = (call) => call.answer(call.session.id);

const info: Handler = (call) => call.answer(new Verbatim(`${clientLine(call.client, call.home)}\n`));

const getName: Handler = (call) => call.answer(call.session.name === '' ? null : call.session.name);

const setName: Handler = (call) => {
  const name = call.text(2);
  if (!isFitName(name)) return call.error(BAD_NAME);
  call.session.name = name;
  call.ok();
};

const setInfo: Handler = (call) => {
  const option = call.text(2);
  const which = option.toLowerCase();
  if (which !== 'lib-name' && which !== 'lib-ver') return call.error(`ERR Unrecognized option '${option}'`);
  const value = call.text(3);
  if (!isFitName(value)) {
    return call.error(`ERR ${option} cannot contain spaces, newlines or special characters.`);
  }
  call.session[which === 'lib-name' ? 'libName' : 'libVersion'] = value;
  call.ok();
};

const capa: Handler = (call) => {
  const { session } = call;
  session.capabilities = [...new Set([...session.capabilities, ...call.texts(2).map((name) => name.toLowerCase())])];
  call.ok();
};

const replies: Handler = (call) => {
  const { session, client } = call;
  const mode = call.upper(2);
  if (mode === 'ON') {
    session.replies = 'on';
    call.ok();
  } else if (mode === 'OFF') session.replies = 'off';
  else if (mode !== 'SKIP') call.error(SYNTAX);
  else if (session.replies !== 'off') session.replies = 'skip';
  client.updatePlain();
};

/** ON or OFF; undefined for anything else. */
const switchOf = (call: Call): boolean | undefined => ({ ON: true, OFF: false })[call.upper(2)];

const noEvict: Handler = (call) => {
  const wanted = switchOf(call);
  if (wanted === undefined) return call.error(SYNTAX);
  call.session.noEvict = wanted;
  call.ok();
};

/** From now on over connections of the client's own, which are set so. */
const noTouch: Handler = (call) => {
  const wanted = switchOf(call);
  if (wanted === undefined) return call.error(SYNTAX);
  const { client, session } = call;
  if (session.noTouch === wanted) return call.ok();
  inTurn(client, async () => {
    session.noTouch = wanted;
    client.changeIdentity({});
    return OK;
  });
};

/** Likewise. The engine has a say: it must be in import mode. */
const importSource: Handler = (call) => {
  const wanted = switchOf(call);
  if (wanted === undefined) return call.error(SYNTAX);
  const { client, session, home } = call;
  if (session.importSource === wanted) return call.ok();
  inTurn(client, async () => {
    if (wanted) {
      const mode = await ask(client, 0, ['CONFIG', 'GET', 'import-mode'], home.adminLane);
      if (mode instanceof ReplyError) return encodeReply(mode, session.resp);
      if (String(pairsOf(mode).get('import-mode')) !== 'yes') {
        return encodeReply(new ReplyError('ERR Server is not in import mode'), session.resp);
      }
    }
    session.importSource = wanted;
    client.changeIdentity({});
    return OK;
  });
};

export const CLIENT_HANDLERS: Readonly<Record<string, Handler>> = {
  'client|id': id,
  'client|info': info,
  'client|list': list,
  'client|kill': killClients,
  'client|unblock': unblock,
  'client|pause': pause,
  'client|unpause': unpause,
  'client|getname': getName,
  'client|setname': setName,
  'client|setinfo': setInfo,
  'client|capa': capa,
  'client|reply': replies,
  'client|no-evict': noEvict,
  'client|no-touch': noTouch,
  'client|import-source': importSource,
};
