import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ActiveAlert,
  AlertBook,
  announceRaise,
  announceRecovery,
  announceRise,
  type Audience,
  type Condition,
  type EndedAlert,
  reminderOf,
} from './alerts.ts';
import { noonMs, sampleAlert } from '../test/support/plant-facts.ts';
import { hourMs, instantOf, localMinutesAt, minuteMs } from './zone.ts';

const madrid = 'Europe/Madrid';
/** FAULT is urgent while it is RED; what is withheld, a test says. */
const audienceWith = (different: Partial<Audience> = {}): Audience => ({
  timezone: madrid,
  silencedUntilMs: null,
  isPaused: false,
  isWithheld: () => false,
  isUrgent: ({ type, severity }) => type === 'FAULT' && severity === 'RED',
  ...different,
});
const all = audienceWith();
const silenced = audienceWith({ silencedUntilMs: noonMs + 1 });
const paused = audienceWith({ isPaused: true });
const withheld = audienceWith({ isWithheld: (type) => type === 'AWAY' });
const away = { type: 'AWAY', vendorAlarmCode: null, deviceSn: null };
const fault = { type: 'FAULT', vendorAlarmCode: '2032', deviceSn: 'INV-1' };
const red = { severity: 'RED' } as const;
const yellow = { severity: 'YELLOW' } as const;
/** The sample's alert, of types that no context knows. */
const alertOf = (different: Partial<ActiveAlert> = {}): ActiveAlert => ({
  ...sampleAlert(),
  type: 'FAULT',
  ...different,
});

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
  const told = (hhmm: string, alert: Pick<Condition, keyof typeof fault | 'severity'>) => {
    const nowMs = instantOf('2026-06-10', hhmm, madrid);
    return announceRaise(alert, [], all, nowMs).announce?.notBeforeMs;
  };
  const clock = (hhmm: string, date = '2026-06-10'): number => instantOf(date, hhmm, madrid);

  test('what is urgent is told at once, at any hour', () => {
    expect(told('03:00', { ...fault, ...red })).toBe(clock('03:00'));
  });

  test.each([
    ['06:59', '07:00', '2026-06-10'],
    ['07:00', '07:00', '2026-06-10'],
    ['19:59', '19:59', '2026-06-10'],
    ['20:00', '07:00', '2026-06-11'],
    ['23:59', '07:00', '2026-06-11'],
  ])('everything else at %s is told at %s on %s', (hhmm, expected, date) => {
    expect(told(hhmm, { ...away, ...red })).toBe(clock(expected, date));
    expect(told(hhmm, { ...fault, ...yellow })).toBe(clock(expected, date));
  });

  test('it is never night for the subject, never in the past, and within 11 h and a change of the clock', () => {
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
            { ...away, ...red },
            [],
            audienceWith({ timezone }),
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
    expect(announceRaise({ ...fault, ...red }, [], all, noonMs)).toEqual({
      announce: { kind: 'RAISED', notBeforeMs: noonMs },
      lastNotifiedAtMs: noonMs,
    });
  });

  test.each([
    ['the subject is silenced', { ...fault, ...red }, silenced],
    ['it is paused', { ...fault, ...red }, paused],
    ['it was open long before', { ...fault, ...red, muted: true }, all],
  ])('is not where %s', (_, alert, audience) => {
    expect(announceRaise(alert, [], audience, noonMs)).toEqual({
      announce: null,
      lastNotifiedAtMs: null,
    });
  });

  test('is announced in the millisecond in which the silence ends', () => {
    expect(announceRaise({ ...fault, ...red }, [], silenced, noonMs + 1).announce).not.toBeNull();
  });

  test('inherits from one of the same key that was announced up to 6 h ago, inclusive', () => {
    const inherits = (agoMs: number) => {
      const ended = [endedOf({ lastNotifiedAtMs: noonMs - agoMs })];
      return announceRaise({ ...fault, ...red }, ended, all, noonMs);
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
    expect(announceRaise({ ...fault, ...red }, ended, all, noonMs).announce).toBeNull();
  });

  test('inherits also where the vendor stated an end of long ago', () => {
    const ended = [endedOf({ resolvedAtMs: noonMs - 9 * hourMs })];
    expect(announceRaise({ ...fault, ...red }, ended, all, noonMs).announce).toBeNull();
  });

  test.each<[string, Partial<EndedAlert>]>([
    ['of another device', { deviceSn: 'INV-2' }],
    ['of another code', { vendorAlarmCode: '2033' }],
    ['of another type', { type: 'AWAY' }],
    ['that was never announced', { lastNotifiedAtMs: null }],
    ['whose announcement was still to come and was dropped', { lastNotifiedAtMs: noonMs + 1 }],
  ])('inherits nothing from one %s', (_, different) => {
    const ended = [endedOf(different)];
    expect(announceRaise({ ...fault, ...red }, ended, all, noonMs).announce).not.toBeNull();
  });

  test('of severity RED inherits nothing from a YELLOW one, but YELLOW from RED', () => {
    const { announce } = announceRaise(
      { ...fault, ...red },
      [endedOf({ severity: 'YELLOW' })],
      all,
      noonMs,
    );
    expect(announce).not.toBeNull();
    expect(announceRaise({ ...fault, ...yellow }, [endedOf({})], all, noonMs).announce).toBeNull();
  });

  test('inherits the newest of several', () => {
    const ended = [endedOf({ lastNotifiedAtMs: noonMs - hourMs }), endedOf({})];
    expect(announceRaise({ ...fault, ...red }, ended, all, noonMs).lastNotifiedAtMs).toBe(
      noonMs - hourMs,
    );
  });
});

