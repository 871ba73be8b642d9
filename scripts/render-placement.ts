/** The page of placement: its text is written by hand, its examples are what `db explain` says of fleets made here. */
import { readFileSync } from 'node:fs';
import { describePlacement } from '../src/cli/describe-placement.ts';
import type { DatabaseSpec } from '../src/domain/spec.ts';
import type { MachineView } from '../src/domain/view.ts';
import { explainPlacement } from '../src/plan/placement/explain.ts';
import { reservedBytesPerNode } from '../src/plan/placement/reserve.ts';
import { databaseOn, emptyView, fleet } from '../test/support/worlds.ts';

const PAGE = new URL('../docs/placement.md', import.meta.url);
const MIB = 1024 ** 2;

/** A machine by its zone and its memory for nodes in MiB. */
type Machine = [zone: string, memoryMib: number];

/**
 * What is said of a database that was placed on some machines, in paragraphs.
 * @param joined machines that came afterwards
 */
function explained(
  name: string,
  wish: Partial<DatabaseSpec>,
  machines: readonly Machine[],
  joined: readonly Machine[] = [],
) {
  const all = fleet(machines.length + joined.length).map((machine, index): MachineView => {
    const [zone, memoryMib] = [...machines, ...joined][index]!;
    return { ...machine, zone, memoryBytes: memoryMib * MIB };
  });
  const database = { ...databaseOn(all.slice(0, machines.length), wish), name };
  const seen = all.map((machine) => {
    const nodes = database.nodes.filter((node) => node.machine === machine.name).length;
    return { ...machine, reservedBytes: nodes * reservedBytesPerNode(database.spec) };
  });
  return describePlacement(explainPlacement(database, emptyView(database, seen))).split('\n\n');
}

const local: Machine[] = [
  ['local', 1_360],
  ['local', 1_360],
  ['local', 1_360],
];

const EXAMPLES: Record<string, () => string> = {
  // Rules and the first two nodes.
  local: () => `${explained('main', {}, local).slice(0, 4).join('\n\n')}\n...`,
  zones: () =>
    explained('orders', { shards: 4 }, [
      ['a', 1_000],
      ['a', 1_000],
      ['b', 200],
    ])[1]!,
  joined: () =>
    explained(
      'orders',
      { shards: 4 },
      [
        ['a', 1_000],
        ['a', 1_000],
      ],
      [['b', 1_000]],
    )[1]!,
};

/** Text of docs/placement.md: as it is, with its examples made anew. */
export function renderPlacement(): string {
  return Object.entries(EXAMPLES).reduce(
    (text, [name, make]) => {
      const place = new RegExp(`(<!-- explain: ${name} -->\n\`\`\`text\n)[\\s\\S]*?(\`\`\`)`);
      if (!place.test(text)) throw new Error(`docs/placement.md has no place for the example ${name}`);
      return text.replace(place, (_, before: string, after: string) => `${before}${make()}\n${after}`);
    },
    readFileSync(PAGE, 'utf8'),
  );
}
