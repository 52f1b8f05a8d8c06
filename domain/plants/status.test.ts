import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noonMs } from '../../test/support/plant-facts.ts';
import { integrationStatuses } from './plant.ts';
import { decideStatus, type SentenceFacts, type StatusFacts, statusSentence } from './status.ts';
import { hourMs } from '../zone.ts';

function decide(different: Partial<StatusFacts>): [string, string] {
  const { status, reason } = decideStatus({ ...ordinary, ...different }, noonMs);
  return [status, reason];
}

const ordinary: StatusFacts = {
  statusProfile: 'STRICT',
  timezone: 'Europe/Madrid',
  latitude: 40.4168,
  longitude: -3.7038,
  integrationStatus: 'ACTIVE',
  activatedAtMs: noonMs - 1_000 * hourMs,
  lastSeenAtMs: noonMs - 600_000,
  activeAlerts: [],
  status: 'GREEN',
  statusSinceMs: noonMs - 5 * hourMs,
};
const seenAgo = (ms: number): Partial<StatusFacts> => ({ lastSeenAtMs: noonMs - ms });
const redAlert = { type: 'MOCK_FAULT', severity: 'RED' } as const;
const yellowAlert = { type: 'MOCK_FAULT', severity: 'YELLOW' } as const;
const lowGeneration = { type: 'LOW_GENERATION', severity: 'YELLOW' } as const;

