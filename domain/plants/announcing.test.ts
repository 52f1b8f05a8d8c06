import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  announceRaise,
  announceRecovery,
  announceRise,
  type Audience,
  reminderOf,
} from './announcing.ts';
import type { ActiveAlert, AlertSeverity, EndedAlert } from './facts.ts';
import { noonMs, sampleAlert, samplePlant as sampleFacts } from '../../test/support/plant-facts.ts';
import { hourMs, instantOf, localMinutesAt, minuteMs } from '../zone.ts';

const samplePlant = (different: Partial<Audience> = {}): Audience => ({
  ...sampleFacts(),
  inIncident: false,
  ...different,
});
const madrid = 'Europe/Madrid';
const plant = samplePlant();
const silenced = samplePlant({ alertsSilencedUntilMs: noonMs + 1 });
const disabled = samplePlant({ integrationStatus: 'DISABLED_BY_OPERATOR' });
const inIncident = samplePlant({ inIncident: true });
const offline = { type: 'OFFLINE', vendorAlarmCode: null, deviceSn: null } as const;
const fault = { type: 'MOCK_FAULT', vendorAlarmCode: '2032', deviceSn: 'INV-1' } as const;
const red = { severity: 'RED', muted: false } as const;
const yellow = { severity: 'YELLOW', muted: false } as const;

function endedOf(different: Partial<EndedAlert>): EndedAlert {
  return {
    ...fault,
    severity: 'RED',
    startedAtMs: noonMs - 4 * hourMs,
    resolvedAtMs: noonMs - hourMs,
    lastNotifiedAtMs: noonMs - 3 * hourMs,
    ...different,
  };
}

describe('when people are told', () => {
  const told = (hhmm: string, alert: { type: ActiveAlert['type']; severity: AlertSeverity }) => {
    const nowMs = instantOf('2026-06-10', hhmm, madrid);
    const whole = { ...fault, ...alert, muted: false };
    return announceRaise(whole, [], plant, nowMs).announce?.notBeforeMs;
  };
  const clock = (hhmm: string, date = '2026-06-10'): number => instantOf(date, hhmm, madrid);
  const quiet = { type: 'OFFLINE', severity: 'RED' } as const;

  test('a RED vendor alarm is told at once, at any hour', () => {
    expect(told('03:00', { type: 'MOCK_FAULT', severity: 'RED' })).toBe(clock('03:00'));
  });

  test.each([
    ['06:59', '07:00', '2026-06-10'],
    ['07:00', '07:00', '2026-06-10'],
    ['19:59', '19:59', '2026-06-10'],
    ['20:00', '07:00', '2026-06-11'],
    ['23:59', '07:00', '2026-06-11'],
  ])('everything else at %s is told at %s on %s', (hhmm, expected, date) => {
    expect(told(hhmm, quiet)).toBe(clock(expected, date));
    expect(told(hhmm, { type: 'MOCK_FAULT', severity: 'YELLOW' })).toBe(clock(expected, date));
  });

  test('it is never night for the plant, never in the past, and within 11 h and a change of the clock', () => {
    const zones = [
      'Europe/Madrid',
      'Asia/Kathmandu',
      'Pacific/Kiritimati',
      'America/Santiago',
      'Australia/Lord_Howe',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: noonMs, max: noonMs + 700 * 24 * hourMs }),
        (timezone, nowMs) => {
          const { announce } = announceRaise(
            { ...offline, ...red },
            [],
            samplePlant({ timezone }),
            nowMs,
          );
          const notBeforeMs = announce?.notBeforeMs ?? NaN;
          expect(notBeforeMs).toBeGreaterThanOrEqual(nowMs);
          expect(notBeforeMs - nowMs).toBeLessThanOrEqual(12 * hourMs);
          const minutes = localMinutesAt(notBeforeMs, timezone);
          expect(minutes >= 7 * 60 && minutes < 20 * 60).toBe(true);
        },
      ),
    );
  });
});

