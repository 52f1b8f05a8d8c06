import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AlertChange, PollChanges } from './changes.ts';
import type { ActiveAlert, AlertKey, PollResult } from './facts.ts';
import {
  applyAlertChanges,
  noonMs,
  sampleAlarm,
  sampleAnswer,
  sampleBefore,
  sampleDay,
  samplePlant,
  sampleReading,
  sampleWeek,
  today,
} from '../../test/support/plant-facts.ts';
import { adapterErrorTypes } from './plant.ts';
import { decidePoll, type PollBefore } from './poll.ts';
import { dayMs, hourMs, minuteMs } from '../zone.ts';

describe('decidePoll', () => {
  test('books an ordinary reading and keeps the plant GREEN', () => {
    const { outcome, error, day, alerts } = decidePoll(sampleBefore(), sampleReading(), {
      slotMs: noonMs,
      nowMs: noonMs,
    });
    expect([outcome, error]).toEqual(['OK', null]);
    expect(day?.row).toMatchObject({ date: today, todayEnergyKwh: 15 });
    expect(alerts.plant).toMatchObject({ status: 'GREEN', lastSeenAtMs: noonMs });
    expect(alerts.alerts).toEqual([]);
  });

  test('writes nothing to any day where the poll failed', () => {
    const failure = { type: 'NETWORK_TIMEOUT', message: 'no answer within 8 s' } as const;
    const result = { kind: 'FAILURE', failure, credentialsCurrent: true } as const;
    const { outcome, error, day, alerts } = decidePoll(sampleBefore(), result, {
      slotMs: noonMs,
      nowMs: noonMs,
    });
    expect([outcome, error, day]).toEqual(['FAILED', 'no answer within 8 s', null]);
    expect(alerts.plant.consecutiveFailures).toBe(1);
  });

  test("does not alarm at dawn, when the vendor still shows yesterday's total", () => {
    const dawnMs = Date.parse('2026-06-10T04:30:00Z');
    const lowGenerationStreak = { date: today, verdicts: 2, below: true, belowTen: 2 };
    const before = sampleBefore({ plant: samplePlant({ lowGenerationStreak }) });
    const reading = sampleReading({
      todayEnergyKwh: 40,
      lastSeenAt: new Date(dawnMs).toISOString(),
    });
    const { outcome, day, alerts } = decidePoll(before, reading, { slotMs: dawnMs, nowMs: dawnMs });
    expect(outcome).toBe('OK');
    expect(day).toMatchObject({ row: null, booked: { bookedDate: null } });
    expect(alerts).toMatchObject({ alerts: [], plant: { status: 'GREEN', lowGenerationStreak } });
  });

  test('judges the running day by the row that the same poll has raised, not by a total that fell', () => {
    const daysAtTime = sampleWeek().map(({ date }) => ({ date, totalAtTimeKwh: 30 }));
    const lowGenerationStreak = { date: today, verdicts: 2, below: true, belowTen: 2 };
    const before = sampleBefore({
      plant: samplePlant({ lowGenerationStreak }),
      daysAtTime,
      days: [...sampleWeek(), sampleDay(today, { todayEnergyKwh: 29, complete: false })],
    });
    const { alerts } = decidePoll(before, sampleReading({ todayEnergyKwh: 0 }), {
      slotMs: noonMs,
      nowMs: noonMs,
    });
    expect(alerts.alerts).toEqual([]);
    expect(alerts.plant.lowGenerationStreak).toMatchObject({ below: false, verdicts: 1 });
  });
});

/** What a vendor may answer: codes and devices few enough to meet again, times around the poll. */
const alarms = fc.array(
  fc.record({
    code: fc.constantFrom('1', '2'),
    deviceSn: fc.constantFrom(null, 'A'),
    severity: fc.constantFrom('CRITICAL', 'HIGH', 'MEDIUM', 'LOW'),
    communication: fc.boolean(),
    open: fc.boolean(),
    beganMinutesAgo: fc.integer({ min: -5, max: 3_000 }),
    endedMinutesAgo: fc.option(fc.integer({ min: -5, max: 3_000 })),
  }),
  { maxLength: 5 },
);
const answers = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ alarms, complete: fc.boolean(), reachesHours: fc.nat({ max: 48 }) }),
  },
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant('FAILED' as const) },
);
const readings = fc.record({
  lagMinutes: fc.option(fc.integer({ min: -10, max: 2_000 })),
  energyKwh: fc.double({ min: 0, max: 60, noNaN: true }),
  answers,
});
const failures = fc.record({
  type: fc.constantFrom(...adapterErrorTypes),
  isCurrent: fc.boolean(),
});
const steps = fc.array(
  fc.record({
    minutes: fc.constantFrom(1, 10, 60, 200, 370, 800),
    poll: fc.oneof({ weight: 3, arbitrary: readings }, { weight: 1, arbitrary: failures }),
    /** A person acknowledges everything that is NEW: for good, for an hour, or not. */
    acks: fc.constantFrom(null, 'FOR_GOOD', 'FOR_AN_HOUR'),
    silencedHours: fc.constantFrom(0, 0, 0, 5),
    status: fc.constantFrom('ACTIVE', 'ACTIVE', 'ACTIVE', 'DISABLED_BY_OPERATOR' as const),
  }),
  { minLength: 1, maxLength: 40 },
);
type Step = typeof steps extends fc.Arbitrary<(infer S)[]> ? S : never;

