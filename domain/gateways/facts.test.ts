import { describe, expect, test } from 'vitest';

import {
  afterPolls,
  failedPoll,
  failedPolls,
  intervalMs,
  noonMs,
  points,
  refused,
  sampleFacts,
  samplePlan,
  samplePoll,
} from '../../test/support/gateway-facts.ts';
import { minuteMs } from '../zone.ts';
import { factsAfterPoll, factsUnderPlan, newFacts, pointIdOf, pointOfId } from './facts.ts';

const next = noonMs + intervalMs;

describe('last seen', () => {
  test('does not move with a failed poll, whatever its kind', () => {
    for (const trigger of ['SCHEDULE', 'START', 'CATCH_UP', 'MANUAL', 'PROBE'] as const)
      for (const isBackOff of [false, true]) {
        const after = factsAfterPoll(sampleFacts(), failedPoll(next, { trigger, isBackOff }));
        expect(after.lastSeenAtMs).toBe(noonMs);
        expect(after.lastPolledAtMs).toBe(next);
      }
  });

  test('moves with OK and with PARTIAL, to the time of the answer', () => {
    for (const outcome of ['OK', 'PARTIAL'] as const) {
      const poll = samplePoll(next, { outcome, measuredAtMs: next + 40 });
      expect(factsAfterPoll(sampleFacts(), poll).lastSeenAtMs).toBe(next + 40);
    }
  });

  test('never goes back', () => {
    const late = samplePoll(noonMs - 5_000);
    expect(factsAfterPoll(sampleFacts(), late).lastSeenAtMs).toBe(noonMs);
  });

  test('stays with a slot that was missed or locked: nobody asked', () => {
    for (const outcome of ['MISSED', 'SKIPPED_LOCKED'] as const) {
      const before = sampleFacts();
      expect(factsAfterPoll(before, samplePoll(next, { outcome }))).toBe(before);
    }
  });
});

describe('failures', () => {
  test('count once each, from the begin of the first', () => {
    const after = afterPolls(sampleFacts(), failedPolls(3, next));
    expect(after).toMatchObject({
      consecutiveFailures: 3,
      failingSinceMs: next,
      lastFailure: refused,
    });
  });

  test('end with a success, also of a person', () => {
    const failing = afterPolls(sampleFacts(), failedPolls(9, next));
    for (const trigger of ['SCHEDULE', 'MANUAL'] as const) {
      const after = factsAfterPoll(failing, samplePoll(next + 100_000, { trigger }));
      expect(after).toMatchObject({
        consecutiveFailures: 0,
        failingSinceMs: null,
        lastFailure: null,
      });
    }
  });

  test('of a back-off count none, and say why the socket waits', () => {
    const failing = afterPolls(sampleFacts(), failedPolls(2, next));
    const backOff = { reason: 'BACK_OFF', message: 'The socket waits 5 s.' } as const;
    const poll = failedPoll(next + 20_000, { isBackOff: true, failure: backOff });
    const after = factsAfterPoll(failing, poll);
    expect(after).toMatchObject({
      consecutiveFailures: 2,
      failingSinceMs: next,
      lastFailure: refused,
    });
    expect(after.recent.endsWith('FFF')).toBe(true);
    expect(factsAfterPoll(sampleFacts(), poll)).toMatchObject({
      consecutiveFailures: 0,
      failingSinceMs: null,
      lastFailure: backOff,
    });
  });

  test('of a person count none', () => {
    const after = afterPolls(
      sampleFacts(),
      failedPolls(20, next).map((poll) => ({ ...poll, trigger: 'MANUAL' as const })),
    );
    expect(after).toMatchObject({ consecutiveFailures: 0, recent: 'O'.repeat(20) });
  });

  test('the newest 20 outcomes are kept, the newest last', () => {
    const after = afterPolls(sampleFacts(), [
      ...failedPolls(2, next),
      samplePoll(next + 20_000, { outcome: 'PARTIAL' }),
    ]);
    expect(after.recent).toBe(`${'O'.repeat(17)}FFP`);
  });
});