describe('a rise', () => {
  test('is announced at once, whatever was announced a minute ago', () => {
    expect(announceRise({ ...fault, ...red }, all, noonMs)).toEqual({
      kind: 'ESCALATED',
      notBeforeMs: noonMs,
    });
  });

  test('is not announced while silenced', () => {
    expect(announceRise({ ...fault, ...red }, silenced, noonMs)).toBeNull();
  });
});

describe('an alert that stays', () => {
  const told = (agoMs: number, different: Partial<ActiveAlert> = {}): ActiveAlert =>
    alertOf({
      lastNotifiedAtMs: noonMs - agoMs,
      announcedNotBeforeMs: noonMs - agoMs,
      ...different,
    });

  test('is quiet at exactly 6 h, and announced again 1 ms later', () => {
    expect(reminderOf(told(6 * hourMs), all, noonMs)).toBeNull();
    expect(reminderOf(told(6 * hourMs + 1), all, noonMs)).toEqual({
      kind: 'REMINDER',
      notBeforeMs: noonMs,
    });
  });

  test.each<[string, Partial<ActiveAlert>, Audience]>([
    ['acknowledged', { state: 'ACKED' }, all],
    ['silenced', {}, silenced],
    ['paused', {}, paused],
  ])('is quiet while %s', (_, different, audience) => {
    expect(reminderOf(told(9 * hourMs, different), audience, noonMs)).toBeNull();
  });

  test('that a silence withheld is announced for the first time when it ends', () => {
    const never = alertOf({ lastNotifiedAtMs: null, announcedNotBeforeMs: null });
    expect(reminderOf(never, silenced, noonMs)).toBeNull();
    expect(reminderOf(never, silenced, noonMs + 1)).toMatchObject({ kind: 'RAISED' });
  });

  test('that inherited its announcement is announced for itself after 6 h', () => {
    const inherited = told(6 * hourMs + 1, { announcedNotBeforeMs: null });
    expect(reminderOf(inherited, all, noonMs)).toMatchObject({ kind: 'RAISED' });
  });

  test('whose announcement waits for the morning is not announced twice', () => {
    const waiting = told(7 * hourMs, { announcedNotBeforeMs: noonMs + minuteMs });
    expect(reminderOf(waiting, all, noonMs)).toBeNull();
    const justTold = told(10 * hourMs, { announcedNotBeforeMs: noonMs - minuteMs });
    expect(reminderOf(justTold, all, noonMs)).toBeNull();
  });

  test('and was open long before is never announced, unless a rise made it news', () => {
    const muted = { muted: true, announcedNotBeforeMs: null };
    expect(
      reminderOf(told(9 * hourMs, { ...muted, lastNotifiedAtMs: null }), all, noonMs),
    ).toBeNull();
    expect(reminderOf(told(9 * hourMs, { muted: true }), all, noonMs)).not.toBeNull();
  });
});

describe('a recovery', () => {
  test('is announced where the alert was', () => {
    expect(announceRecovery(alertOf(), all, noonMs)).toEqual({
      dropPending: true,
      announce: { kind: 'RECOVERED', notBeforeMs: noonMs },
    });
  });

  test('is told by day, also that of what was urgent', () => {
    const nightMs = instantOf('2026-06-11', '03:00', madrid);
    expect(announceRecovery(alertOf(), all, nightMs).announce?.notBeforeMs).toBe(
      instantOf('2026-06-11', '07:00', madrid),
    );
  });

  test('is dropped with an announcement that was not due yet, to the millisecond', () => {
    const at = (announcedNotBeforeMs: number) =>
      announceRecovery(alertOf({ announcedNotBeforeMs }), all, noonMs);
    expect(at(noonMs + 1)).toEqual({ dropPending: true, announce: null });
    expect(at(noonMs).announce).not.toBeNull();
  });

  test('is not announced where the alert never was', () => {
    const never = alertOf({ announcedNotBeforeMs: null });
    expect(announceRecovery(never, all, noonMs)).toEqual({ dropPending: false, announce: null });
  });

  test('is not announced while silenced, nor while the subject is paused', () => {
    expect(announceRecovery(alertOf(), silenced, noonMs).announce).toBeNull();
    expect(announceRecovery(alertOf(), paused, noonMs).announce).toBeNull();
  });
});

