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
import { hourMs, minuteMs } from '../zone.ts';
import {
  disabledFacts,
  disableLimitsDefault,
  isOurNetwork,
  mayReturn,
  mustDisable,
  networkSentence,
  probeWaitMs,
  returnedFacts,
} from './disable.ts';
import { factsAfterPoll, type GatewayFacts } from './facts.ts';

const isDue = (facts: GatewayFacts, plan = samplePlan(), limits = disableLimitsDefault) =>
  mustDisable(facts, plan, limits);

describe('failures switch a gateway off', () => {
  test('10 of them within less than 10 minutes do not', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(60, noonMs));
    expect(facts.lastPolledAtMs).toBe(noonMs + 10 * minuteMs - intervalMs);
    expect(isDue(facts)).toBe(false);
    expect(isDue(afterPolls(facts, [failedPoll(noonMs + 10 * minuteMs - 1)]))).toBe(false);
    expect(isDue(afterPolls(facts, [failedPoll(noonMs + 10 * minuteMs)]))).toBe(true);
  });

  test('9 of them over an hour do not, the tenth does', () => {
    const nine = afterPolls(sampleFacts(), failedPolls(9, noonMs, 7 * minuteMs));
    expect(isDue(nine)).toBe(false);
    expect(isDue(afterPolls(nine, [failedPoll(noonMs + hourMs + 3 * minuteMs)]))).toBe(true);
  });

  test('polls that a back-off refused count none', () => {
    const facts = afterPolls(sampleFacts(), [
      ...failedPolls(9, noonMs, minuteMs),
      ...Array.from({ length: 50 }, (_, n) =>
        failedPoll(noonMs + (10 + n) * minuteMs, { isBackOff: true }),
      ),
    ]);
    expect(facts.consecutiveFailures).toBe(9);
    expect(isDue(facts)).toBe(false);
  });

  test('a lifetime of failures does not, while it answers now and then', () => {
    let facts = sampleFacts();
    let failed = 0;
    for (let hour = 0; hour < 24 * 30; hour += 1)
      for (const poll of [
        ...failedPolls(9, noonMs + hour * hourMs, 5 * minuteMs),
        samplePoll(noonMs + hour * hourMs + 50 * minuteMs),
      ]) {
        facts = afterPolls(facts, [poll]);
        failed += poll.outcome === 'FAILED' ? 1 : 0;
        expect(isDue(facts)).toBe(false);
      }
    expect(failed).toBe(9 * 24 * 30);
  });

  test('years of success do not help one that fails now', () => {
    const good = Array.from({ length: 5_000 }, (_, n) =>
      samplePoll(noonMs - (5_000 - n) * intervalMs),
    );
    const facts = afterPolls(sampleFacts(), [...good, ...failedPolls(10, noonMs, 70_000)]);
    expect(isDue(facts)).toBe(true);
  });

  test('time in which nobody polled does not', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(30, noonMs));
    // Hours later nothing was polled since: nothing is known.
    expect(isDue(facts)).toBe(false);
  });

  test('only while it is due', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(100, noonMs));
    expect(isDue(facts)).toBe(true);
    for (const reason of ['PAUSED', 'DISABLED', 'HALTED', 'REMOVED'])
      expect(isDue(facts, samplePlan({ reason }))).toBe(false);
  });

  test('both limits are given from outside', () => {
    const facts = afterPolls(sampleFacts(), failedPolls(3, noonMs, minuteMs));
    expect(isDue(facts, samplePlan(), { failures: 3, overMs: 2 * minuteMs })).toBe(true);
    expect(isDue(facts, samplePlan(), { failures: 3, overMs: 2 * minuteMs + 1 })).toBe(false);
    expect(isDue(facts, samplePlan(), { failures: 4, overMs: 2 * minuteMs })).toBe(false);
  });
});

