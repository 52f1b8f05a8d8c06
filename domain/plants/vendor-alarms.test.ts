import { describe, expect, test } from 'vitest';
import { decideAlerts } from './alerts.ts';
import type { AlertChange, Booked } from './changes.ts';
import type { ActiveAlert, AlertsBefore, EndedAlert } from './facts.ts';
import {
  noonMs,
  sampleAlarm,
  sampleAlert,
  sampleAnswer,
  sampleBefore,
  samplePlant,
  sampleReading,
} from '../../test/support/plant-facts.ts';
import type { Reading } from './reading.ts';
import { alarmsDue, alarmsSince } from './vendor-alarms.ts';
import { dayMs, hourMs, minuteMs } from '../zone.ts';

const at = (ms: number): string => new Date(ms).toISOString();
const booked: Booked = {
  bookedDate: null,
  todayEnergyKwh: null,
  powerW: null,
  lifetimeEnergyKwh: null,
  sourceTimeMs: noonMs,
  seenAtMs: noonMs,
  seenSource: 'VENDOR',
};

/** The changes of alerts by a poll at noon that brought this answer. */
function changes(alarms: Reading['alarms'], before: Partial<AlertsBefore> = {}): AlertChange[] {
  const result = sampleReading({}, alarms);
  const poll = { slotMs: noonMs, nowMs: noonMs, result, booked };
  return decideAlerts(sampleBefore(before), poll).alerts;
}

const active = (different: Partial<ActiveAlert> = {}): Partial<AlertsBefore> => ({
  active: [sampleAlert(different)],
});
const ended: EndedAlert = {
  type: 'MOCK_FAULT',
  vendorAlarmCode: '2032',
  deviceSn: 'INV-1',
  severity: 'RED',
  startedAtMs: noonMs - 3 * hourMs,
  resolvedAtMs: noonMs - 2 * hourMs,
  lastNotifiedAtMs: null,
};

describe('an open alarm', () => {
  test("is raised with the vendor's words, level and start", () => {
    expect(changes(sampleAnswer([sampleAlarm()]))).toEqual([
      {
        kind: 'RAISE',
        alert: {
          type: 'MOCK_FAULT',
          vendorAlarmCode: '2032',
          deviceSn: 'INV-1',
          severity: 'RED',
          startedAtMs: noonMs - 30 * minuteMs,
          message: "Grid loss on device INV-1 (the vendor's code 2032, level 1).",
          vendorLevel: '1',
          vendorText: 'Grid loss',
          muted: false,
          lastNotifiedAtMs: noonMs,
        },
        announce: { kind: 'RAISED', notBeforeMs: noonMs },
      },
    ]);
  });

  test('without a device or words still reads as a sentence', () => {
    const [change] = changes(sampleAnswer([sampleAlarm({ deviceSn: null, text: '' })]));
    expect(change).toMatchObject({
      alert: { message: "Vendor alarm (the vendor's code 2032, level 1)." },
    });
  });

  test.each([
    ['CRITICAL', false, 'RED'],
    ['HIGH', false, 'RED'],
    ['MEDIUM', false, 'YELLOW'],
    ['LOW', false, 'YELLOW'],
    ['CRITICAL', true, 'YELLOW'],
    ['LOW', true, 'YELLOW'],
  ] as const)('of severity %s (communication: %s) is %s', (severity, communication, expected) => {
    expect(changes(sampleAnswer([sampleAlarm({ severity, communication })]))).toMatchObject([
      { kind: 'RAISE', alert: { severity: expected } },
    ]);
  });

  test('seen again changes nothing else, also when it got milder', () => {
    const milder = sampleAnswer([sampleAlarm({ severity: 'LOW' })]);
    expect(changes(milder, active())).toEqual([{ kind: 'SEEN', id: '1' }]);
  });

  test('that got worse raises the alert and makes an acknowledged one NEW, announced at once', () => {
    const acked = active({
      severity: 'YELLOW',
      state: 'ACKED',
      lastNotifiedAtMs: noonMs - minuteMs,
    });
    expect(changes(sampleAnswer([sampleAlarm()]), acked)).toEqual([
      {
        kind: 'RISE',
        id: '1',
        severity: 'RED',
        words: {
          message: "Grid loss on device INV-1 (the vendor's code 2032, level 1).",
          vendorLevel: '1',
          vendorText: 'Grid loss',
        },
        announce: { kind: 'ESCALATED', notBeforeMs: noonMs },
      },
    ]);
  });

  test('is told apart by code, device and type', () => {
    const others = [sampleAlarm({ deviceSn: null }), sampleAlarm({ code: '2033' })];
    const raised = changes(sampleAnswer([sampleAlarm(), ...others]), {
      active: [sampleAlert({ type: 'API_ERROR', vendorAlarmCode: '2032', deviceSn: 'INV-1' })],
    }).filter((change) => change.kind === 'RAISE');
    expect(raised).toHaveLength(3);
  });

  test('of an incomplete answer counts as any other', () => {
    expect(changes(sampleAnswer([sampleAlarm()], { complete: false }))).toMatchObject([
      { kind: 'RAISE' },
    ]);
  });

  test('does not begin before the last alert of its key has ended', () => {
    const again = sampleAnswer([sampleAlarm({ startedAt: at(ended.startedAtMs) })]);
    expect(changes(again, { ended: [ended] })).toMatchObject([
      { kind: 'RAISE', alert: { startedAtMs: ended.resolvedAtMs } },
    ]);
  });
});

