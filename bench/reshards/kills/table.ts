/** What the kills showed, in words and tables. Pure. */
import { sumByKind } from '../../faults/verdict.ts';
import type { Table } from '../../support/report.ts';
import { ms, percentile } from '../../support/stats.ts';
import { WAYS, type Way } from '../clients.ts';
import { sumOf } from '../judge.ts';
import { listed, wordsOf } from '../table.ts';
import { MOMENTS, VICTIMS, type Victim } from './pairs.ts';
import { brokenIn, isTargetAtGrant, type Kill, momentsOf } from './verdict.ts';

/** One line for people. */
export function killWords(kill: Kill): string {
  const { pair, struck, overMs, wholeMs } = kill;
  const really = momentsOf(kill).join(' ');
  const killed =
    struck?.pid == null
      ? `not killed (${struck?.failure ?? 'the moment did not come'})`
      : `killed at ${really} ${new Date(struck.at).toISOString()}`;
  const times =
    overMs === null ? '' : `; over after ${ms(overMs)}, whole after ${wholeMs === null ? '-' : ms(wholeMs)}`;
  return `${pair.victim} at ${pair.moment}, ${killed}${times}; ${wordsOf(kill)}`;
}

/** All of it. */
export function killTables(title: string, kills: readonly Kill[]): Table[] {
  return [coverage(title, kills), byVictim(kills), errorsTable(kills)];
}

/** How often each was killed in each state; in brackets how often that was tried. */
export function coverage(title: string, kills: readonly Kill[]): Table {
  const really = Map.groupBy(
    kills.flatMap((kill) => momentsOf(kill).map((moment) => `${kill.pair.victim} ${moment}`)),
    (key) => key,
  );
  const tried = Map.groupBy(kills, ({ pair }) => `${pair.victim} ${pair.moment}`);
  const seen = new Set(kills.flatMap(momentsOf));
  const others = [...seen].filter((moment) => !(MOMENTS as readonly string[]).includes(moment)).sort();
  const cell = (victim: Victim, moment: string): string =>
    `${really.get(`${victim} ${moment}`)?.length ?? 0} (${tried.get(`${victim} ${moment}`)?.length ?? 0})`;
  return {
    title: `${title}: kills in each state as seen last, and how often that state was awaited`,
    head: ['', ...VICTIMS],
    rows: [...MOMENTS, ...others].map((moment) => [moment, ...VICTIMS.map((victim) => cell(victim, moment))]),
  };
}

function byVictim(kills: readonly Kill[]): Table {
  const rows = VICTIMS.map((victim) =>
    figuresOf(
      victim,
      kills.filter(({ pair }) => pair.victim === victim),
    ),
  );
  const atGrant = kills.filter(isTargetAtGrant);
  return {
    title: 'What became of it',
    head: [
      ...['killed', 'times', 'moment missed', 'broken', 'lost endpoint / cluster'],
      ...['longest wait endpoint p50 / max', 'cluster p50 / max', 'over after p50 / max', 'whole after p50 / max'],
    ],
    rows: [...rows, ...(atGrant.length > 0 ? [figuresOf('target at the grant', atGrant)] : [])],
  };
}

function figuresOf(name: string, all: readonly Kill[]): string[] {
  const kills = all.filter(({ struck }) => struck?.pid != null);
  const lost = (way: Way): number => sumOf(kills.map(({ found }) => found[way])).lost;
  return [
    ...[name, `${kills.length}`, `${all.length - kills.length}`],
    ...[`${all.filter((kill) => brokenIn(kill).length > 0).length}`, `${lost('endpoint')} / ${lost('cluster')}`],
    ...WAYS.map((way) => middleAndMost(kills.map(({ longestMs }) => longestMs[way]))),
    ...[middleAndMost(kills.flatMap(({ overMs }) => overMs ?? []))],
    ...[middleAndMost(kills.flatMap(({ wholeMs }) => wholeMs ?? []))],
  ];
}

const middleAndMost = (values: readonly number[]): string =>
  values.length === 0 ? '-' : `${ms(percentile(values, 50))} / ${ms(percentile(values, 100))}`;

function errorsTable(kills: readonly Kill[]): Table {
  const of = (victim: Victim, way: Way): string =>
    listed(sumByKind(kills.filter(({ pair }) => pair.victim === victim).map(({ errors }) => errors[way])));
  const again = (victim: Victim): number =>
    kills.filter(({ pair }) => pair.victim === victim).reduce((sum, { sentAgain }) => sum + sentAgain, 0);
  return {
    title: 'Errors at clients',
    head: ['killed', 'endpoint', 'cluster clients', 'sent again by ioredis'],
    rows: VICTIMS.map((victim) => [victim, ...WAYS.map((way) => of(victim, way)), `${again(victim)}`]),
  };
}
