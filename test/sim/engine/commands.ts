/** The commands that Valkeeper gives a node, answered in the engine's own words, for the real parsers to read. */
import { ACL_MARK_PREFIX } from '../../../src/domain/database.ts';
import { keySlot } from '../../../src/domain/key-slot.ts';
import { countSlots } from '../../../src/domain/slots.ts';
import type { CommandArgument } from '../../../src/resp/encode.ts';
import { type Reply, ReplyError } from '../../../src/resp/reply.ts';
import { TAKEOVER } from '../../../src/valkey/admin.ts';
import type { Engine } from './engine.ts';

const OK = 'OK';
const WAIT_POLL_MS = 1;
const PAUSE_POLL_MS = 20;

/** Answers the commands in their order, all answers at once; a command that waits holds up those behind it. */
export function answer(
  engine: Engine,
  commands: readonly (readonly CommandArgument[])[],
  reply: (replies: Reply[]) => void,
): void {
  const replies: Reply[] = [];
  const transaction: string[][] = [];
  let open = false;
  const run = (from: number): void => {
    for (let at = from; at < commands.length; at += 1) {
      const words = commands[at]!.map(String);
      const name = words[0]!.toUpperCase();
      if (name === 'MULTI') {
        open = true;
        replies.push(OK);
      } else if (name === 'EXEC') {
        open = false;
        if (engine.isPaused) {
          engine.around.timeline.after(
            engine.election.isPaused ? WAIT_POLL_MS : PAUSE_POLL_MS,
            () => engine.alive && run(at),
          );
          return;
        }
        replies.push(execute(engine, transaction));
      } else if (open) {
        transaction.push(words);
        replies.push(refusal(engine, words[1]!) ?? 'QUEUED');
      } else if (name === 'WAIT') {
        wait(engine, Number(words[1]), Number(words[2]), (acknowledged) => {
          replies.push(acknowledged);
          run(at + 1);
        });
        return;
      } else replies.push(answerOne(engine, name, words.slice(1)));
    }
    reply(replies);
  };
  run(0);
}

function answerOne(engine: Engine, name: string, args: string[]): Reply {
  if (name === 'INFO') return info(engine);
  if (name === 'CONFIG') return config(engine, args);
  if (name === 'ACL') return acl(engine, args[0]!);
  if (name === 'PING') return 'PONG';
  if (name === 'CLIENT') return pause(engine, args);
  if (name === 'EVAL' && args[0] === TAKEOVER) return failover(engine, 'TAKEOVER');
  if (name === 'ROLE') return [engine.role === 'primary' ? 'master' : 'slave'];
  if (name !== 'CLUSTER') throw new Error(`the modelled engine has no ${name}`);
  const subcommand = args[0]!.toUpperCase();
  switch (subcommand) {
    case 'MYID':
      return engine.id;
    case 'NODES':
      return engine.nodesText();
    case 'INFO':
      return clusterInfo(engine);
    case 'MEET':
      engine.bus.meet(args[1]!, Number(args[2]));
      return OK;
    case 'FORGET':
      return forget(engine, args[1]!);
    case 'REPLICATE':
      return replicate(engine, args[1]!);
    case 'FAILOVER':
      return failover(engine, args[1]?.toUpperCase());
    default:
      throw new Error(`the modelled engine has no CLUSTER ${subcommand}`);
  }
}

/** CONFIG GET and CONFIG SET of the managed settings, in the engine's form: all classes of buffer limits in one line. */
function config(engine: Engine, [subcommand, ...args]: string[]): Reply {
  const { storage } = engine.replication;
  if (subcommand!.toUpperCase() === 'GET') {
    return args.flatMap((name) => {
      const value = storage.settings[name];
      if (value === undefined) return [];
      if (name !== 'client-output-buffer-limit') return [name, value];
      return [name, `normal 0 0 0 ${value.replace(/^replica/, 'slave')} pubsub 33554432 8388608 60`];
    });
  }
  if (engine.loading) return new ReplyError('LOADING Valkey is loading the dataset in memory');
  const change: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) change[args[at]!] = args[at + 1]!;
  storage.set(change);
  return OK;
}

/** CLIENT PAUSE ms WRITE, and CLIENT UNPAUSE. */
function pause(engine: Engine, [subcommand, pauseMs]: string[]): Reply {
  engine.clientsPausedUntil = subcommand!.toUpperCase() === 'PAUSE' ? engine.now + Number(pauseMs) : 0;
  return OK;
}

/** ACL USERS and ACL LOAD: of the users only who carries the mark. */
function acl(engine: Engine, subcommand: string): Reply {
  if (subcommand.toUpperCase() === 'LOAD') {
    engine.aclMark = engine.around.aclMarkOnDisk(engine);
    return OK;
  }
  return ['default', ...(engine.aclMark === null ? [] : [`${ACL_MARK_PREFIX}${engine.aclMark}`])];
}

/** Why a key cannot be written here, or null. */
function refusal(engine: Engine, key: string): ReplyError | null {
  const slot = keySlot(key);
  const range = engine.around.ranges.findIndex(([from, to]) => slot >= from && slot <= to);
  if (engine.loading) return new ReplyError('LOADING Valkey is loading the dataset in memory');
  if (!engine.stateOk) return new ReplyError('CLUSTERDOWN The cluster is down');
  const owner = engine.owners[range] ?? null;
  if (owner === null) return new ReplyError('CLUSTERDOWN Hash slot not served');
  return owner === engine.id && engine.role === 'primary' ? null : new ReplyError(`MOVED ${slot} 127.0.0.1:1`);
}

