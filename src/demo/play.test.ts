import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Look, play } from './play.ts';
import type { Act, Scene } from './scene.ts';

const look: Look = { width: 40, strong: (text) => text, mark: (held) => (held ? 'yes' : 'NO') };

const act = (id: string, held: boolean): Act => ({
  id,
  title: `Title of ${id}`,
  sentence: `A sentence of the notes that is longer than one line has room for, of ${id}.`,
  play: async ({ say }) => {
    say('It says something.');
    return {
      claims: [
        { text: 'always', held: true },
        { text: 'now and then', held },
      ],
      figures: { answer: 42 },
      summary: [['Answer', '42']],
    };
  },
});

async function played(acts: readonly Act[]) {
  const said: string[] = [];
  const scene = { say: (text: string) => void said.push(text), phase: () => {} } as unknown as Scene;
  const document = await play(acts, scene, look);
  return { document, text: said.join('\n') };
}

it('quotes, plays, and sums up', async () => {
  const { document, text } = await played([act('one', true), act('two', true)]);
  assert.equal(document.held, true);
  assert.deepEqual(
    document.acts.map(({ id, held, figures }) => [id, held, figures]),
    [
      ['one', true, { answer: 42 }],
      ['two', true, { answer: 42 }],
    ],
  );
  assert.match(text, /Act 1\. Title of one\n {2}\| "A sentence of the notes that is/);
  assert.match(text, /\n {2}It says something\.\n\n {2}yes always\n/);
  assert.match(text, /What was measured\nAct 1 {2}Answer {2}42\nAct 2 {2}Answer {2}42$/);
  assert.ok(text.split('\n').every((line) => line.length <= look.width));
});

it('holds only when every claim of every act does', async () => {
  const { document, text } = await played([act('one', false), act('two', true)]);
  assert.equal(document.held, false);
  assert.deepEqual(
    document.acts.map(({ held }) => held),
    [false, true],
  );
  assert.match(text, /\n {2}NO now and then\n/);
});