describe('records of one key in an answer', () => {
  test('are merged: open if one is, the first start, the worst level', () => {
    const answer = sampleAnswer([
      sampleAlarm({ severity: 'LOW', vendorLevel: '4' }),
      sampleAlarm({
        open: false,
        startedAt: at(noonMs - 2 * hourMs),
        endedAt: at(noonMs - hourMs),
      }),
    ]);
    expect(changes(answer)).toMatchObject([
      {
        kind: 'RAISE',
        alert: { severity: 'RED', vendorLevel: '1', startedAtMs: noonMs - 2 * hourMs },
      },
    ]);
  });

  test('keep the words of the worst, whichever comes first, and of the first among equals', () => {
    const records = [
      sampleAlarm({ severity: 'HIGH', text: 'Worst' }),
      sampleAlarm({ severity: 'LOW', text: 'Mild' }),
      sampleAlarm({ severity: 'CRITICAL', text: 'As bad' }),
    ];
    expect(changes(sampleAnswer(records))).toMatchObject([{ alert: { vendorText: 'Worst' } }]);
    expect(changes(sampleAnswer(records.slice(1)))).toMatchObject([
      { alert: { vendorText: 'As bad' } },
    ]);
  });

  test('that are all closed end with the latest end', () => {
    const closed = sampleAlarm({ open: false, startedAt: at(noonMs - 2 * hourMs) });
    const answer = sampleAnswer([
      { ...closed, endedAt: at(noonMs - 40 * minuteMs) },
      { ...closed, endedAt: null },
      { ...closed, endedAt: at(noonMs - 20 * minuteMs) },
    ]);
    expect(changes(answer)).toMatchObject([
      { kind: 'RECORD_ENDED', endedAtMs: noonMs - 20 * minuteMs },
    ]);
  });
});

