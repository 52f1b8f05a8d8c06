import { describe, expect, test } from 'vitest';

import {
  afterPolls,
  failedPoll,
  failedPolls,
  intervalMs,
  noonMs,
  sampleFacts,
  samplePlan,
  samplePoll,
} from '../../test/support/gateway-facts.ts';
import { dayMs, hourMs } from '../zone.ts';
import { type GatewayFacts, type GatewayPlan, newFacts } from './facts.ts';
import { isStale, lastFailureIn, standingOf } from './status.ts';

/** 5 and 2 intervals of 10 s, and 5 s. */
const offlineMs = 55_000;
const degradedMs = 25_000;

/** Seen at noon; `failed` polls on slots have failed since, the newest just now. */
function failing(failed: number, nowMs: number): GatewayFacts {
  return sampleFacts({
    lastPolledAtMs: nowMs,
    consecutiveFailures: failed,
    recent: `${'O'.repeat(20 - failed)}${'F'.repeat(failed)}`,
    lastFailure: { reason: 'TIMEOUT', message: 'No answer within 1 s.' },
  });
}

const statusAt = (facts: GatewayFacts, nowMs: number, plan: GatewayPlan = samplePlan()) =>
  standingOf(facts, plan, nowMs).status;

describe('OFFLINE', () => {
  test('comes after more than 5 intervals and 5 s with three failed polls', () => {
    const at = (ms: number) => statusAt(failing(3, noonMs + ms), noonMs + ms);
    expect(at(offlineMs)).toBe('DEGRADED');
    expect(at(offlineMs + 1)).toBe('OFFLINE');
  });

  test('needs three failed polls: with two it is DEGRADED', () => {
    const nowMs = noonMs + dayMs;
    expect(statusAt(failing(2, nowMs), nowMs)).toBe('DEGRADED');
    expect(statusAt(failing(3, nowMs), nowMs)).toBe('OFFLINE');
  });

  test('an outage of ours alarms nobody: the status stays and is stale', () => {
    const facts = sampleFacts();
    expect(standingOf(facts, samplePlan(), noonMs + dayMs)).toEqual(facts.standing);
    expect(isStale(facts, samplePlan(), noonMs + dayMs)).toBe(true);
  });

  test('a socket that backs off is failing too', () => {
    const facts = afterPolls(sampleFacts(), [
      failedPoll(noonMs + 10_000),
      ...[20, 30, 40, 50, 60].map((s) => failedPoll(noonMs + s * 1_000, { isBackOff: true })),
    ]);
    expect(facts.standing).toMatchObject({ status: 'OFFLINE', reason: 'CONNECTION_REFUSED' });
  });

  test('a dead gateway does not look alive because it is polled', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(60, noonMs + intervalMs));
    expect(facts.standing.status).toBe('OFFLINE');
    expect(facts.lastSeenAtMs).toBe(noonMs);
  });

  test('names the failure in a sentence', () => {
    const nowMs = noonMs + offlineMs + 1;
    expect(standingOf(failing(3, nowMs), samplePlan(), nowMs)).toEqual({
      status: 'OFFLINE',
      reason: 'TIMEOUT',
      message: 'No answer within 1 s.',
      sinceMs: nowMs,
    });
  });

  test('stays OFFLINE while nobody polls', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(10, noonMs + intervalMs));
    expect(standingOf(facts, samplePlan(), noonMs + hourMs)).toEqual(facts.standing);
  });
});

describe('DEGRADED', () => {
  test('comes when the last read is older than 2 intervals and 5 s', () => {
    const at = (ms: number) => statusAt(failing(1, noonMs + ms), noonMs + ms);
    expect(at(degradedMs)).toBe('ONLINE');
    expect(at(degradedMs + 1)).toBe('DEGRADED');
  });

  test('comes with more than 20 % of the last 20 polls failed', () => {
    const withFailures = (failed: number) =>
      sampleFacts({ recent: `${'F'.repeat(failed)}${'O'.repeat(20 - failed)}` });
    expect(statusAt(withFailures(4), noonMs)).toBe('ONLINE');
    expect(standingOf(withFailures(5), samplePlan(), noonMs)).toMatchObject({
      status: 'DEGRADED',
      reason: 'FAILING_POLLS',
      message: '5 of the last 20 polls failed.',
    });
  });

  test('PARTIAL polls are no failures', () => {
    expect(statusAt(sampleFacts({ recent: 'P'.repeat(20) }), noonMs)).toBe('ONLINE');
  });

  test('years of failures do not count, only the last 20 polls', () => {
    const years = afterPolls(sampleFacts(), [
      ...failedPolls(5_000, noonMs + intervalMs),
      ...Array.from({ length: 16 }, (_, n) => samplePoll(noonMs + (5_001 + n) * intervalMs)),
    ]);
    expect(years.standing.status).toBe('ONLINE');
  });

  test('comes with a point that the device refuses, not with one out of range', () => {
    const withCode = (code: number) =>
      sampleFacts({ badPoints: { '1/power_w': { polls: 1, code } } });
    expect(statusAt(withCode(3), noonMs)).toBe('ONLINE');
    expect(standingOf(withCode(102), samplePlan(), noonMs)).toMatchObject({
      status: 'DEGRADED',
      reason: 'POINT_REFUSED',
      message: 'The device refuses power_w of unit 1 (exception 2).',
    });
  });
});

