/**
 * The one promise of leases: while a majority agrees to a claim, the machine it is about has stopped. Tried with random
 * delays, losses, cuts, restarts and clocks that run at different rates.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { majorityOf } from '../domain/roster.ts';
import { Lease } from './lease.ts';
import { CLAIM_MS, RENEW_MS, STOP_MS } from './times.ts';
import { Votes } from './vote.ts';

/** Mulberry32: numbers from 0 to 1. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Host {
  name: string;
  rate: number;
  lease: Lease;
  votes: Votes;
  /** True time since which the lease has been seen to have run out; null while it is valid. */
  stoppingSince: number | null;
  cutUntil: number;
}

interface Message {
  at: number;
  deliver: () => void;
}

/** @returns how many claims a majority agreed to */
function trial(seed: number, hosts: number, silence: (host: Host, now: number) => boolean): number {
  const chance = random(seed);
  const names = Array.from({ length: hosts }, (_, index) => `m${index}`);
  const voters = names.map((machine) => ({ machine, address: '', port: 1, leased: true }));
  const all = names.map((name): Host => {
    const lease = new Lease(name);
    lease.setVoters({ version: 1, voters });
    return { name, rate: 0.96 + chance() * 0.08, lease, votes: new Votes(0), stoppingSince: 0, cutUntil: 0 };
  });
  const clock = (host: Host, now: number): number => now * host.rate;
  let messages: Message[] = [];
  let agreedTo = 0;
  const send = (from: Host, to: Host, now: number, deliver: (at: number) => void): void => {
    if (now < from.cutUntil || now < to.cutUntil || chance() < 0.05) return;
    const at = now + chance() ** 4 * 900;
    messages.push({
      at,
      deliver: () => {
        if (at >= from.cutUntil && at >= to.cutUntil) deliver(at);
      },
    });
  };
  for (let now = 0; now < 60_000; now += 20) {
    const due = messages.filter(({ at }) => at <= now);
    messages = messages.filter(({ at }) => at > now);
    for (const { deliver } of due.sort((a, b) => a.at - b.at)) deliver();
    if (chance() < 0.004) all[Math.floor(chance() * hosts)]!.cutUntil = now + chance() * 8_000;
    if (chance() < 0.002) {
      const host = all[Math.floor(chance() * hosts)]!; // its agent is started again and remembers nothing
      host.votes = new Votes(clock(host, now));
    }
    for (const host of all) {
      if (host.lease.state(clock(host, now)) === 'valid') host.stoppingSince = null;
      else host.stoppingSince ??= now;
      if (now % RENEW_MS > 19) continue;
      const askedAt = clock(host, now);
      for (const voter of all.filter((one) => one !== host)) {
        send(host, voter, now, (at) => {
          if ('denied' in voter.votes.grant(host.name, clock(voter, at))) return;
          send(voter, host, at, () => host.lease.granted(voter.name, askedAt));
        });
      }
    }
    const by = all[Math.floor(chance() * hosts)]!;
    const of = all[Math.floor(chance() * hosts)]!;
    if (by === of || now % 100 !== 0) continue;
    const agreed = all.filter(
      (voter) =>
        voter !== of &&
        now >= Math.max(voter.cutUntil, by.cutUntil) &&
        voter.votes.claim({ by: by.name, machine: of.name, database: 'd' }, false, clock(voter, now)).agreed,
    );
    if (agreed.length < majorityOf(hosts)) continue;
    agreedTo += 1;
    // From now on for the time of the claim, on the slowest clock.
    for (const voter of agreed) assert.ok('denied' in voter.votes.grant(of.name, clock(voter, now + CLAIM_MS * 0.9)));
    assert.ok(silence(of, now), `seed ${seed}: ${of.name} had not stopped at ${now}`);
  }
  return agreedTo;
}

it('agrees to no claim before the machine has stopped', () => {
  let claims = 0;
  for (let seed = 1; seed <= 60; seed += 1) {
    claims += trial(
      seed,
      3 + (seed % 3),
      (host, now) => host.stoppingSince !== null && now - host.stoppingSince >= STOP_MS,
    );
  }
  assert.ok(claims > 50, `${claims} claims`);
});

it('would notice a time that is too short', () => {
  assert.throws(() => {
    for (let seed = 1; seed <= 60; seed += 1) {
      trial(
        seed,
        3 + (seed % 3),
        (host, now) => host.stoppingSince !== null && now - host.stoppingSince >= STOP_MS + 400,
      );
    }
  }, /had not stopped/);
});