function execute(engine: Engine, transaction: string[][]): Reply {
  const refused = transaction.some(([, key]) => refusal(engine, key!) !== null);
  if (refused) return new ReplyError('EXECABORT Transaction discarded because of previous errors.');
  engine.replication.probe();
  return [OK, 1];
}

/** WAIT: asks the replicas where they are, and answers when enough have said so, or the time is over. */
function wait(engine: Engine, count: number, timeoutMs: number, done: (acknowledged: Reply) => void): void {
  if (engine.role === 'replica') {
    done(new ReplyError('ERR WAIT cannot be used with replica instances.'));
    return;
  }
  const { offset } = engine.replication;
  const until = engine.now + timeoutMs;
  engine.replication.askForAcks();
  const look = (): void => {
    if (!engine.alive) return;
    const acknowledged = engine.replication.acknowledged(offset);
    if (acknowledged >= count || engine.now >= until) done(acknowledged);
    else engine.around.timeline.after(WAIT_POLL_MS, look);
  };
  look();
}

function forget(engine: Engine, id: string): Reply {
  if (!engine.peers.has(id)) return new ReplyError(`ERR Unknown node ${id}`);
  if (engine.role === 'replica' && engine.primaryId === id) return new ReplyError("ERR Can't forget my master!");
  engine.forget(id);
  return OK;
}

function replicate(engine: Engine, id: string): Reply {
  if (id === engine.id) return new ReplyError("ERR Can't replicate myself");
  const peer = engine.peers.get(id);
  if (!peer) return new ReplyError(`ERR Unknown node ${id}`);
  if (peer.role === 'replica') return new ReplyError('ERR I can only replicate a master, not a replica.');
  const owns = engine.ownedBy(engine.id).length > 0;
  if (engine.role === 'primary' && (owns || engine.replication.log.length > 0)) {
    return new ReplyError('ERR To set a master the node must be empty and without assigned slots.');
  }
  if (engine.role === 'replica' && engine.primaryId === id) return OK;
  engine.follow(id, true);
  engine.bus.broadcastPong();
  return OK;
}

function failover(engine: Engine, option: string | undefined): Reply {
  if (engine.role === 'primary') return new ReplyError('ERR You should send CLUSTER FAILOVER to a replica');
  if (engine.primaryId === null) return new ReplyError("ERR I'm a replica but my master is unknown to me");
  const primary = engine.peers.get(engine.primaryId);
  if (!option && (!primary || primary.fail || !engine.replication.linkUp)) {
    return new ReplyError('ERR Master is down or failed, please use CLUSTER FAILOVER FORCE');
  }
  engine.election.order(option === 'TAKEOVER' ? 'takeover' : option === 'FORCE' ? 'force' : 'coordinated');
  return OK;
}

function clusterInfo(engine: Engine): string {
  const served = countSlots(engine.servedRanges().map((range) => engine.around.ranges[range]!));
  return [
    `cluster_state:${engine.stateOk ? 'ok' : 'fail'}`,
    `cluster_slots_ok:${served}`,
    `cluster_current_epoch:${engine.currentEpoch}`,
    '',
  ].join('\r\n');
}

function info(engine: Engine): string {
  const { replication } = engine;
  const lines =
    engine.role === 'replica'
      ? [
          'role:slave',
          `master_link_status:${replication.linkUp ? 'up' : 'down'}`,
          ...(replication.linkUp ? [] : [`master_link_down_since_seconds:${replication.downSeconds}`]),
          `master_sync_in_progress:${replication.isCopying ? 1 : 0}`,
          `slave_repl_offset:${replication.shownOffset}`,
          `repl_backlog_histlen:${replication.histlen}`,
        ]
      : ['role:master'];
  if (engine.role === 'primary') {
    replication.listed.forEach(({ engine: replica, state, ackedOffset, ackAgeSeconds }, index) => {
      const { host, port } = replica.identity;
      lines.push(
        `slave${index}:ip=${host},port=${port},state=${state},offset=${ackedOffset},lag=${ackAgeSeconds},type=replica`,
      );
    });
  }
  lines.push(`master_replid:${replication.history}`, `master_repl_offset:${replication.offset}`);
  lines.push(
    `loading:${engine.loading || replication.isLoadingCopy ? 1 : 0}`,
    'used_memory:3000000',
    'used_memory_startup:2500000',
    'mem_total_replication_buffers:0',
    'mem_clients_normal:0',
    'mem_aof_buffer:0',
    'mem_not_counted_for_evict:0',
  );
  const { storage } = replication;
  lines.push(`aof_enabled:${storage.keepsLog ? 1 : 0}`, `aof_rewrite_in_progress:${storage.isRewriting ? 1 : 0}`);
  lines.push(
    'aof_rewrite_scheduled:0',
    'aof_last_bgrewrite_status:ok',
    'aof_last_write_status:ok',
    'rdb_last_bgsave_status:ok',
  );
  lines.push(`rdb_bgsave_in_progress:${storage.isSaving ? 1 : 0}`);
  if (replication.log.length > 0) lines.push(`db0:keys=${replication.log.length},expires=0,avg_ttl=0`);
  return `${lines.join('\r\n')}\r\n`;
}
