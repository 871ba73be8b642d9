/** What an operator sees who mistakes something on a machine that is to join, and on the way to a server elsewhere. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERRORS, type ErrorCode, type ErrorDocument } from '../../src/domain/errors.ts';
import type { EventList, MachineList } from '../../src/protocol/api.ts';
import type { HostResult } from '../support/hosts.ts';
import { JoinedFleet, until } from '../support/joined-fleet.ts';

/** What was printed says all that the catalogue has of the error, and the exit code is that of its kind. */
function assertRefused({ code, stdout, stderr }: HostResult, error: ErrorCode, exit: number, says: RegExp): void {
  const document = (JSON.parse(stdout || '{}') as { error?: ErrorDocument }).error;
  assert.deepEqual([document?.code, code], [error, exit], stdout + stderr);
  assert.match(document!.message, says);
  assert.ok(error in ERRORS && document!.hint.length > 0);
}

test('a machine joins once, and says clearly why it does not', async (t) => {
  const fleet = await JoinedFleet.start(t, 4);
  assertRefused(await fleet.refusedAgent(1), 'not_joined', 3, /No machine has joined/);
  const { command, id } = await fleet.token();
  const line = [...command.split(' ').slice(2), '--name', 'alpha', '--memory', '256mb'];
  const refused = (index: number, ...more: string[]) => fleet.refusedAgent(index, ...line, ...more);
  assertRefused(await refused(1, '--address', '10.255.255.1'), 'address_not_here', 2, /no address of this machine/);
  assertRefused(await refused(1, '--memory', '900tb'), 'invalid_value', 2, /--memory: 900tb is more than/);
  assertRefused(await refused(1, '--ports', '1-2'), 'invalid_value', 2, /--ports/);
  assertRefused(await refused(1, '--name', 'Alpha!'), 'invalid_name', 2, /Alpha!/);
  assertRefused(await refused(1, '--join', 'http://10.0.0.1'), 'invalid_value', 2, /--join: must be https/);
  assertRefused(await refused(1, '--token', 'valkeeper1.x'), 'join_token_malformed', 2, /not a join token/);
  const [, secret] = /\.([\w-]{43})\.[\w-]{43}$/.exec(line[line.indexOf('--token') + 1]!)!;
  const foreign = `valkeeper1.${id}.${secret}.${'A'.repeat(43)}`;
  assertRefused(await refused(1, '--token', foreign), 'wrong_control_plane', 5, /not the control plane of the token/);
  const { machines } = await fleet.ask<MachineList>('machine', 'list');
  const { events } = await fleet.ask<EventList>('events', '--limit', '1000');
  assert.deepEqual([machines, events.filter(({ kind }) => kind === 'join_refused')], [[], []], 'nothing was sent');

  let alpha = fleet.agent(1, ...line);
  const { certificate } = await fleet.machine('alpha', ({ connected }) => connected, alpha);
  assertRefused(await refused(2), 'join_token_used', 4, /by the machine alpha/);
  await fleet.event('join_refused', /The join token was used .* by the machine alpha/);
  assertRefused(await refused(1), 'already_running', 4, /already runs|process/);
  assertRefused(await refused(1, '--name', 'beta'), 'joined_as_another', 4, /belongs to the machine alpha/);
  const other = (await fleet.token()).command.split(' ').slice(2);
  assertRefused(await fleet.refusedAgent(2, ...other, '--name', 'alpha'), 'machine_name_taken', 4, /joined as alpha/);

  // The same line again, and no line at all, change nothing.
  for (const words of [line, []]) {
    alpha.kill('SIGTERM');
    await once(alpha, 'exit');
    await fleet.machine('alpha', ({ connected }) => !connected);
    alpha = fleet.agent(1, ...words);
    const again = await fleet.machine('alpha', ({ connected }) => connected, alpha);
    assert.deepEqual(again.certificate, certificate);
  }

  // Taken out, it is told so; a new token makes it a machine again.
  const ended = once(alpha, 'exit');
  await fleet.ask('machine', 'remove', 'alpha');
  assert.deepEqual(await ended, [0, null]);
  const toldSo = /alpha was taken out of the fleet\.\nTo have it back, let it join again/;
  assert.match(alpha.output(), toldSo);
  alpha = fleet.agent(1);
  const endedAgain = once(alpha, 'exit'); // by itself, maybe as soon as it has said why
  await fleet.event('agent_turned_away', /alpha was taken out of the fleet/);
  await until('it is told again', () => toldSo.test(alpha.output()) || null);
  alpha.kill('SIGTERM');
  await endedAgain;
  await fleet.join(1, 'alpha');
});

test('a command that reaches a server elsewhere says what is missing', async (t) => {
  const fleet = await JoinedFleet.start(t, 2);
  const home = fleet.home(1);
  const [stranger, wrong] = [join(home, 'stranger.pem'), join(home, 'wrong')];
  writeFileSync(wrong, 'wrong\n');
  writeFileSync(stranger, '');
  const run = (...words: string[]) => fleet.cli('machine', 'list', '--json', ...words);
  assert.equal((await run()).code, 0);
  assertRefused(await run('--api-token-file', wrong), 'not_authorized', 5, /token/);
  assertRefused(await run('--api-token-file', join(home, 'missing')), 'file_unusable', 6, /missing/);
  assertRefused(await run('--ca', stranger), 'server_untrusted', 5, /does not prove to be the server/);
  assertRefused(await run('--server', 'http://10.0.0.1:1'), 'invalid_value', 2, /--server: must be https/);
  assertRefused(await run('--server', fleet.url.replace(/\d+$/, '1')), 'no_answer', 6, /ECONNREFUSED/);
  assertRefused(await fleet.cli('down', '--json', '--server', fleet.url), 'usage', 2, /processes of this machine/);
  const down = await fleet.cli('down', '--json');
  assert.deepEqual(JSON.parse(down.stdout), { stopped: false }, 'what the environment names is not stopped');
});