describe('decideStatus', () => {
  test('stays GREEN at exactly 2 h, is YELLOW 1 ms later', () => {
    expect(decide(seenAgo(2 * hourMs))).toEqual(['GREEN', 'SEEN_RECENTLY']);
    expect(decide(seenAgo(2 * hourMs + 1))).toEqual(['YELLOW', 'NOT_SEEN_2H']);
  });

  test('stays YELLOW at exactly 24 h, is RED 1 ms later', () => {
    expect(decide(seenAgo(24 * hourMs))).toEqual(['YELLOW', 'NOT_SEEN_2H']);
    expect(decide(seenAgo(24 * hourMs + 1))).toEqual(['RED', 'NOT_SEEN_24H']);
  });

  test('a clock that is a few minutes fast is seen recently', () => {
    expect(decide(seenAgo(-600_000))).toEqual(['GREEN', 'SEEN_RECENTLY']);
  });

  test('never seen: GREY for less than 24 h since activation, RED from 24 h on', () => {
    const never = (ageMs: number): Partial<StatusFacts> => ({
      lastSeenAtMs: null,
      activatedAtMs: noonMs - ageMs,
    });
    expect(decide(never(24 * hourMs - 1))).toEqual(['GREY', 'WAITING_FOR_FIRST_READING']);
    expect(decide(never(24 * hourMs))).toEqual(['RED', 'NOT_SEEN_24H']);
  });

  test.each(integrationStatuses.filter((status) => status !== 'ACTIVE'))(
    '%s is GREY with itself as the reason, whatever else holds',
    (integrationStatus) => {
      const worst = { ...seenAgo(99 * hourMs), activeAlerts: [redAlert], integrationStatus };
      expect(decide(worst)).toEqual(['GREY', integrationStatus]);
    },
  );

  test('waiting comes before a critical alert, 24 h of silence too', () => {
    const alert = { activeAlerts: [redAlert] };
    const waiting = { lastSeenAtMs: null, activatedAtMs: noonMs - hourMs };
    expect(decide({ ...alert, ...waiting })).toEqual(['GREY', 'WAITING_FOR_FIRST_READING']);
    expect(decide({ ...alert, ...seenAgo(25 * hourMs) })).toEqual(['RED', 'NOT_SEEN_24H']);
  });

  test('a RED alert of any type is critical and comes before 2 h of silence', () => {
    const redLow = { type: 'LOW_GENERATION', severity: 'RED' } as const;
    expect(decide({ activeAlerts: [yellowAlert, redAlert], ...seenAgo(3 * hourMs) })).toEqual([
      'RED',
      'CRITICAL_ALERT',
    ]);
    expect(decide({ activeAlerts: [redLow] })).toEqual(['RED', 'CRITICAL_ALERT']);
  });

  test('2 h of silence come before low generation', () => {
    expect(decide({ activeAlerts: [lowGeneration] })).toEqual(['YELLOW', 'LOW_GENERATION']);
    expect(decide({ activeAlerts: [lowGeneration], ...seenAgo(3 * hourMs) })).toEqual([
      'YELLOW',
      'NOT_SEEN_2H',
    ]);
  });

  test('other YELLOW alerts leave a plant GREEN', () => {
    expect(decide({ activeAlerts: [yellowAlert] })).toEqual(['GREEN', 'SEEN_RECENTLY']);
  });

  test('since changes only with the colour', () => {
    const since = (different: Partial<StatusFacts>): number =>
      decideStatus({ ...ordinary, ...different }, noonMs).sinceMs;
    expect(since({})).toBe(ordinary.statusSinceMs);
    expect(since({ status: 'YELLOW' })).toBe(noonMs);
    expect(since({ status: 'YELLOW', ...seenAgo(3 * hourMs) })).toBe(ordinary.statusSinceMs);
  });

  test('is total: every combination of facts has one colour, and no fact but time makes it better', () => {
    const worse = { GREEN: 0, YELLOW: 1, RED: 2, GREY: 3 };
    const alerts = fc.subarray([redAlert, yellowAlert, lowGeneration]);
    fc.assert(
      fc.property(
        fc.constantFrom(...integrationStatuses),
        fc.option(fc.nat({ max: 60 * hourMs })),
        fc.nat({ max: 60 * hourMs }),
        alerts,
        alerts,
        fc.nat({ max: 60 * hourMs }),
        (integrationStatus, seenAgoMs, activeAgoMs, some, more, laterMs) => {
          const facts = {
            ...ordinary,
            integrationStatus,
            lastSeenAtMs: seenAgoMs === null ? null : noonMs - seenAgoMs,
            activatedAtMs: noonMs - activeAgoMs,
            activeAlerts: some,
          };
          const { status, reason } = decideStatus(facts, noonMs);
          expect(status === 'GREY').toBe(
            integrationStatus !== 'ACTIVE' || reason === 'WAITING_FOR_FIRST_READING',
          );
          const withMore = decideStatus({ ...facts, activeAlerts: [...some, ...more] }, noonMs);
          expect(worse[withMore.status]).toBeGreaterThanOrEqual(worse[status]);
          const later = decideStatus(facts, noonMs + laterMs);
          if (status !== 'GREY') expect(worse[later.status]).toBeGreaterThanOrEqual(worse[status]);
        },
      ),
    );
  });
});