describe('a new alert', () => {
  test('is announced, and remembers when', () => {
    expect(announceRaise({ ...fault, ...red }, [], plant, noonMs)).toEqual({
      announce: { kind: 'RAISED', notBeforeMs: noonMs },
      lastNotifiedAtMs: noonMs,
    });
  });

  test.each([
    ['the plant is silenced', { ...fault, ...red }, silenced],
    ['an operator has it paused', { ...fault, ...red }, disabled],
    ['it was open long before', { ...fault, ...red, muted: true }, plant],
  ])('is not where %s', (_, alert, audience) => {
    expect(announceRaise(alert, [], audience, noonMs)).toEqual({
      announce: null,
      lastNotifiedAtMs: null,
    });
  });

  test('is announced in the millisecond in which the silence ends', () => {
    expect(announceRaise({ ...fault, ...red }, [], silenced, noonMs + 1).announce).not.toBeNull();
  });

  test('is announced where the credentials were refused: that is news', () => {
    const refused = samplePlant({ integrationStatus: 'PAUSED_AUTH_ERROR' });
    expect(announceRaise({ ...fault, ...red }, [], refused, noonMs).announce).not.toBeNull();
  });

  test('inherits from one of the same key that was announced up to 6 h ago, inclusive', () => {
    const inherits = (agoMs: number) => {
      const ended = [endedOf({ lastNotifiedAtMs: noonMs - agoMs })];
      return announceRaise({ ...fault, ...red }, ended, plant, noonMs);
    };
    expect(inherits(6 * hourMs)).toEqual({
      announce: null,
      lastNotifiedAtMs: noonMs - 6 * hourMs,
    });
    expect(inherits(6 * hourMs + 1)).toEqual({
      announce: { kind: 'RAISED', notBeforeMs: noonMs },
      lastNotifiedAtMs: noonMs,
    });
  });

  test('inherits an announcement of this very millisecond', () => {
    const ended = [endedOf({ lastNotifiedAtMs: noonMs })];
    expect(announceRaise({ ...fault, ...red }, ended, plant, noonMs).announce).toBeNull();
  });

  test('inherits also where the vendor stated an end of long ago', () => {
    const ended = [endedOf({ resolvedAtMs: noonMs - 9 * hourMs })];
    expect(announceRaise({ ...fault, ...red }, ended, plant, noonMs).announce).toBeNull();
  });

  test.each<[string, Partial<EndedAlert>]>([
    ['of another device', { deviceSn: 'INV-2' }],
    ['of another code', { vendorAlarmCode: '2033' }],
    ['of another type', { type: 'API_ERROR' }],
    ['that was never announced', { lastNotifiedAtMs: null }],
    ['whose announcement was still to come and was dropped', { lastNotifiedAtMs: noonMs + 1 }],
  ])('inherits nothing from one %s', (_, different) => {
    const ended = [endedOf(different)];
    expect(announceRaise({ ...fault, ...red }, ended, plant, noonMs).announce).not.toBeNull();
  });

  test('of severity RED inherits nothing from a YELLOW one, but YELLOW from RED', () => {
    const { announce } = announceRaise(
      { ...fault, ...red },
      [endedOf({ severity: 'YELLOW' })],
      plant,
      noonMs,
    );
    expect(announce).not.toBeNull();
    expect(
      announceRaise({ ...fault, ...yellow }, [endedOf({})], plant, noonMs).announce,
    ).toBeNull();
  });

  test('inherits the newest of several', () => {
    const ended = [endedOf({ lastNotifiedAtMs: noonMs - hourMs }), endedOf({})];
    expect(announceRaise({ ...fault, ...red }, ended, plant, noonMs).lastNotifiedAtMs).toBe(
      noonMs - hourMs,
    );
  });
});

describe('a rise', () => {
  test('is announced at once, whatever was announced a minute ago', () => {
    expect(announceRise({ type: 'MOCK_FAULT', severity: 'RED' }, plant, noonMs)).toEqual({
      kind: 'ESCALATED',
      notBeforeMs: noonMs,
    });
  });

  test('is not announced while silenced', () => {
    expect(announceRise({ type: 'MOCK_FAULT', severity: 'RED' }, silenced, noonMs)).toBeNull();
  });
});

