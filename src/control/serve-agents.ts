/** The agents' WebSocket: who is let in, and what comes and goes over one connection. */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { httpStatusOf, toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  type FleetTerm,
  type Hello,
  MAX_MESSAGE_BYTES,
  type ToAgent,
} from '../protocol/agent-messages.ts';
import type { AgentCaller } from './agent-caller.ts';
import { readFromAgent } from './agent-message.ts';
import type { AgentSession, Agents } from './agents.ts';

/** How often a silent agent is asked for a sign of life, and how long it may stay silent before it counts as away. */
const PING_INTERVAL_MS = 5_000;
/** An agent takes the silence of so many pings for the end of a connection. */
const SILENT_PINGS = 3;
/** An agent that says nothing after connecting is turned away. */
const HELLO_TIMEOUT_MS = 5_000;

/** Whom an agent meets here: a control plane that leads, or nobody, and where to go instead. */
export type AgentHost =
  | {
      agents: Agents;
      term: FleetTerm | null;
      servers: readonly string[];
      /** How often agents are asked for a sign of life, in ms. */
      pingMs?: number;
    }
  | { leader: string | null };

type Leading = Extract<AgentHost, { agents: Agents }>;

/**
 * Serves agents on the HTTP server's `AGENT_PATH`. Where nobody leads, they are sent to who does (307), or away (503).
 * @param callerOf tells who is at the other end; it throws what is wrong with it
 */
export function serveAgents(
  server: Pick<Server, 'on'>,
  hostNow: () => AgentHost,
  callerOf: (request: IncomingMessage) => AgentCaller,
): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {}); // who is turned away may be gone already
    if (request.url !== AGENT_PATH) return turnAway(socket, '404 Not Found');
    const host = hostNow();
    try {
      const caller = callerOf(request);
      if ('agents' in host) {
        sockets.handleUpgrade(request, socket, head, (webSocket) => serveAgent(webSocket, host, caller));
      } else if (host.leader === null) turnAway(socket, '503 Service Unavailable');
      else turnAway(socket, '307 Temporary Redirect', { location: `${host.leader}${AGENT_PATH}` });
    } catch (error) {
      const document = toErrorDocument(error);
      const status = httpStatusOf(document);
      turnAway(socket, `${status} ${STATUS_CODES[status]}`, {}, JSON.stringify(document));
      const who = request.socket.remoteAddress ?? 'an unknown address';
      if (error instanceof ValkeeperError && 'agents' in host) host.agents.emit('refused', who, null, error);
    }
  });
}

function turnAway(socket: Duplex, status: string, headers: Record<string, string> = {}, body = ''): void {
  const all = { ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`);
}

function serveAgent(
  socket: WebSocket,
  { agents, term, servers, pingMs = PING_INTERVAL_MS }: Leading,
  caller: AgentCaller,
): void {
  let session: AgentSession | null = null;
  let saidHello = false;
  let alive = true;
  /** What comes while it is not decided yet whether the agent is let in, waits. */
  let decided: Promise<void> = Promise.resolve();
  const silence = setTimeout(() => socket.close(1008, 'no hello'), HELLO_TIMEOUT_MS);
  const pings = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingMs);
  const meet = async (hello: Hello): Promise<void> => {
    const error = await refusalOf(hello, agents, caller);
    if (socket.readyState !== socket.OPEN) return;
    if (error === null) {
      send(socket, { type: 'welcome', protocol: AGENT_PROTOCOL, term, servers, silenceMs: pingMs * SILENT_PINGS });
      session = agents.welcome(socket, hello);
      return;
    }
    send(socket, { type: 'refused', error: toErrorDocument(error) });
    socket.close(1008, error.code);
    agents.emit('refused', hello.machine, hello.machine, error);
  };
  const receive = (text: string): Promise<void> | undefined => {
    const message = readFromAgent(text);
    if (message === null) socket.close(1007, 'not a message');
    else if (message.type === 'hello') {
      clearTimeout(silence);
      if (saidHello) return void socket.close(1008, 'a second hello');
      saidHello = true;
      if (message.protocol !== AGENT_PROTOCOL) {
        agents.turnedAway(message);
        socket.close(1008, `agent protocol ${message.protocol} is not ${AGENT_PROTOCOL}`);
      } else return meet(message);
    } else if (message.type === 'reply') session?.answered(message);
    else if (session) agents.heard(session.machine, message);
    return undefined;
  };
  socket.on('pong', () => {
    alive = true;
  });
  socket.on('message', (data) => {
    alive = true;
    const text = String(data);
    if (session) receive(text);
    else decided = decided.then(() => receive(text));
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    clearTimeout(silence);
    clearInterval(pings);
    if (session) agents.left(session);
    session?.close('closed');
  });
}

async function refusalOf(hello: Hello, agents: Agents, caller: AgentCaller): Promise<ValkeeperError | null> {
  const error = agents.admits(hello, caller);
  if (error) return error;
  if (!(await agents.isHeldByAnother(hello))) return null;
  return new ValkeeperError('machine_connected_already', { name: hello.machine });
}

const send = (socket: WebSocket, message: ToAgent): void => socket.send(JSON.stringify(message));
