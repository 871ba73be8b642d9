import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PAGES } from './pages.ts';

for (const { name, path, render } of PAGES) {
  test(`${name} is what its catalogue says (else: npm run docs)`, () => {
    assert.equal(readFileSync(path, 'utf8'), render());
  });
}
