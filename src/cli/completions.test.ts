import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { completionTree } from './completion-tree.ts';
import { COMPLETIONS, SHELLS } from './completions.ts';
import { choice } from './options.ts';

const program = new Command('valkeeper').helpCommand(false).option('--data-dir <dir>', 'where everything lies');
const group = program.command('db').helpCommand(false).description('databases');
group
  .command('make')
  .argument('<name>', 'the database')
  .option('--mode <mode>', 'a mode', choice('--mode', ['slow', 'fast']))
  .option('-f, --file <file>', 'a file');
program.command('inner', { hidden: true });

test('the tree has what people see: commands, what may follow them, and values of options', () => {
  const { commands, values, places } = completionTree(program);
  assert.deepEqual(commands, ['db', 'db make']);
  assert.deepEqual(
    values.map(({ after, offer: { words, paths } }) => [after, words.join(' '), paths]),
    [
      [' --data-dir', '', 'directories'],
      ['db make --mode', 'slow fast', 'none'],
      ['db make --file', '', 'files'],
      ['db make -f', '', 'files'],
    ],
  );
  const make = places.find(({ command }) => command === 'db make')!.offer;
  assert.deepEqual(make.words, ['--mode', '--file', '--data-dir', '--help']);
  assert.ok(make.databases);
});

for (const shell of SHELLS) {
  test(`the script for ${shell} has every place and value of the tree`, () => {
    const tree = completionTree(program);
    const script = COMPLETIONS[shell](tree);
    for (const { after, offer } of tree.values) {
      assert.ok(script.includes(`${after}'`), after);
      assert.ok(script.includes(offer.words.join(' ')), after);
    }
    for (const { command, offer } of tree.places) {
      assert.ok(script.includes(`'${command}'`), command);
      assert.ok(script.includes(offer.words.join(' ')), command);
    }
    assert.doesNotMatch(script, /undefined|inner/);
  });
}
