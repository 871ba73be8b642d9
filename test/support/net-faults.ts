/**
 * What goes wrong in a network, done to a host of its own: cables that are pulled, one way or both, packets that are
 * lost (nftables), bandwidth that is little (tbf). It holds until it is mended. Loopback within the host is spared.
 */
import { debianProgram } from './debian.ts';
import type { Host } from './hosts.ts';

/** The host's end of its cable; see `makeHosts`. */
const DEVICE = 'eth0';
const TABLE = 'faults';

export interface Cut {
  /** What comes in is lost. */
  incoming?: boolean;
  /** What goes out is lost. */
  outgoing?: boolean;
  /** Only between these hosts; without it, between this host and all others. */
  with?: readonly Host[];
  /** So many percent of the packets; all without it. */
  percent?: number;
}

/** The programs that faults are made with, installed where they are missing and that may be done. */
export async function ensureFaultTools(): Promise<void> {
  await debianProgram('nft', 'nftables');
  await debianProgram('tc', 'iproute2');
}

/** Cuts the host off, in place of whatever was cut before. Without directions: both. */
export async function cut(host: Host, { incoming, outgoing, with: others, percent = 100 }: Cut = {}): Promise<void> {
  const both = incoming === undefined && outgoing === undefined;
  const chance = percent >= 100 ? '' : `numgen random mod 100 < ${percent} `;
  const addresses = others?.map(({ address }) => address).join(', ');
  const rule = (device: string, address: string): string =>
    `${device} "${DEVICE}" ${addresses === undefined ? '' : `ip ${address} { ${addresses} } `}${chance}drop`;
  const chain = (name: string, hook: string, rules: string): string =>
    `add chain inet ${TABLE} ${name} { type filter hook ${hook} priority 0; }\n${rules}`;
  await mend(host);
  await done(host, ['nft', `add table inet ${TABLE}`]);
  if (incoming || both) {
    await done(host, [
      'nft',
      chain('incoming', 'input', `add rule inet ${TABLE} incoming ${rule('iifname', 'saddr')}`),
    ]);
  }
  if (outgoing || both) {
    await done(host, [
      'nft',
      chain('outgoing', 'output', `add rule inet ${TABLE} outgoing ${rule('oifname', 'daddr')}`),
    ]);
  }
}

/** What the host sends goes no faster than so many megabits a second. */
export async function limitBandwidth(host: Host, megabits: number): Promise<void> {
  const tbf = ['tbf', 'rate', `${megabits}mbit`, 'burst', '32kbit', 'latency', '400ms'];
  await done(host, ['tc', 'qdisc', 'replace', 'dev', DEVICE, 'root', ...tbf]);
}

/** Everything passes again, as fast as it can. */
export async function mend(host: Host): Promise<void> {
  await host.run(['nft', `delete table inet ${TABLE}`]); // there may be none
  await host.run(['tc', 'qdisc', 'del', 'dev', DEVICE, 'root']);
}

async function done(host: Host, words: readonly string[]): Promise<void> {
  const { code, stderr } = await host.run(words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
}