function resultOf({ poll }: Step, nowMs: number): PollResult {
  if ('type' in poll) {
    const failure = { type: poll.type, message: 'it failed' };
    return { kind: 'FAILURE', failure, credentialsCurrent: poll.isCurrent };
  }
  const lastSeenAt =
    poll.lagMinutes === null ? null : new Date(nowMs - poll.lagMinutes * minuteMs).toISOString();
  const summary = { todayEnergyKwh: poll.energyKwh, lastSeenAt };
  if (poll.answers === null) return sampleReading(summary);
  if (poll.answers === 'FAILED') {
    return sampleReading(summary, { type: 'VENDOR_ERROR', message: 'no alarms' });
  }
  const { complete, reachesHours } = poll.answers;
  const given = poll.answers.alarms.map(({ beganMinutesAgo, endedMinutesAgo, ...alarm }) =>
    sampleAlarm({
      ...alarm,
      startedAt: new Date(nowMs - beganMinutesAgo * minuteMs).toISOString(),
      endedAt:
        alarm.open || endedMinutesAgo === null
          ? null
          : new Date(nowMs - Math.min(endedMinutesAgo, beganMinutesAgo) * minuteMs).toISOString(),
    }),
  );
  const sinceMs = nowMs - reachesHours * hourMs;
  return sampleReading(summary, sampleAnswer(given, { complete, sinceMs }));
}

/** Plays a plant's life, poll by poll, and hands every evaluation to `look`. */
function play(
  given: Step[],
  look: (before: PollBefore, changes: PollChanges, result: PollResult, nowMs: number) => void,
): void {
  let before = sampleBefore();
  let nowMs = noonMs;
  for (const step of given) {
    nowMs += step.minutes * minuteMs;
    const alertsSilencedUntilMs =
      step.silencedHours === 0 ? null : nowMs + step.silencedHours * hourMs;
    before = {
      ...before,
      plant: { ...before.plant, integrationStatus: step.status, alertsSilencedUntilMs },
      active: before.active.map((alert) => acknowledge(alert, step.acks, nowMs)),
      ended: before.ended.filter((alert) => nowMs - alert.resolvedAtMs < 3 * dayMs),
    };
    const result = resultOf(step, nowMs);
    const changes = decidePoll(before, result, { slotMs: nowMs, nowMs });
    look(before, changes, result, nowMs);
    const row = changes.day?.row ?? null;
    const { plant, alerts } = changes.alerts;
    before = {
      ...before,
      plant: { ...before.plant, ...plant },
      days:
        row === null ? before.days : [...before.days.filter(({ date }) => date !== row.date), row],
      ...applyAlertChanges(before, alerts, nowMs),
    };
  }
}

function acknowledge(alert: ActiveAlert, acks: Step['acks'], nowMs: number): ActiveAlert {
  if (acks === null || alert.state === 'ACKED') return alert;
  return { ...alert, state: 'ACKED', ackedUntilMs: acks === 'FOR_GOOD' ? null : nowMs + hourMs };
}

const keyOf = ({ type, vendorAlarmCode, deviceSn }: AlertKey): string =>
  JSON.stringify([type, vendorAlarmCode, deviceSn]);

