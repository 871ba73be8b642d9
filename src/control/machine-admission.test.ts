import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MachineRecord } from '../domain/machine.ts';
import type { AgentCaller } from './agent-caller.ts';
import { admissionError } from './machine-admission.ts';

const NOW = 0;
const LOCAL: AgentCaller = { kind: 'local' };
const by = (name: string, keyId: string): AgentCaller => ({ kind: 'machine', name, keyId });

const record = (name: string, change: Partial<MachineRecord> = {}): MachineRecord => ({
  ...{
    name,
    address: `10.0.0.${name.length}`,
    zone: 'z',
    tls: false,
    memoryBytes: 1,
    state: 'active',
    labels: {},
    joinedAt: '',
  },
  ...change,
});
const joined = (name: string, keyIds: string[], change: Partial<MachineRecord> = {}): MachineRecord =>
  record(name, { certificate: { keyIds, serial: '0', notAfter: 1 }, ...change });

const RECORDS = [record('local'), joined('alpha', ['a2', 'a1']), joined('gone', ['g'], { state: 'removed' })];

const codeOf = (machine: string, caller: AgentCaller, address = '10.0.1.1'): string | null =>
  admissionError({ machine, address }, caller, RECORDS, NOW)?.code ?? null;

describe('an agent is let in', () => {
  it('on a local machine, known or new, by the token', () => {
    assert.equal(codeOf('local', LOCAL), null);
    assert.equal(codeOf('new', LOCAL), null);
  });

  it('on a machine that has joined, by its last key, or the one before', () => {
    assert.equal(codeOf('alpha', by('alpha', 'a2')), null);
    assert.equal(codeOf('alpha', by('alpha', 'a1')), null);
  });

  it('with the address of a machine that was taken out, and with its own', () => {
    assert.equal(codeOf('alpha', by('alpha', 'a1'), '10.0.0.4'), null);
    assert.equal(codeOf('alpha', by('alpha', 'a1'), '10.0.0.5'), 'address_taken');
  });
});

describe('an agent is turned away', () => {
  it('with a key that is not its machine’s, or in the name of another', () => {
    assert.equal(codeOf('alpha', by('alpha', 'old')), 'machine_not_joined');
    assert.equal(codeOf('new', by('new', 'n')), 'machine_not_joined');
    assert.equal(codeOf('local', by('local', 'l')), 'machine_not_joined');
    assert.equal(codeOf('local', by('alpha', 'a1')), 'peer_another_name');
  });

  it('by the token for a machine that has joined, and in any way for one that was taken out', () => {
    assert.equal(codeOf('alpha', LOCAL), 'machine_name_taken');
    assert.equal(codeOf('gone', LOCAL), 'machine_removed');
    assert.equal(codeOf('gone', by('gone', 'g')), 'machine_removed');
  });
});
