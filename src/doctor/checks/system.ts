/** The host as such: its clock, its limits, the kernel, and the programs that Valkeeper runs on. */

import { clockOffsetMs } from '../../trust/clock-offset.ts';
import { BACKDATED_MS } from '../../trust/limits.ts';
import { type Check, ok, sysctl, unknown } from '../check.ts';

/** Time that is told in whole seconds cannot be told apart more finely. */
const CLOCK_WARNING_MS = 2_000;
/** A node admits 10,000 clients and opens a few files of its own; an endpoint 20,000 clients of each database. */
const NODE_FILES = 10_032;
const ENDPOINT_FILES = 65_536;
/** Since then, SO_REUSEPORT; since 5.14, tcp_migrate_req. */
const OLDEST_KERNEL = [4, 18] as const;
const OLDEST_NODE = 24;

const clock: Check = {
  name: 'clock',
  about: 'the clock, against the control plane',
  why: 'Certificates and join tokens have their times. And a key that is to expire does so by the clock of the node that has it: after a failover earlier or later than it should.',
  judged: `Warning when they are more than ${CLOCK_WARNING_MS / 1000} s apart; problem above ${BACKDATED_MS / 60_000} min, or when a control plane named with --server does not answer.`,
  look: ({ clock: facts }) => {
    if (facts === null) return unknown('no control plane is known here; name one with --server URL');
    if ('problem' in facts) {
      return {
        level: 'problem',
        says: `${facts.server} does not answer: ${facts.problem}`,
        now: `curl -sv ${facts.server}`,
      };
    }
    const offsetMs = clockOffsetMs(facts.reading);
    const apart = Math.abs(offsetMs);
    if (apart <= CLOCK_WARNING_MS) return ok(`agrees with ${facts.server}`);
    const says = `${(apart / 1000).toFixed(1)} s ${offsetMs > 0 ? 'behind' : 'ahead of'} ${facts.server}`;
    return {
      level: apart > BACKDATED_MS ? 'problem' : 'warning',
      says,
      now: 'timedatectl set-ntp true',
      lasting: 'apt-get install -y chrony',
    };
  },
};

const openFiles: Check = {
  name: 'open-files',
  about: 'how many files a process may have open',
  why: `Each connection is one. A node needs ${NODE_FILES} for the clients it admits and admits fewer otherwise; an endpoint with several databases needs more. Units written by \`valkeeper service install\` set their own limit.`,
  judged: `Warning below ${ENDPOINT_FILES}; problem below ${NODE_FILES}, or when the host as a whole may have fewer.`,
  look: ({ openFilesLimit, openFilesOfHost }) => {
    if (openFilesLimit === null) return unknown('/proc/self/limits cannot be read here');
    if (openFilesOfHost !== null && openFilesOfHost < ENDPOINT_FILES) {
      return {
        level: 'problem',
        says: `all processes together may open ${openFilesOfHost}`,
        ...sysctl('fs.file-max', '1048576'),
      };
    }
    const says = `a process may open ${openFilesLimit}`;
    if (openFilesLimit >= ENDPOINT_FILES) return ok(says);
    return {
      level: openFilesLimit < NODE_FILES ? 'problem' : 'warning',
      says: `${says}, needed are ${ENDPOINT_FILES}`,
      now: `ulimit -n ${ENDPOINT_FILES}`,
      lasting: `echo '* - nofile ${ENDPOINT_FILES}' > /etc/security/limits.d/60-valkeeper.conf`,
    };
  },
};

const engine: Check = {
  name: 'engine',
  about: 'the engine and its version',
  why: 'Without it no node can run here.',
  judged: 'Problem when none is found, or the one that is named cannot be used.',
  look: ({ engine: found }) =>
    'problem' in found
      ? { level: 'problem', says: found.problem, now: 'valkeeper up && valkeeper down' }
      : ok(`Valkey ${found.version} (${found.path})`),
};

const engineTls: Check = {
  name: 'engine-tls',
  about: 'the engine knows TLS',
  why: 'Between hosts, nodes speak TLS to each other and to clients. An engine that was built without it cannot.',
  judged: 'Warning when it was built without.',
  look: ({ engine: found }) => {
    if ('problem' in found) return unknown('there is no engine');
    if (found.tls === null) return unknown(`${found.path} did not say`);
    if (found.tls) return ok('it does');
    return {
      level: 'warning',
      says: `${found.path} was built without TLS`,
      now: 'export VALKEEPER_ENGINE=/path/to/valkey-server',
    };
  },
};

const nodeVersion: Check = {
  name: 'node',
  about: 'the version of Node',
  why: 'Valkeeper runs on it, unbuilt in a checkout, and keeps its store with it.',
  judged: `Problem below ${OLDEST_NODE}.`,
  look: ({ nodeVersion: version }) =>
    Number.parseInt(version, 10) >= OLDEST_NODE
      ? ok(version)
      : { level: 'problem', says: `${version}; needed is ${OLDEST_NODE} or later`, now: 'npm install -g n && n lts' },
};

const kernel: Check = {
  name: 'kernel',
  about: 'the kernel',
  why: 'Endpoints share ports among processes and hand them over to their successors; agents tell a process by its start time. Older kernels lack part of it.',
  judged: `Warning before ${OLDEST_KERNEL.join('.')}.`,
  look: ({ kernel: release }) => {
    const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
    const old = major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]);
    if (!old) return ok(`Linux ${release}`);
    const says = `Linux ${release}; tested are ${OLDEST_KERNEL.join('.')} and later`;
    return { level: 'warning', says, now: 'apt-get update && apt-get full-upgrade -y && reboot' };
  },
};

/** In the order they are told. */
export const SYSTEM_CHECKS: readonly Check[] = [clock, openFiles, engine, engineTls, nodeVersion, kernel];
