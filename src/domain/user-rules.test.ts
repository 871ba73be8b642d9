import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPEC_LIMITS } from './spec.ts';
import { userMistake, usersMistake } from './user-rules.ts';

const RIGHT = [
  '~app:* +@read',
  '%R~read:* %W~write:* %RW~both:* &news:* +@all -@dangerous -flushall',
  'allkeys allchannels allcommands -debug +config|get',
  'resetkeys resetchannels nocommands db=0,3 +get',
  '',
];

const WRONG: [rules: string, mistake: RegExp][] = [
  ['+@reads', /no category of commands reads/],
  ['>secret', /passwords are made by Valkeeper/],
  ['#0123', /passwords are made by Valkeeper/],
  ['nopass', /passwords are made by Valkeeper/],
  ['on', /may enter/],
  ['off +get', /may enter/],
  ['reset', /may enter/],
  ['(+get ~x)', /is not a rule/],
  ['clearselectors', /is not a rule/],
  ['app:*', /is not a rule/],
  ['~a\u0007', /is not a rule/],
  [`~${'x'.repeat(5_000)}`, /longer than 4096/],
];

test('rules are words about keys, channels, commands and databases', () => {
  for (const rules of RIGHT) assert.equal(userMistake({ name: 'app', rules }), null, rules);
  for (const [rules, mistake] of WRONG) assert.match(userMistake({ name: 'app', rules }) ?? '', mistake, rules);
});

test('a name is safe in an ACL file and in a URL, and not one of ours', () => {
  for (const name of ['a', 'App_1', 'my.service-2']) assert.equal(userMistake({ name, rules: '' }), null, name);
  for (const name of ['', ' a', 'a b', 'a:b', 'a@b', '-a', 'ä', 'x'.repeat(65)]) {
    assert.match(userMistake({ name, rules: '' }) ?? '', /is not a user's name/, name);
  }
  for (const name of ['default', 'Default', 'valkeeper', 'valkeeper2']) {
    assert.match(userMistake({ name, rules: '' }) ?? '', /own/, name);
  }
});

test('users are listed once each, and not too many', () => {
  const user = (name: string) => ({ name, rules: '+get' });
  assert.equal(usersMistake([user('a'), user('b')]), null);
  assert.match(usersMistake([user('a'), user('b'), user('a')]) ?? '', /a is listed twice/);
  const many = Array.from({ length: SPEC_LIMITS.users.max + 1 }, (_, index) => user(`u${index}`));
  assert.match(usersMistake(many) ?? '', /more than 100 users/);
});
