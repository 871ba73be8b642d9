/** Memory: may nodes fork, are they swapped, does a control group give them less than the host has. */
import { formatSize } from '../../domain/size.ts';
import { type Check, ok, sysctl, unknown } from '../check.ts';

/** The kernel swaps processes out early above this; 60 is its default. */
const MOST_SWAPPINESS = 10;
/** So much less than the host's memory is no limit: the kernel keeps some for itself. */
const NEARLY_ALL = 0.95;

const overcommit: Check = {
  name: 'overcommit',
  about: 'vm.overcommit_memory',
  why: 'A node forks to write a snapshot, to rewrite its log and to copy itself to a new replica. The child shares its memory, but the kernel counts it twice and refuses the fork of a large node: no snapshot, no new replica.',
  judged: 'Warning unless it is 1; problem when it is 2, where the kernel refuses forks by plain arithmetic.',
  look: ({ overcommit: value }) => {
    if (value === null) return unknown('vm.overcommit_memory cannot be read here');
    if (value === 1) return ok('vm.overcommit_memory is 1');
    const level = value === 2 ? 'problem' : 'warning';
    return { level, says: `vm.overcommit_memory is ${value}, not 1`, ...sysctl('vm.overcommit_memory', '1') };
  },
};

const hugePages: Check = {
  name: 'huge-pages',
  about: 'transparent huge pages',
  why: 'While a snapshot is written, each page that is changed is copied: with huge pages 2 MB for a change of a few bytes. Memory and latency jump. Nodes ask the kernel to be left out, which not every kernel grants.',
  judged: 'Warning when they are given to all processes (`always`).',
  look: ({ hugePages: chosen }) => {
    if (chosen === null) return unknown('/sys/kernel/mm/transparent_hugepage/enabled cannot be read here');
    if (chosen !== 'always') return ok(`transparent huge pages: ${chosen}`);
    const file = '/sys/kernel/mm/transparent_hugepage/enabled';
    return {
      level: 'warning',
      says: 'transparent huge pages are given to all processes',
      now: `echo madvise > ${file}`,
      lasting: `echo 'w ${file} - - - - madvise' > /etc/tmpfiles.d/valkeeper-huge-pages.conf`,
    };
  },
};

const swap: Check = {
  name: 'swap',
  about: 'swap and vm.swappiness',
  why: 'A node whose memory was swapped out answers in milliseconds instead of microseconds, or so late that it counts as dead.',
  judged: `Warning when there is swap and vm.swappiness is above ${MOST_SWAPPINESS}.`,
  look: ({ swapBytes, swapUsedBytes, swappiness }) => {
    if (swapBytes === 0) return ok('there is no swap');
    const use = `${formatSize(swapBytes)} of swap, ${formatSize(swapUsedBytes)} in use`;
    if (swappiness === null) return unknown(`${use}; vm.swappiness cannot be read here`);
    if (swappiness <= MOST_SWAPPINESS) return ok(`${use}; vm.swappiness is ${swappiness}`);
    return { level: 'warning', says: `${use}; vm.swappiness is ${swappiness}`, ...sysctl('vm.swappiness', '1') };
  },
};

const memoryLimit: Check = {
  name: 'memory-limit',
  about: 'memory limit of the control group',
  why: 'Processes started here get no more than this, whatever the host has; beyond it the kernel ends one of them, as a rule the largest node.',
  judged: 'Warning when a control group allows less than the memory of the host.',
  look: ({ memoryLimit: limit, memoryBytes }) => {
    if (limit === null || limit.bytes >= memoryBytes * NEARLY_ALL) {
      return ok(`${formatSize(memoryBytes)} of memory, no control group limits it`);
    }
    const unit = /([^/]+\.(?:service|slice|scope))$/.exec(limit.group)?.[1];
    return {
      level: 'warning',
      says: `the control group ${limit.group} allows ${formatSize(limit.bytes)} of ${formatSize(memoryBytes)}`,
      // Without a unit it is a container, whose limit is set where it was started.
      ...(unit ? { now: `systemctl set-property ${unit} MemoryMax=infinity` } : {}),
    };
  },
};

/** In the order they are told. */
export const MEMORY_CHECKS: readonly Check[] = [overcommit, hugePages, swap, memoryLimit];
