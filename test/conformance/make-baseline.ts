/** Makes the baseline: every unit of the suite on one node, twice; what passes both times under one name is the baseline. */
import type { Address, Suite, UnitRun } from './run-unit.ts';

/** Only tests under these are of one server's commands; `integration` is about processes, files and replicas. */
const FOLDER = /^unit\/(type\/)?[^/]+$/;

/** The names of the tests by unit. @throws Error when one fails: then it is not a node as it should be, or not a quiet machine */
export async function makeBaseline(
  suite: Suite,
  address: Address,
  signal: AbortSignal,
  onUnit: (unit: string, names: readonly string[]) => void,
): Promise<Map<string, string[]>> {
  const units = new Map<string, string[]>();
  for (const unit of (await suite.units()).filter((name) => FOLDER.test(name)).sort()) {
    const [first, second] = [await suite.run(unit, address, signal), await suite.run(unit, address, signal)];
    const names = inBoth(passedIn(unit, first), passedIn(unit, second));
    if (names.length === 0) continue;
    units.set(unit, names);
    onUnit(unit, names);
  }
  return units;
}

function passedIn(unit: string, { outcomes, stopped }: UnitRun): string[] {
  const bad = outcomes.find(({ status }) => status === 'failed' || status === 'outside');
  if (stopped !== null || bad !== undefined) {
    throw new Error(`${unit} does not pass: ${stopped ?? `${bad!.name}: ${bad!.detail}`}`);
  }
  return outcomes.filter(({ status }) => status === 'ok').map(({ name }) => name);
}

/** A name with a number drawn at random in it is there once only, and stands for nothing that could be compared. */
function inBoth(first: readonly string[], second: readonly string[]): string[] {
  const left = [...second];
  return first.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}
