/** An append-only log in memory, for tests of what fetches one. */
import type { DatabaseView } from '../../src/domain/view.ts';
import type { AgentOperation, AgentRequests } from '../../src/protocol/agent-messages.ts';

/** The beginning of an RDB that says of which second it is. */
const rdb = (second: number): Buffer =>
  Buffer.concat([
    Buffer.from('VALKEY080'),
    Buffer.from([0xfa, 5]),
    Buffer.from('ctime'),
    Buffer.from([String(second).length]),
    Buffer.from(String(second)),
    Buffer.alloc(3_000, 1),
  ]);

/** A node's log, as its agent would tell of it. */
export class AppendLog {
  life = 'life-1';
  /** Seconds. */
  now = 1_000_000_000;
  readonly asked: number[] = [];
  base = { seq: 1, data: rdb(this.now - 100) };
  files = new Map<number, Buffer>([[1, Buffer.alloc(0)]]);

  write(text: string): void {
    const seq = Math.max(...this.files.keys());
    this.files.set(seq, Buffer.concat([this.files.get(seq)!, Buffer.from(text)]));
  }

  /** It is written anew: what was before is only kept. */
  rewrite(): void {
    const seq = Math.max(...this.files.keys()) + 1;
    this.base = { seq, data: rdb(this.now) };
    this.files.set(seq, Buffer.alloc(0));
  }

  request = async <O extends AgentOperation>(_: string, operation: O, args: AgentRequests[O]['args']) =>
    (operation === 'list_append_log'
      ? this.#list(args as never)
      : this.#read(args as never)) as AgentRequests[O]['result'];

  #list({ from }: AgentRequests['list_append_log']['args']): AgentRequests['list_append_log']['result'] {
    this.asked.push(from);
    const base = { name: `appendonly.aof.${this.base.seq}.base.rdb`, type: 'base', seq: this.base.seq } as const;
    const files = [...this.files]
      .filter(([seq]) => seq >= Math.min(from, this.base.seq))
      .map(([seq, data]) => {
        const isPresent = seq >= this.base.seq;
        return { name: `appendonly.aof.${seq}.incr.aof`, type: 'incr', seq, bytes: data.length, isPresent } as const;
      });
    const all = [{ ...base, bytes: this.base.data.length, isPresent: true }, ...files];
    return { pid: 1, life: this.life, at: this.now * 1_000, files: all };
  }

  #read({ file, offset }: AgentRequests['read_append_log']['args']): AgentRequests['read_append_log']['result'] {
    const [, seq, type] = /\.(\d+)\.(base|incr)\./.exec(file)!;
    const data = type === 'base' ? this.base.data : this.files.get(Number(seq))!;
    return { data: data.subarray(offset, offset + 1_000).toString('base64') };
  }
}

/** All engines that answer have data of one history, as those have whose logs can be fetched. */
export const withHistory = (view: DatabaseView): DatabaseView => ({
  ...view,
  nodes: new Map(
    [...view.nodes].map(([id, node]) => [
      id,
      node.engine.state === 'answering' ? { ...node, engine: { ...node.engine, history: 'f'.repeat(40) } } : node,
    ]),
  ),
});

/** The agents of nodes with such logs, all at once. */
export function logAgents(ids: readonly string[], now: () => number) {
  const logs = new Map(ids.map((id) => [id, new AppendLog()]));
  return {
    logs: [...logs.values()],
    request: async <O extends AgentOperation>(machine: string, operation: O, args: AgentRequests[O]['args']) => {
      const own = logs.get((args as { id: string }).id)!;
      own.now = Math.floor(now() / 1_000);
      return own.request(machine, operation, args);
    },
  };
}
