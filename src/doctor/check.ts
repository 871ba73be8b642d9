/** What a check is, and the words that several of them share. */
import type { Finding, FindingLevel } from '../domain/finding.ts';
import type { HostFacts } from './facts.ts';

/** What a check makes of the facts. */
export interface Verdict {
  level: FindingLevel;
  says: string;
  /** What mends it, of a warning or a problem. */
  now?: string;
  lasting?: string;
}

export interface Check {
  /** Stable: scripts may match on it. */
  name: string;
  /** What is looked at, as a heading. */
  about: string;
  /** Why it matters. */
  why: string;
  /** When it is a warning, and when a problem; for docs/doctor.md. */
  judged: string;
  /** Pure. */
  look(facts: HostFacts): Verdict;
}

/** The finding of one check. */
export function findingOf({ name, why, look }: Check, facts: HostFacts): Finding {
  const { level, says, now = null, lasting = null } = look(facts);
  return { check: name, level, says, why: level === 'ok' || level === 'unknown' ? null : why, now, lasting };
}

/** All is well. */
export const ok = (says: string): Verdict => ({ level: 'ok', says });

/** It could not be looked at. */
export const unknown = (says: string): Verdict => ({ level: 'unknown', says });

/** The commands that set a value of the kernel, now and for good. A file for each: to set it again changes nothing. */
export const sysctl = (name: string, value: string): { now: string; lasting: string } => ({
  now: `sysctl -w ${name}=${quoted(value)}`,
  lasting: `echo ${quoted(`${name} = ${value}`)} > /etc/sysctl.d/60-valkeeper-${name}.conf`,
});

/** For a POSIX shell. */
const quoted = (text: string): string => (/^[\w.,-]+$/.test(text) ? text : `'${text}'`);