describe('points', () => {
  const bad = (atMs: number, ...quality: number[]) =>
    samplePoll(atMs, { outcome: 'PARTIAL', quality });

  test('BAD polls count in a row, with the newest reason', () => {
    const after = afterPolls(sampleFacts(), [bad(next, 102, 0, 0, 0), bad(next + 1, 3, 0, 0, 0)]);
    expect(after.badPoints).toEqual({ '1/power_w': { polls: 2, code: 3 } });
  });

  test('a GOOD value and a sentinel end the row', () => {
    for (const code of [0, 2]) {
      const after = afterPolls(sampleFacts(), [
        bad(next, 102, 0, 0, 3),
        bad(next + 1, code, 0, 0, 3),
      ]);
      expect(after.badPoints).toEqual({ '2/energy_kwh': { polls: 2, code: 3 } });
    }
    const good = afterPolls(sampleFacts(), [bad(next, 102, 0, 0, 3), samplePoll(next + 1)]);
    expect(good.badPoints).toEqual({});
  });

  test('silence and a failed poll leave the row as it is', () => {
    const after = afterPolls(sampleFacts(), [
      bad(next, 102, 0, 0, 0),
      bad(next + 1, 1, 1, 0, 0),
      failedPoll(next + 2),
      bad(next + 3, 102, 0, 0, 0),
    ]);
    expect(after.badPoints).toEqual({ '1/power_w': { polls: 2, code: 102 } });
  });

  test('a point that is not read any more is forgotten', () => {
    const before = sampleFacts({ badPoints: { '9/gone': { polls: 20, code: 3 } } });
    expect(factsAfterPoll(before, bad(next, 0, 3, 0, 0)).badPoints).toEqual({
      '1/energy_kwh': { polls: 1, code: 3 },
    });
  });

  test('a key may hold a slash', () => {
    const point = { unitId: 7, key: 'a/b' };
    expect(pointOfId(pointIdOf(point))).toEqual({ unitId: '7', key: 'a/b' });
  });
});

describe('units', () => {
  const partial = (atMs: number, quality: number[]) =>
    samplePoll(atMs, { outcome: 'PARTIAL', quality });

  test('one that does not answer while another does is silent', () => {
    const after = afterPolls(sampleFacts(), [
      partial(next, [0, 0, 1, 1]),
      partial(next + 1, [0, 3, 111, 110]),
    ]);
    expect(after.silentUnits).toEqual({ 2: 2 });
  });

  test('one answer, also a refusal, ends its silence', () => {
    const silent = afterPolls(sampleFacts(), [partial(next, [0, 0, 1, 1])]);
    expect(factsAfterPoll(silent, partial(next + 1, [0, 0, 1, 102])).silentUnits).toEqual({});
  });

  test('a poll that nobody answered says nothing of one unit', () => {
    const silent = afterPolls(sampleFacts(), [partial(next, [0, 0, 1, 1]), failedPoll(next + 1)]);
    expect(silent.silentUnits).toEqual({ 2: 1 });
  });

  test('an ordinary poll keeps the objects', () => {
    const before = sampleFacts();
    const after = factsAfterPoll(before, samplePoll(next));
    expect(after.badPoints).toBe(before.badPoints);
    expect(after.silentUnits).toBe(before.silentUnits);
  });
});

describe('the plan', () => {
  test('ends what switched the gateway off, whoever started it again', () => {
    const off = sampleFacts({
      disabledAtMs: noonMs,
      nextProbeAtMs: noonMs + minuteMs,
      probes: 3,
      consecutiveFailures: 12,
      failingSinceMs: noonMs - 12 * minuteMs,
      recent: 'F'.repeat(20),
    });
    expect(factsUnderPlan(off, samplePlan())).toMatchObject({
      disabledAtMs: null,
      nextProbeAtMs: null,
      probes: 0,
      consecutiveFailures: 0,
      failingSinceMs: null,
      recent: '',
    });
    expect(factsUnderPlan(off, samplePlan({ reason: 'PAUSED' }))).toBe(off);
    expect(factsUnderPlan(off, samplePlan({ reason: 'DISABLED' }))).toBe(off);
  });

  test('that is DISABLED has a next probe', () => {
    const plan = samplePlan({ reason: 'DISABLED', fromMs: noonMs });
    expect(factsUnderPlan(sampleFacts(), plan)).toMatchObject({
      disabledAtMs: noonMs,
      nextProbeAtMs: noonMs + minuteMs,
    });
  });
});

test('a new gateway waits', () => {
  expect(newFacts(noonMs).standing).toEqual({
    status: 'WAITING',
    reason: null,
    message: null,
    sinceMs: noonMs,
  });
  expect(points).toHaveLength(4);
});
