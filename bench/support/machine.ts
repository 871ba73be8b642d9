/** The machine that figures were measured on. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  cores: number;
  processor: string;
  memoryGb: number;
  system: string;
  kernel: string;
  node: string;
  engine: string;
  /** Of the last minute, before anything was started: what else the machine was doing. */
  load: string;
}

export function describeMachine(engineVersion: string): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    system: systemName(),
    kernel: release(),
    node: process.versions.node,
    engine: engineVersion,
    load: loadavg()[0]!.toFixed(1),
  };
}

function systemName(): string {
  const text = readFileSync('/etc/os-release', 'utf8');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? process.platform;
}

/** The commit of the sources that are measured, and whether they have been changed since. */
export function sourceCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', import.meta.dirname, ...args], { encoding: 'utf8' }).trim();
  return `${git('rev-parse', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' and changes'}`;
}