describe('an alert resolves', () => {
  test('when the vendor says closed, at the end that it states', () => {
    const endedAt = at(noonMs - 10 * minuteMs);
    const closed = sampleAnswer([sampleAlarm({ open: false, endedAt })], { complete: false });
    expect(changes(closed, active())).toEqual([
      {
        kind: 'RESOLVE',
        id: '1',
        atMs: noonMs - 10 * minuteMs,
        reason: 'The vendor says that it is closed.',
        dropPending: true,
        announce: { kind: 'RECOVERED', notBeforeMs: noonMs },
      },
    ]);
  });

  test.each([
    ['stated for the future', at(noonMs + hourMs)],
    ['not stated', null],
  ])('now, where its end is %s', (_, endedAt) => {
    const closed = sampleAnswer([sampleAlarm({ open: false, endedAt })]);
    expect(changes(closed, active())).toMatchObject([{ kind: 'RESOLVE', atMs: noonMs }]);
  });

  test('by a record that ended when the alert began, not by one that ended before', () => {
    const touching = sampleAlarm({ open: false, endedAt: at(noonMs - hourMs) });
    expect(changes(sampleAnswer([touching], { complete: false }), active())).toMatchObject([
      { kind: 'RESOLVE', atMs: noonMs - hourMs },
    ]);
    const older = sampleAnswer([sampleAlarm({ open: false, endedAt: at(noonMs - 2 * hourMs) })], {
      complete: false,
    });
    expect(changes(older, active())).toEqual([]);
    const complete = { ...older, complete: true } as Reading['alarms'];
    expect(changes(complete, active())).toMatchObject([
      { kind: 'RESOLVE', atMs: noonMs, reason: "No longer in the vendor's complete answer." },
    ]);
  });

  test('when a complete answer that covers its start no longer holds it', () => {
    const startedAtMs = noonMs - 2 * hourMs;
    const covering = sampleAnswer([], { sinceMs: startedAtMs });
    const later = sampleAnswer([], { sinceMs: startedAtMs + 1 });
    expect(changes(covering, active({ startedAtMs }))).toMatchObject([
      { kind: 'RESOLVE', id: '1', atMs: noonMs },
    ]);
    expect(changes(later, active({ startedAtMs }))).toEqual([]);
  });

  test.each<[string, Reading['alarms']]>([
    ['failed', { type: 'VENDOR_ERROR', message: 'the vendor is away' }],
    ['truncated', sampleAnswer([], { complete: false })],
    ['not asked for', null],
  ])('never by an answer that was %s', (_, alarms) => {
    expect(changes(alarms, active())).toEqual([]);
  });

  test('only if it is a vendor alarm', () => {
    const low = { type: 'LOW_GENERATION', vendorAlarmCode: null, deviceSn: null } as const;
    expect(changes(sampleAnswer([]), active(low))).toEqual([]);
  });
});

describe('an alarm that began and ended unseen', () => {
  const startedAt = at(noonMs - 50 * minuteMs);
  const endedAt = at(noonMs - 40 * minuteMs);
  const unseen = sampleAlarm({ open: false, startedAt, endedAt });

  test('is recorded and not announced', () => {
    expect(changes(sampleAnswer([unseen]))).toMatchObject([
      {
        kind: 'RECORD_ENDED',
        alert: { severity: 'RED', startedAtMs: noonMs - 50 * minuteMs, lastNotifiedAtMs: null },
        endedAtMs: noonMs - 40 * minuteMs,
      },
    ]);
  });

  test('is recorded once per key and start', () => {
    const stored = {
      ...ended,
      startedAtMs: noonMs - 50 * minuteMs,
      resolvedAtMs: noonMs - 40 * minuteMs,
    };
    expect(changes(sampleAnswer([unseen]), { ended: [stored] })).toEqual([]);
    expect(
      changes(sampleAnswer([unseen]), { ended: [{ ...stored, deviceSn: 'INV-2' }] }),
    ).toMatchObject([{ kind: 'RECORD_ENDED' }]);
    expect(changes(sampleAnswer([unseen]), { ended: [ended] })).toMatchObject([
      { kind: 'RECORD_ENDED' },
    ]);
  });

  test('is not recorded beside a stored alert of its key that it overlaps', () => {
    const overlapping = {
      ...ended,
      startedAtMs: noonMs - 45 * minuteMs,
      resolvedAtMs: noonMs - 30 * minuteMs,
    };
    expect(changes(sampleAnswer([unseen]), { ended: [overlapping] })).toEqual([]);
    const before = {
      ...overlapping,
      startedAtMs: noonMs - hourMs,
      resolvedAtMs: noonMs - 50 * minuteMs,
    };
    expect(changes(sampleAnswer([unseen]), { ended: [before] })).toMatchObject([
      { kind: 'RECORD_ENDED' },
    ]);
    const after = { ...overlapping, startedAtMs: noonMs - 40 * minuteMs };
    expect(changes(sampleAnswer([unseen]), { ended: [after] })).toMatchObject([
      { kind: 'RECORD_ENDED' },
    ]);
  });

  test('is none of ours where it began before the answer reaches back', () => {
    const sinceMs = noonMs - 50 * minuteMs;
    expect(changes(sampleAnswer([unseen], { sinceMs }))).toHaveLength(1);
    expect(changes(sampleAnswer([unseen], { sinceMs: sinceMs + 1 }))).toEqual([]);
  });

  test('never ends before it began, nor in the future', () => {
    const odd = (endsAt: string | null): AlertChange[] =>
      changes(sampleAnswer([{ ...unseen, endedAt: endsAt }]));
    expect(odd(at(noonMs - 60 * minuteMs))).toMatchObject([{ endedAtMs: noonMs - 50 * minuteMs }]);
    expect(odd(at(noonMs + hourMs))).toMatchObject([{ endedAtMs: noonMs }]);
  });
});