describe('an alert that stays', () => {
  const told = (agoMs: number, different: Partial<ActiveAlert> = {}): ActiveAlert =>
    sampleAlert({
      lastNotifiedAtMs: noonMs - agoMs,
      announcedNotBeforeMs: noonMs - agoMs,
      ...different,
    });

  test('is quiet at exactly 6 h, and announced again 1 ms later', () => {
    expect(reminderOf(told(6 * hourMs), plant, noonMs)).toBeNull();
    expect(reminderOf(told(6 * hourMs + 1), plant, noonMs)).toEqual({
      kind: 'REMINDER',
      notBeforeMs: noonMs,
    });
  });

  test.each<[string, Partial<ActiveAlert>, ReturnType<typeof samplePlant>]>([
    ['acknowledged', { state: 'ACKED' }, plant],
    ['silenced', {}, silenced],
    ['paused by an operator', {}, disabled],
  ])('is quiet while %s', (_, different, audience) => {
    expect(reminderOf(told(9 * hourMs, different), audience, noonMs)).toBeNull();
  });

  test('that a silence withheld is announced for the first time when it ends', () => {
    const withheld = sampleAlert({ lastNotifiedAtMs: null, announcedNotBeforeMs: null });
    expect(reminderOf(withheld, silenced, noonMs)).toBeNull();
    expect(reminderOf(withheld, silenced, noonMs + 1)).toMatchObject({ kind: 'RAISED' });
  });

  test('that inherited its announcement is announced for itself after 6 h', () => {
    const inherited = told(6 * hourMs + 1, { announcedNotBeforeMs: null });
    expect(reminderOf(inherited, plant, noonMs)).toMatchObject({ kind: 'RAISED' });
  });

  test('whose announcement waits for the morning is not announced twice', () => {
    const waiting = told(7 * hourMs, { announcedNotBeforeMs: noonMs + minuteMs });
    expect(reminderOf(waiting, plant, noonMs)).toBeNull();
    const justTold = told(10 * hourMs, { announcedNotBeforeMs: noonMs - minuteMs });
    expect(reminderOf(justTold, plant, noonMs)).toBeNull();
  });

  test('and was open long before is never announced, unless a rise made it news', () => {
    const muted = { muted: true, announcedNotBeforeMs: null };
    expect(
      reminderOf(told(9 * hourMs, { ...muted, lastNotifiedAtMs: null }), plant, noonMs),
    ).toBeNull();
    expect(reminderOf(told(9 * hourMs, { muted: true }), plant, noonMs)).not.toBeNull();
  });
});

describe('a recovery', () => {
  test('is announced where the alert was', () => {
    expect(announceRecovery(sampleAlert(), plant, noonMs)).toEqual({
      dropPending: true,
      announce: { kind: 'RECOVERED', notBeforeMs: noonMs },
    });
  });

  test('is told by day, also that of a RED vendor alarm', () => {
    const nightMs = instantOf('2026-06-11', '03:00', madrid);
    expect(announceRecovery(sampleAlert(), plant, nightMs).announce?.notBeforeMs).toBe(
      instantOf('2026-06-11', '07:00', madrid),
    );
  });

  test('is dropped with an announcement that was not due yet, to the millisecond', () => {
    const at = (announcedNotBeforeMs: number) =>
      announceRecovery(sampleAlert({ announcedNotBeforeMs }), plant, noonMs);
    expect(at(noonMs + 1)).toEqual({ dropPending: true, announce: null });
    expect(at(noonMs).announce).not.toBeNull();
  });

  test('is not announced where the alert never was', () => {
    const never = sampleAlert({ announcedNotBeforeMs: null });
    expect(announceRecovery(never, plant, noonMs)).toEqual({ dropPending: false, announce: null });
  });

  test('is not announced while silenced, nor while an operator has the plant paused', () => {
    expect(announceRecovery(sampleAlert(), silenced, noonMs).announce).toBeNull();
    expect(announceRecovery(sampleAlert(), disabled, noonMs).announce).toBeNull();
  });
});

describe("while the plant's brand does not answer", () => {
  const told = noonMs - 7 * hourMs;
  const alertOf = (type: ActiveAlert['type']) =>
    sampleAlert({ type, lastNotifiedAtMs: told, announcedNotBeforeMs: told });

  test.each(['OFFLINE', 'API_ERROR', 'LOW_GENERATION'] as const)(
    '%s is neither announced nor reminded of, but its recovery is told where it was',
    (type) => {
      const key = { type, vendorAlarmCode: null, deviceSn: null };
      const fresh = { ...key, severity: 'RED' as const, muted: false };
      expect(announceRaise(fresh, [], inIncident, noonMs).announce).toBeNull();
      expect(announceRise(fresh, inIncident, noonMs)).toBeNull();
      expect(reminderOf(alertOf(type), inIncident, noonMs)).toBeNull();
      expect(reminderOf(alertOf(type), plant, noonMs)?.kind).toBe('REMINDER');
      expect(announceRecovery(alertOf(type), inIncident, noonMs).announce?.kind).toBe('RECOVERED');
    },
  );

  test.each(['MOCK_FAULT', 'DEVICE_DOWN'] as const)('%s is announced as ever', (type) => {
    expect(reminderOf(alertOf(type), inIncident, noonMs)?.kind).toBe('REMINDER');
  });

  test('what was withheld is announced when that is over', () => {
    const never = sampleAlert({
      type: 'API_ERROR',
      lastNotifiedAtMs: null,
      announcedNotBeforeMs: null,
    });
    expect(reminderOf(never, inIncident, noonMs)).toBeNull();
    expect(reminderOf(never, plant, noonMs)?.kind).toBe('RAISED');
  });
});
