import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Command } from 'commander';
import { type SpecField, specFields } from '../protocol/spec-fields.ts';
import { addSpecOptions, type SpecOptions, specOf } from './spec-options.ts';

function wordsFor(field: SpecField): string[] {
  switch (field.kind) {
    case 'integer':
      return [`--${field.key}`, `${field.min + 1}`];
    case 'size':
      return [`--${field.key}`, '1gb'];
    case 'choice':
      return [`--${field.key}`, field.choices.at(-1)!];
    case 'switch':
      return [`--no-${field.key}`];
    case 'users':
      return ['--user', 'app=~* +@all'];
  }
}

it('hears every option of a spec', () => {
  const command = addSpecOptions(new Command());
  command.parse(
    specFields().flatMap(([, field]) => wordsFor(field)),
    { from: 'user' },
  );
  const said = specOf(command.opts<SpecOptions>());
  assert.deepEqual(
    Object.keys(said).toSorted(),
    specFields()
      .map(([name]) => name)
      .toSorted(),
  );
});
