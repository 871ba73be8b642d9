/** The faults there are, and what each does. */
export const FAULTS = {
  'kill-primary': 'kill -9 of the process of a primary',
  'kill-replica': 'kill -9 of the process of a replica',
  'kill-agent': 'kill -9 of an agent; started again after a while',
  'kill-endpoint': 'kill -9 of an endpoint',
  'kill-server': 'kill -9 of the control plane; started again after a while',
  'stop-primary': 'SIGSTOP of a primary, SIGCONT after a while',
  'stop-replica': 'SIGSTOP of a replica, SIGCONT after a while',
  'stop-agent': 'SIGSTOP of an agent, SIGCONT after a while',
  'stop-endpoint': 'SIGSTOP of an endpoint, SIGCONT after a while',
  'stop-server': 'SIGSTOP of the control plane, SIGCONT after a while',
  'cut-machine': 'the cable of a machine is pulled',
  'cut-outgoing': 'what a machine sends is lost, what comes in arrives',
  'cut-incoming': 'what is sent to a machine is lost, what it sends arrives',
  'cut-pair': 'two machines do not reach each other; all others reach both',
  'cut-server': 'the control plane is cut off from everything',
  'lose-packets': 'a machine loses 20 % of the packets that come in',
  'slow-network': 'a machine sends no more than 1 Mbit/s, so that what it sends is late',
  'lose-power': 'all processes of a machine are killed at once; it starts again after a while',
  'step-clock': 'the wall clock of a machine jumps by minutes, and back',
  'fill-disk': 'the disk of a machine is full',
  'damage-log': 'a replica is killed, a byte of its AOF flipped, before it starts again',
  'cut-log': 'a replica is killed, the end of its AOF cut off, before it starts again',
  'damage-snapshot': 'a replica is killed, a byte of its RDB flipped, before it starts again',
  'cut-nodes-conf': 'a replica is killed, its nodes.conf cut in half, before it starts again',
} as const;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** These are over at once: what was killed is started again by whoever looks after it. */
export const INSTANT: ReadonlySet<FaultName> = new Set(['kill-primary', 'kill-replica', 'kill-endpoint']);
