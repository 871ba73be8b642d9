/** Commands about the connection to the endpoint: who speaks, in which protocol, to which numbered database. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Answer, encodeReply, Status } from '../../resp/encode-reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { inTurn } from '../in-turn.ts';
import { switchProtocol } from '../own-lane.ts';
import { refusalFor } from '../permission.ts';
import { endTransaction, endWatch } from './transactions.ts';

/** What `cluster-databases` of the nodes is. */
export const DATABASES = 16;
/** The engine whose place the endpoint takes, as clients ask for it. */
const SERVER = 'valkey';

const OK = Buffer.from('+OK\r\n');
const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';

/** Whether it is a user of the database, and the user's password. */
function admit(call: Call, user: string, password: Buffer): boolean {
  const known = call.home.database.users.find(({ name }) => name === user);
  if (!known) return false;
  if (known.passwordSha256 === null) return true;
  const given = createHash('sha256').update(password).digest();
  return timingSafeEqual(given, Buffer.from(known.passwordSha256, 'hex'));
}

function becomeUser(call: Call, user: string, password: Buffer): void {
  const known = call.home.database.users.find(({ name }) => name === user)!;
  call.session.isAuthenticated = true;
  call.client.changeIdentity({ user, password: known.passwordSha256 === null ? null : password.toString() });
}

const auth: Handler = (call) => {
  if (call.argc > 3) return call.error('ERR syntax error');
  const user = call.argc === 3 ? call.text(1) : 'default';
  const password = Buffer.from(call.arg(call.argc - 1));
  if (call.argc === 2 && call.home.database.users.find(({ name }) => name === 'default')?.passwordSha256 === null) {
    return call.error(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    );
  }
  if (!admit(call, user, password)) return call.error(WRONG_PASSWORD);
  becomeUser(call, user, password);
  call.ok();
};

interface HelloOptions {
  auth: { user: string; password: Buffer } | null;
  name: string | null;
}

const hello: Handler = (call) => {
  const { session, client } = call;
  let resp = session.resp;
  if (call.argc > 1) {
    const version = call.text(1);
    if (!/^-?\d{1,18}$/.test(version)) return call.error('ERR Protocol version is not an integer or out of range');
    if (version !== '2' && version !== '3') return call.error('NOPROTO unsupported protocol version');
    resp = version === '2' ? 2 : 3;
  }
  const options = helloOptions(call);
  if (typeof options === 'string') return call.error(options);
  if (options.auth && !admit(call, options.auth.user, options.auth.password)) return call.error(WRONG_PASSWORD);
  if (!options.auth && !session.isAuthenticated) {
    return call.error(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    );
  }
  if (options.auth) becomeUser(call, options.auth.user, options.auth.password);
  if (options.name !== null) session.name = options.name;
  if (resp !== session.resp && session.tracking !== null && session.tracking.redirect > 0) {
    // The keys that were read are known to its connections.
    return inTurn(client, async () => {
      if (await switchProtocol(client.lane, resp)) session.resp = resp;
      else client.changeIdentity({ resp });
      client.updatePlain();
      return encodeReply(greeting(call), resp);
    });
  }
  if (resp !== session.resp) client.changeIdentity({ resp });
  call.answer(greeting(call));
};

function helloOptions(call: Call): HelloOptions | string {
  const options: HelloOptions = { auth: null, name: null };
  for (let index = 2; index < call.argc; index += 1) {
    const word = call.upper(index);
    const left = call.argc - 1 - index;
    if (word === 'AUTH' && left >= 2) {
      options.auth = { user: call.text(index + 1), password: Buffer.from(call.arg(index + 2)) };
      index += 2;
    } else if (word === 'SETNAME' && left >= 1) {
      options.name = call.text(index + 1);
      if (!isFitName(options.name)) return BAD_NAME;
      index += 1;
    } else return `ERR Syntax error in HELLO option '${call.text(index)}'`;
  }
  return options;
}

/** Printable, without a space: as the engine asks of names. */
export const isFitName = (name: string): boolean => /^[!-~]*$/.test(name);
export const BAD_NAME = 'ERR Client names cannot contain spaces, newlines or special characters.';

const greeting = ({ session, home }: Call): Answer =>
  new Map<Answer, Answer>([
    ['server', SERVER],
    ['version', home.engineVersion],
    ['proto', session.resp],
    ['id', session.id],
    ['mode', home.database.clusterView === 'nodes' ? 'cluster' : 'standalone'],
    ['role', 'master'],
    ['modules', []],
  ]);

const select: Handler = (call) => {
  const text = call.text(1);
  if (!/^-?\d{1,10}$/.test(text)) return call.error('ERR value is not an integer or out of range');
  const db = Number(text);
  if (db < 0 || db >= DATABASES) return call.error('ERR DB index is out of range');
  if (db !== call.session.db) call.client.changeIdentity({ db });
  call.ok();
};

const ping: Handler = (call) => {
  if (call.argc > 2) return call.error("ERR wrong number of arguments for 'ping' command");
  const { session } = call;
  if (session.isSubscriberOnly) return call.answer(['pong', call.argc === 2 ? Buffer.from(call.arg(1)) : '']);
  call.answer(call.argc === 2 ? Buffer.from(call.arg(1)) : new Status('PONG'));
};

const echo: Handler = (call) => call.answer(Buffer.from(call.arg(1)));

const quit: Handler = (call) => {
  call.ok();
  call.client.closeAfterReplies();
};

/** As if it had just connected. */
function forgetState(client: Client): void {
  const { session } = client;
  endTransaction(client);
  endWatch(client);
  session.subscriptions?.close();
  session.subscriptions = null;
  session.tracking = null;
  session.caching = null;
  session.noEvict = false;
  session.noTouch = false;
  session.importSource = false;
  session.isMonitor = false;
  client.home.monitors.delete(client);
  session.name = '';
  session.replies = 'on';
  session.readsReplicas = client.home.readsReplicasByDefault;
}

const reset: Handler = (call) => {
  const { client, session, home } = call;
  forgetState(client);
  session.isAuthenticated = home.entersFreely;
  client.changeIdentity({ user: 'default', password: null, db: 0, resp: 2 });
  client.updatePlain();
  call.answer(new Status('RESET'));
};

const readonly: Handler = (call) => {
  call.session.readsReplicas = true;
  call.ok();
};

const readwrite: Handler = (call) => {
  call.session.readsReplicas = false;
  call.ok();
};

const monitor: Handler = (call) => {
  const { client, session, home } = call;
  inTurn(
    client,
    async () => {
      const refusal = await refusalFor(client, 'MONITOR');
      if (refusal !== null) return encodeReply(refusal, session.resp);
      session.isMonitor = true;
      return OK;
    },
    {
      written: () => {
        if (!session.isMonitor) return;
        home.monitors.add(client);
        home.monitors.keep(home.map, home.database.adminPassword, home.tlsTo);
      },
    },
  );
};

const role: Handler = (call) => call.answer(['master', 0, []]);

export const CONNECTION_HANDLERS: Readonly<Record<string, Handler>> = {
  auth,
  hello,
  select,
  ping,
  echo,
  quit,
  reset,
  readonly,
  readwrite,
  role,
  monitor,
};