describe('what was open a day before the activation', () => {
  const activatedAtMs = noonMs - hourMs;
  const first = { plant: samplePlant({ activatedAtMs, alarmsCompleteAtMs: null }) };
  const began = (agoMs: number): Reading['alarms'] =>
    sampleAnswer([sampleAlarm({ startedAt: at(activatedAtMs - agoMs) })], {
      sinceMs: activatedAtMs - dayMs,
    });

  test('is recorded and not announced, by the first answer', () => {
    expect(changes(began(dayMs + 1), first)).toMatchObject([
      { kind: 'RAISE', alert: { muted: true, lastNotifiedAtMs: null }, announce: null },
    ]);
  });

  test('is announced where it began exactly a day before, or in a later answer', () => {
    expect(changes(began(dayMs), first)).toMatchObject([
      { alert: { muted: false }, announce: { kind: 'RAISED' } },
    ]);
    const later = { plant: samplePlant({ activatedAtMs }) };
    expect(changes(began(dayMs + 1), later)).toMatchObject([
      { alert: { muted: false }, announce: { kind: 'RAISED' } },
    ]);
  });
});

describe('alarmsDue', () => {
  const due = (agoMs: number | null): boolean =>
    alarmsDue({ alarmsCompleteAtMs: agoMs === null ? null : noonMs - agoMs }, 900, noonMs);

  test('from the first poll on, and once an interval, less a tenth for jitter', () => {
    expect(due(null)).toBe(true);
    expect(due(15 * minuteMs)).toBe(true);
    expect(due(13.5 * minuteMs)).toBe(true);
    expect(due(13.5 * minuteMs - 1)).toBe(false);
  });
});

describe('alarmsSince', () => {
  const plant = { activatedAtMs: noonMs - 2 * hourMs, alarmsCompleteAtMs: noonMs - hourMs };
  const firstTime = { ...plant, alarmsCompleteAtMs: null };

  test('is an hour before the last complete answer', () => {
    expect(alarmsSince(plant, null, noonMs)).toBe(noonMs - 2 * hourMs);
  });

  test('is an hour before the oldest active alert began, if that is earlier', () => {
    expect(alarmsSince(plant, noonMs - 30 * hourMs, noonMs)).toBe(noonMs - 31 * hourMs);
    expect(alarmsSince(plant, noonMs - minuteMs, noonMs)).toBe(noonMs - 2 * hourMs);
  });

  test('is a day before the activation the first time, or earlier for what is open already', () => {
    expect(alarmsSince(firstTime, null, noonMs)).toBe(noonMs - 26 * hourMs);
    expect(alarmsSince(firstTime, noonMs - 30 * hourMs, noonMs)).toBe(noonMs - 31 * hourMs);
    expect(alarmsSince({ ...firstTime, activatedAtMs: null }, null, noonMs)).toBe(noonMs - dayMs);
  });
});
