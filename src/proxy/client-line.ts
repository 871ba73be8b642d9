/** A client as CLIENT LIST and CLIENT INFO describe it: the engine's fields in the engine's order. */
import type { Home, Peer } from './home.ts';

/** What a client and its connection take beside what waits in them. */
const CLIENT_BYTES = 2_048;

/** The engine's letters for what a client is doing; `N` for nothing special. */
export function flagsOf({ session, blockedOn }: Peer, home: Home): string {
  const { subscriptions, transaction, tracking, watch } = session;
  const letters = [
    session.isMonitor ? 'O' : '',
    subscriptions !== null && subscriptions.count > 0 ? 'P' : '',
    transaction ? 'x' : '',
    blockedOn ? 'b' : '',
    tracking ? 't' : '',
    tracking?.isBroken ? 'R' : '',
    tracking?.mode === 'bcast' ? 'B' : '',
    watch?.isLost ? 'd' : '',
    session.readsReplicas && !home.readsReplicasByDefault ? 'r' : '',
    session.noEvict ? 'e' : '',
    session.noTouch ? 'T' : '',
    session.importSource ? 'I' : '',
  ].join('');
  return letters === '' ? 'N' : letters;
}

/** `r`: can be sent to another server. */
export const capabilitiesOf = ({ session }: Peer): string =>
  session.capabilities.some((name) => name.toLowerCase() === 'redirect') ? 'r' : '';

export const ageSeconds = ({ session }: Peer, home: Home): number => secondsSince(home, session.connectedAt);
export const idleSeconds = ({ session }: Peer, home: Home): number => secondsSince(home, session.lastCommandAt);

const secondsSince = (home: Home, time: number): number => Math.floor((home.now - time) / 1000);

/** The line, without its end. */
export function clientLine(peer: Peer, home: Home): string {
  const { session, traffic, unread } = peer;
  const { subscriptions, transaction } = session;
  const fields: [string, string | number][] = [
    ['id', session.id],
    ['addr', session.address],
    ['laddr', session.localAddress],
    ['fd', -1],
    ['name', session.name],
    ['age', ageSeconds(peer, home)],
    ['idle', idleSeconds(peer, home)],
    ['flags', flagsOf(peer, home)],
    ['capa', capabilitiesOf(peer)],
    ['db', session.db],
    ['sub', subscriptions?.channels ?? 0],
    ['psub', subscriptions?.patterns ?? 0],
    ['ssub', subscriptions?.shardChannels ?? 0],
    ['multi', transaction ? transaction.frames.length + transaction.others.length : -1],
    ['watch', session.watch?.keys.size ?? 0],
    ['qbuf', traffic.carried],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', transaction?.bytes ?? 0],
    ['rbs', 0],
    ['rbp', 0],
    ['obl', 0],
    ['oll', 0],
    ['omem', unread],
    ['tot-mem', CLIENT_BYTES + unread + traffic.carried + (transaction?.bytes ?? 0)],
    ['events', 'r'],
    ['cmd', session.lastCommand === '' ? 'NULL' : session.lastCommand],
    ['user', session.user],
    ['redir', session.tracking?.redirect ?? -1],
    ['resp', session.resp],
    ['lib-name', session.libName],
    ['lib-ver', session.libVersion],
    ['tot-net-in', traffic.bytesIn],
    ['tot-net-out', traffic.bytesOut],
    ['tot-cmds', session.commands - (peer.blockedOn ? 1 : 0)],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}