describe('our network', () => {
  test('fails with more than 20 % of the gateways', () => {
    expect(isOurNetwork({ polled: 50, failing: 10 })).toBe(false);
    expect(isOurNetwork({ polled: 50, failing: 11 })).toBe(true);
  });

  test('needs five gateways', () => {
    expect(isOurNetwork({ polled: 4, failing: 4 })).toBe(false);
    expect(isOurNetwork({ polled: 5, failing: 5 })).toBe(true);
  });

  test('is said so', () => {
    expect(networkSentence({ polled: 50, failing: 11 })).toBe(
      '11 of 50 gateways that were polled in the last 10 min fail together: check the network between this host and the sites. No gateway is switched off meanwhile.',
    );
  });
});

describe('probes', () => {
  const off = disabledFacts(
    afterPolls(sampleFacts(), failedPolls(70, noonMs - 12 * minuteMs)),
    noonMs,
  );
  const probe = (atMs: number, isGood: boolean) =>
    isGood
      ? samplePoll(atMs, { trigger: 'PROBE' })
      : failedPoll(atMs, { trigger: 'PROBE', measuredAtMs: atMs + 3_000 });

  test('come after 1, 2, 4 … 60 min', () => {
    const waits: number[] = [];
    let facts = off;
    let atMs = noonMs;
    for (let n = 0; n < 9; n += 1) {
      const nextMs = facts.nextProbeAtMs ?? Number.NaN;
      waits.push((nextMs - atMs) / minuteMs);
      atMs = nextMs;
      facts = factsAfterPoll(facts, probe(atMs, false));
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(probeWaitMs(1_000)).toBe(hourMs);
  });

  test('two good ones in a row bring it back, the second 10 s after the first', () => {
    const first = factsAfterPoll(off, probe(noonMs + minuteMs, true));
    expect(first.nextProbeAtMs).toBe(noonMs + minuteMs + 10_000);
    expect(first.lastSeenAtMs).toBe(noonMs + minuteMs);
    expect(mayReturn(first)).toBe(false);
    const second = factsAfterPoll(first, probe(noonMs + minuteMs + 10_000, true));
    expect(mayReturn(second)).toBe(true);
    expect(returnedFacts(second)).toMatchObject({ disabledAtMs: null, consecutiveFailures: 0 });
  });

  test('a good one and a bad one do not', () => {
    const first = factsAfterPoll(off, probe(noonMs + minuteMs, true));
    const second = factsAfterPoll(first, probe(noonMs + minuteMs + 10_000, false));
    const third = factsAfterPoll(second, probe(noonMs + 4 * minuteMs, true));
    expect([second, third].map(mayReturn)).toEqual([false, false]);
    expect(second).toMatchObject({ goodProbes: 0, probes: 1 });
  });

  test('one that a back-off refused is asked again in a minute, and counts nothing', () => {
    const refusedMs = noonMs + minuteMs;
    const poll = failedPoll(refusedMs, { trigger: 'PROBE', isBackOff: true });
    expect(factsAfterPoll({ ...off, goodProbes: 1, probes: 4 }, poll)).toMatchObject({
      goodProbes: 1,
      probes: 4,
      nextProbeAtMs: refusedMs + minuteMs,
    });
  });

  test('failed ones keep the figures that switched it off', () => {
    const after = factsAfterPoll(off, probe(noonMs + minuteMs, false));
    expect(after).toMatchObject({
      consecutiveFailures: off.consecutiveFailures,
      failingSinceMs: off.failingSinceMs,
      recent: off.recent,
    });
  });

  test('a good poll of a person counts, a bad one does not', () => {
    const good = factsAfterPoll(off, samplePoll(noonMs + 5_000, { trigger: 'MANUAL' }));
    expect(good).toMatchObject({ goodProbes: 1, nextProbeAtMs: noonMs + 15_000 });
    const bad = factsAfterPoll(off, failedPoll(noonMs + 5_000, { trigger: 'MANUAL' }));
    expect(bad).toMatchObject({ goodProbes: 0, probes: 0, nextProbeAtMs: off.nextProbeAtMs });
  });
});