describe('whatever happens to a plant', () => {
  test('each key has one active alert at most, and only active ones change', () => {
    // `applyAlertChanges` throws where the changes break the life of an alert.
    fc.assert(fc.property(steps, (given) => play(given, () => undefined)));
  });

  test('an alert changes in one way at most, and one that is acknowledged is not announced', () => {
    fc.assert(
      fc.property(steps, (given) =>
        play(given, (before, { alerts }) => {
          const main = alerts.alerts.flatMap((change) =>
            'id' in change && change.kind !== 'SEEN' && change.kind !== 'REMIND' ? [change.id] : [],
          );
          expect(new Set(main).size).toBe(main.length);
          const acked = before.active
            .filter((alert) => alert.state === 'ACKED')
            .map(({ id }) => id);
          const ackEnded = alerts.alerts.flatMap((change) =>
            change.kind === 'ACK_ENDED' ? [change.id] : [],
          );
          for (const change of alerts.alerts) {
            if (change.kind !== 'REMIND') continue;
            expect(acked.includes(change.id)).toBe(ackEnded.includes(change.id));
          }
        }),
      ),
    );
  });

  test('a vendor alarm resolves only by a closed record, or by a complete answer that covers it', () => {
    fc.assert(
      fc.property(steps, (given) =>
        play(given, (before, { alerts }, result) => {
          for (const change of alerts.alerts) {
            const alert =
              'id' in change ? before.active.find(({ id }) => id === change.id) : undefined;
            if (change.kind !== 'RESOLVE' || alert?.type !== 'MOCK_FAULT') continue;
            if (result.kind === 'FAILURE') throw new Error('a failed poll resolved a vendor alarm');
            const answer = result.reading.alarms;
            if (answer === null || 'type' in answer)
              throw new Error('no answer resolved a vendor alarm');
            const records = answer.alarms.filter(
              ({ code, deviceSn }) => code === alert.vendorAlarmCode && deviceSn === alert.deviceSn,
            );
            expect(records.some(({ open }) => open)).toBe(false);
            const covers = answer.complete && Date.parse(answer.since) <= alert.startedAtMs;
            expect(records.length > 0 || covers).toBe(true);
          }
        }),
      ),
    );
  });

  test('no alert is announced twice within 6 h, but for a rise to RED', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const told = new Map<string, { notBeforeMs: number; severity: string; id: string }[]>();
        play(given, (before, { alerts }, _, nowMs) => {
          for (const [index, change] of alerts.alerts.entries()) {
            const alert = alertOf(before, change, nowMs, index);
            if (alert === null) continue;
            const list = told.get(keyOf(alert)) ?? [];
            told.set(keyOf(alert), list);
            if (change.kind === 'RESOLVE') {
              const due = list.filter(
                (other) => other.id !== alert.id || other.notBeforeMs <= nowMs,
              );
              told.set(keyOf(alert), due);
            }
            if (!('announce' in change) || change.announce === null || change.kind === 'RESOLVE')
              continue;
            const { notBeforeMs, kind } = change.announce;
            const last = list.at(-1);
            const isWorse = last?.severity === 'YELLOW' && alert.severity === 'RED';
            if (last !== undefined && kind !== 'ESCALATED' && !isWorse) {
              expect(notBeforeMs - last.notBeforeMs).toBeGreaterThan(6 * hourMs);
            }
            list.push({ notBeforeMs, severity: alert.severity, id: alert.id });
          }
        });
      }),
    );
  });

  test('nothing is announced while the plant is silenced, or paused by an operator', () => {
    fc.assert(
      fc.property(steps, (given) =>
        play(given, ({ plant }, { alerts }) => {
          const isQuiet =
            plant.alertsSilencedUntilMs !== null ||
            plant.integrationStatus === 'DISABLED_BY_OPERATOR';
          if (!isQuiet) return;
          for (const change of alerts.alerts) {
            expect('announce' in change ? change.announce : null).toBeNull();
          }
        }),
      ),
    );
  });

  test('OFFLINE is active exactly while an ACTIVE plant is RED for 24 h of silence', () => {
    fc.assert(
      fc.property(steps, (given) =>
        play(given, (before, { alerts }, _, nowMs) => {
          const { active } = applyAlertChanges(before, alerts.alerts, nowMs);
          const isOffline = active.some(({ type }) => type === 'OFFLINE');
          const { status, statusReason, lastSeenAtMs } = alerts.plant;
          if (statusReason === 'NOT_SEEN_24H') expect(isOffline).toBe(true);
          if (lastSeenAtMs !== null && nowMs - lastSeenAtMs <= dayMs) expect(isOffline).toBe(false);
          if (status === 'GREEN')
            expect(active.some(({ severity }) => severity === 'RED')).toBe(false);
        }),
      ),
    );
  });
});

/** The alert that a change is about, as it stands with the change. */
function alertOf(
  before: PollBefore,
  change: AlertChange,
  nowMs: number,
  index: number,
): (AlertKey & { id: string; severity: string }) | null {
  if (change.kind === 'RECORD_ENDED') return null;
  if (change.kind === 'RAISE') return { ...change.alert, id: `${nowMs}-${index}` };
  const alert = before.active.find(({ id }) => id === change.id);
  return alert === undefined
    ? null
    : { ...alert, severity: change.kind === 'RISE' ? change.severity : alert.severity };
}
