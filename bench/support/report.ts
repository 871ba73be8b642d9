/** What a benchmark prints: Markdown tables for docs/benchmarks.md, or with `--json` one document of all figures. */
import { parseArgs } from 'node:util';
import type { Machine } from './machine.ts';

export interface Table {
  title: string;
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

export interface Report {
  machine: Machine;
  tables: readonly Table[];
  /** Every single measurement, for whoever wants other statistics. */
  measurements: unknown;
}

/** One phase or repetition, on standard error: standard output holds the report alone. */
export const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** The table in Markdown, under its title. */
function markdown({ title, head, rows }: Table): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [`**${title}**`, '', ...lines].join('\n');
}

const asksForJson = (): boolean => parseArgs({ options: { json: { type: 'boolean', default: false } } }).values.json;

/** Prints the report as the command line asks for it; a program with more options than `--json` reads them itself. */
export function printReport({ machine, tables, measurements }: Report, json = asksForJson()): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, tables, measurements }, null, 2)}\n`);
    return;
  }
  process.stdout.write(reportText({ machine, tables, measurements }));
}

/** The report in Markdown, without the single measurements. */
export function reportText({ machine, tables }: Report): string {
  const { cores, processor, memoryGb, system, kernel, node, engine, load } = machine;
  const about = `${cores} cores (${processor}), ${memoryGb} GB, ${system}, Linux ${kernel}, Node ${node}, Valkey ${engine}`;
  return `${about}; load average ${load} before.\n\n${tables.map(markdown).join('\n\n')}\n`;
}