describe('what something else speaks for', () => {
  const never = { ...away, lastNotifiedAtMs: null, announcedNotBeforeMs: null };

  test('is neither announced nor reminded of, but its recovery is told where it was', () => {
    const told = noonMs - 7 * hourMs;
    const alert = alertOf({ ...away, lastNotifiedAtMs: told, announcedNotBeforeMs: told });
    expect(announceRaise({ ...away, ...red }, [], withheld, noonMs).announce).toBeNull();
    expect(announceRise({ ...away, ...red }, withheld, noonMs)).toBeNull();
    expect(reminderOf(alert, withheld, noonMs)).toBeNull();
    expect(reminderOf(alert, all, noonMs)?.kind).toBe('REMINDER');
    expect(announceRecovery(alert, withheld, noonMs).announce?.kind).toBe('RECOVERED');
  });

  test('is announced when that is over', () => {
    expect(reminderOf(alertOf(never), withheld, noonMs)).toBeNull();
    expect(reminderOf(alertOf(never), all, noonMs)?.kind).toBe('RAISED');
  });
});

describe('the book', () => {
  const bookOf = (active: ActiveAlert[]) => new AlertBook({ active, ended: [] }, all, noonMs);
  const condition = { ...fault, ...yellow, startedAtMs: noonMs, message: 'broken' };

  test('raises a condition once, also where two rules report it', () => {
    const book = bookOf([]);
    book.report(condition);
    book.report({ ...condition, message: 'broken again' });
    expect(book.changes).toMatchObject([{ kind: 'RAISE', alert: { message: 'broken' } }]);
    expect(book.standing()).toEqual([{ type: 'FAULT', severity: 'YELLOW' }]);
  });

  test('sees an active alert again, lets it rise, and lowers none', () => {
    const seen = (active: 'YELLOW' | 'RED', reported: 'YELLOW' | 'RED') => {
      const book = bookOf([alertOf({ severity: active, state: 'ACKED', id: '7' })]);
      book.report({ ...condition, severity: reported });
      return [book.changes.map(({ kind }) => kind), book.standing()[0]?.severity];
    };
    expect(seen('YELLOW', 'YELLOW')).toEqual([['SEEN'], 'YELLOW']);
    expect(seen('YELLOW', 'RED')).toEqual([['RISE'], 'RED']);
    expect(seen('RED', 'YELLOW')).toEqual([['SEEN'], 'RED']);
  });

  test('says of an active alert what our rules say now, and what a vendor said of the worst', () => {
    const changesOf = (active: 'YELLOW' | 'RED', reported: Partial<typeof condition>) => {
      const book = bookOf([alertOf({ severity: active, id: '7' })]);
      book.report({ ...condition, ...reported });
      return book.changes;
    };
    const ours = { message: '12 of 40 kWh' };
    const vendors = { message: 'hot', vendorLevel: '2', vendorText: 'HOT' };
    expect(changesOf('YELLOW', ours)).toEqual([{ kind: 'SEEN', id: '7', ...ours }]);
    expect(changesOf('YELLOW', vendors)).toEqual([{ kind: 'SEEN', id: '7' }]);
    expect(changesOf('YELLOW', { ...vendors, severity: 'RED' } as object)).toMatchObject([
      { kind: 'RISE', words: vendors },
    ]);
  });

  test.each([
    ['another device', { ...condition, deviceSn: 'INV-2' }],
    ['another code', { ...condition, vendorAlarmCode: '1' }],
    ['another type', { ...condition, type: 'AWAY' }],
  ])('gives %s an alert of its own', (_, other) => {
    const book = bookOf([alertOf()]);
    book.report(other);
    expect(book.changes).toMatchObject([{ kind: 'RAISE' }]);
    expect(book.standing()).toHaveLength(2);
  });

  test('ends an alert not before it began and not after now, and what it does not have not at all', () => {
    const ends = (endedAtMs: number) => {
      const book = bookOf([alertOf()]);
      book.resolve(fault, 'mended', endedAtMs);
      book.resolve(fault, 'mended twice', endedAtMs);
      expect(book.standing()).toEqual([]);
      return book.changes;
    };
    const began = alertOf().startedAtMs;
    expect(ends(began - 1)).toMatchObject([{ kind: 'RESOLVE', atMs: began, reason: 'mended' }]);
    expect(ends(noonMs + 1)).toMatchObject([{ kind: 'RESOLVE', atMs: noonMs }]);
  });

  test('makes an acknowledgement whose time is over NEW, and reminds in the same evaluation', () => {
    const told = noonMs - 7 * hourMs;
    const acked = (ackedUntilMs: number | null) => {
      const alert = { state: 'ACKED', ackedUntilMs, announcedNotBeforeMs: told } as const;
      const book = bookOf([alertOf({ ...alert, lastNotifiedAtMs: told })]);
      book.remind();
      return book.changes.map(({ kind }) => kind);
    };
    expect(acked(noonMs)).toEqual(['ACK_ENDED', 'REMIND']);
    expect(acked(noonMs + 1)).toEqual([]);
    expect(acked(null)).toEqual([]);
  });

  test('records what began and ended unseen, without a word to anybody', () => {
    const book = bookOf([]);
    book.recordEnded({ ...condition, startedAtMs: noonMs - hourMs }, noonMs - minuteMs);
    expect(book.changes).toMatchObject([
      { kind: 'RECORD_ENDED', endedAtMs: noonMs - minuteMs, alert: { lastNotifiedAtMs: null } },
    ]);
  });
});