describe('statusSentence', () => {
  const facts: SentenceFacts = {
    nowMs: noonMs,
    timezone: 'Europe/Madrid',
    lastSeenAtMs: noonMs - 26 * hourMs,
    lastSeenSource: 'VENDOR',
    activatedAtMs: noonMs - 3 * hourMs,
    lastError: null,
    hasDays: false,
    redAlerts: [],
    lowGenerationAlert: null,
    refusal: null,
    otherAlerts: [],
  };

  test('names when the plant was last seen, by its own clock', () => {
    expect(statusSentence('NOT_SEEN_24H', facts)).toBe(
      'Last seen 26 h ago, at 2026-06-09 10:00 UTC+2.',
    );
    const evidence = {
      ...facts,
      lastSeenSource: 'EVIDENCE',
      lastSeenAtMs: noonMs - 600_000,
    } as const;
    expect(statusSentence('SEEN_RECENTLY', evidence)).toBe(
      'Last seen 10 min ago by its running inverters or rising totals, at 11:50 UTC+2.',
    );
    expect(statusSentence('SEEN_RECENTLY', { ...facts, lastSeenAtMs: noonMs + 60_000 })).toContain(
      '0 s ago',
    );
  });

  test('names the last error while the first reading is awaited', () => {
    expect(
      statusSentence('WAITING_FOR_FIRST_READING', { ...facts, lastError: 'no such plant' }),
    ).toBe(
      'Waiting for the first reading since 2026-06-10 09:00 UTC+2. The last poll failed: no such plant.',
    );
    expect(statusSentence('WAITING_FOR_FIRST_READING', facts)).toBe(
      'Waiting for the first reading since 2026-06-10 09:00 UTC+2.',
    );
  });

  test('waits for no first reading where there are some, also of days before the plant was seen', () => {
    expect(statusSentence('WAITING_FOR_FIRST_READING', { ...facts, hasDays: true })).toBe(
      'Not seen producing yet since 2026-06-10 09:00 UTC+2.',
    );
  });

  test('names how long a plant was never seen', () => {
    const never = { ...facts, lastSeenAtMs: null, activatedAtMs: noonMs - 30 * hourMs };
    expect(statusSentence('NOT_SEEN_24H', never)).toBe('Never seen, 30 h after it was activated.');
  });

  test('names the first critical alert and how many more there are', () => {
    expect(statusSentence('CRITICAL_ALERT', { ...facts, redAlerts: ['Grid loss.'] })).toBe(
      'Grid loss.',
    );
    expect(
      statusSentence('CRITICAL_ALERT', { ...facts, redAlerts: ['Grid loss.', 'Fire.', 'Flood.'] }),
    ).toBe('Grid loss. And 2 more.');
  });

  test('names the first open alert that the reason does not, and counts the others', () => {
    const lastSeenAtMs = noonMs - 120_000;
    const dead = { ...facts, lastSeenAtMs, otherAlerts: ['Inverter INV-2 gives nothing.'] };
    expect(statusSentence('SEEN_RECENTLY', dead)).toBe(
      'Inverter INV-2 gives nothing. Last seen 2 min ago, at 11:58 UTC+2.',
    );
    const failing = { ...facts, otherAlerts: ['3 polls in a row failed', 'Fan stuck.'] };
    expect(statusSentence('NOT_SEEN_2H', failing)).toBe(
      'Last seen 26 h ago, at 2026-06-09 10:00 UTC+2. 3 polls in a row failed. And 1 more.',
    );
    const red = { ...facts, redAlerts: ['Fire.'], otherAlerts: ['Fire.', 'Fan stuck.'] };
    expect(statusSentence('CRITICAL_ALERT', red)).toBe('Fire. And 1 more.');
    expect(statusSentence('DISABLED_BY_OPERATOR', dead)).toBe('Paused by an operator.');
  });

  test('tells the error of the last poll once, where the alert quotes it', () => {
    const waiting = { ...facts, lastSeenAtMs: null, lastError: 'the account has no such plant.' };
    const quotes = '5 polls in a row failed, the last one so: the account has no such plant.';
    const sentence = statusSentence('WAITING_FOR_FIRST_READING', {
      ...waiting,
      otherAlerts: [quotes],
    });
    expect(sentence).toMatch(/^Waiting for the first reading since [^.]+[.] 5 polls in a row/);
    expect(sentence.match(/no such plant/g)).toHaveLength(1);
    const other = { ...waiting, otherAlerts: ['Fan stuck.'] };
    expect(statusSentence('WAITING_FOR_FIRST_READING', other)).toContain('The last poll failed:');
  });

  test("is low generation's own message", () => {
    const message = '2.0 kWh by 13:40 is 10 % of the 20.0 kWh that are usual by then.';
    expect(statusSentence('LOW_GENERATION', { ...facts, lowGenerationAlert: message })).toBe(
      message,
    );
  });

  test('is one full sentence for every other reason', () => {
    for (const reason of [
      'PAUSED_AUTH_ERROR',
      'DISABLED_BY_OPERATOR',
      'PENDING_DOCS',
      'CRITICAL_ALERT',
      'LOW_GENERATION',
    ] as const) {
      expect(statusSentence(reason, facts)).toMatch(/^[A-Z].{10,}\.$/);
    }
  });
});