describe('WAITING', () => {
  const plan = samplePlan({ fromMs: noonMs });

  test('holds for 5 intervals, inclusive', () => {
    const facts = { ...newFacts(noonMs), lastPolledAtMs: noonMs + 50_000, recent: 'FFFFF' };
    expect(statusAt(facts, noonMs + 50_000, plan)).toBe('WAITING');
    expect(statusAt(facts, noonMs + 50_001, plan)).toBe('DEGRADED');
    expect(statusAt(facts, noonMs + offlineMs + 1, plan)).toBe('OFFLINE');
  });

  test('ends with the first read', () => {
    const facts = afterPolls(newFacts(noonMs), [samplePoll(noonMs + 3_000)], plan);
    expect(facts.standing).toMatchObject({ status: 'ONLINE', sinceMs: noonMs + 3_000 });
  });

  test('comes again after a pause, and not after another interval', () => {
    const old = { lastSeenAtMs: noonMs - dayMs, lastPolledAtMs: noonMs - dayMs };
    const standing = { status: 'PAUSED', reason: 'PAUSED', message: 'x', sinceMs: 0 } as const;
    expect(statusAt(sampleFacts({ ...old, standing }), noonMs + 1, plan)).toBe('WAITING');
    const seen = sampleFacts({ lastSeenAtMs: noonMs - 30_000, lastPolledAtMs: noonMs });
    expect(statusAt(seen, noonMs + 1, plan)).toBe('DEGRADED');
  });

  test('a short pause of a gateway that was just seen is passed over', () => {
    const standing = { status: 'PAUSED', reason: 'PAUSED', message: 'x', sinceMs: 0 } as const;
    expect(statusAt(sampleFacts({ standing, lastSeenAtMs: noonMs - 5_000 }), noonMs, plan)).toBe(
      'ONLINE',
    );
  });

  test('a gateway that became due while nobody polls is not paused any more', () => {
    const standing = { status: 'PAUSED', reason: 'PAUSED', message: 'x', sinceMs: 0 } as const;
    const facts = sampleFacts({ standing, lastSeenAtMs: noonMs - dayMs, lastPolledAtMs: null });
    expect(statusAt(facts, noonMs + hourMs, plan)).toBe('WAITING');
  });
});

describe('the order', () => {
  test('people go before failures, failures before what was read', () => {
    const nowMs = noonMs + dayMs;
    const dead = { ...failing(20, nowMs), disabledAtMs: noonMs };
    for (const reason of ['PAUSED', 'HALTED', 'REMOVED'])
      expect(statusAt(dead, nowMs, samplePlan({ reason }))).toBe('PAUSED');
    expect(statusAt(dead, nowMs, samplePlan({ reason: 'DISABLED' }))).toBe('DISABLED');
    expect(statusAt(dead, nowMs)).toBe('OFFLINE');
  });

  test('a pause says what the person said', () => {
    const plan = samplePlan({ reason: 'PAUSED', pauseReason: 'roof work' });
    expect(standingOf(sampleFacts(), plan, noonMs).message).toBe('Paused by a person: roof work.');
  });

  test('since changes with the status alone', () => {
    const first = afterPolls(sampleFacts(), failedPolls(10, noonMs + intervalMs));
    const later = afterPolls(first, failedPolls(10, noonMs + 11 * intervalMs));
    expect(first.standing.status).toBe('OFFLINE');
    expect(later.standing.sinceMs).toBe(first.standing.sinceMs);
  });
});

test('the failure is found in a standing, so that it need not be stored twice', () => {
  const facts = afterPolls(sampleFacts(), failedPolls(10, noonMs + intervalMs));
  expect(lastFailureIn(facts.standing)).toEqual(facts.lastFailure);
  const without = afterPolls(
    sampleFacts(),
    failedPolls(10, noonMs + intervalMs).map((poll) => ({
      ...poll,
      failure: { reason: 'EXCEPTION_4', message: '' } as const,
    })),
  );
  expect(without.standing.message).toBe('The device answers with exception 4.');
  expect(lastFailureIn(without.standing)?.reason).toBe('EXCEPTION_4');
  expect(lastFailureIn(sampleFacts().standing)).toBeNull();
  expect(lastFailureIn({ ...facts.standing, reason: 'NO_READ_YET' })).toBeNull();
});

describe('stale', () => {
  test('after more than 2 intervals and 5 s without a poll of ours', () => {
    expect(isStale(sampleFacts(), samplePlan(), noonMs + degradedMs)).toBe(false);
    expect(isStale(sampleFacts(), samplePlan(), noonMs + degradedMs + 1)).toBe(true);
  });

  test('not while the gateway is not due, and not just after it became due', () => {
    const facts = sampleFacts({ lastPolledAtMs: null });
    expect(isStale(facts, samplePlan({ reason: 'PAUSED' }), noonMs)).toBe(false);
    expect(isStale(facts, samplePlan({ fromMs: noonMs }), noonMs + degradedMs)).toBe(false);
  });

  test('a poll that fails is a poll', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(1, noonMs + 20_000));
    expect(isStale(facts, samplePlan(), noonMs + 20_000 + degradedMs)).toBe(false);
  });
});
