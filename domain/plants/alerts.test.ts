import { describe, expect, test } from 'vitest';
import { decideAlerts, outcomeOf } from './alerts.ts';
import type { AlertsChanges, Booked } from './changes.ts';
import type { ActiveAlert, AlertsBefore, ClosingVerdict, PollResult } from './facts.ts';
import {
  noonMs,
  sampleAlarm,
  sampleAlert,
  sampleAnswer,
  sampleBefore,
  samplePlant,
  sampleReading,
  sampleWeek,
  today,
} from '../../test/support/plant-facts.ts';
import type { AdapterErrorType } from './plant.ts';
import type { VendorFailure } from './reading.ts';
import { hourMs } from '../zone.ts';

const booked: Booked = {
  bookedDate: today,
  todayEnergyKwh: 15,
  powerW: 7_000,
  lifetimeEnergyKwh: null,
  sourceTimeMs: noonMs,
  seenAtMs: noonMs,
  seenSource: 'VENDOR',
};
const unseen: Booked = { ...booked, sourceTimeMs: null, seenAtMs: null, seenSource: null };

function failure(
  type: AdapterErrorType = 'VENDOR_ERROR',
  credentialsCurrent = true,
): Extract<PollResult, { kind: 'FAILURE' }> {
  return { kind: 'FAILURE', failure: { type, message: 'the vendor is away' }, credentialsCurrent };
}

/** A poll at noon; a reading without alarms unless it says otherwise. */
function poll(
  before: Partial<AlertsBefore>,
  result: PollResult = sampleReading(),
  bookedNow: Booked | null = result.kind === 'READING' ? booked : null,
): AlertsChanges {
  const occasion = { slotMs: noonMs, nowMs: noonMs, result, booked: bookedNow };
  return decideAlerts(sampleBefore(before), occasion);
}

/** An evaluation at noon without a reading. */
function evaluate(
  before: Partial<AlertsBefore>,
  closing: ClosingVerdict | null = null,
): AlertsChanges {
  return decideAlerts(sampleBefore(before), { nowMs: noonMs, closing, result: null });
}

const kinds = (changes: AlertsChanges): string[] => changes.alerts.map((change) => change.kind);
const apiError = (vendorAlarmCode: string, different: Partial<ActiveAlert> = {}): ActiveAlert =>
  sampleAlert({
    type: 'API_ERROR',
    vendorAlarmCode,
    deviceSn: null,
    severity: 'YELLOW',
    ...different,
  });
const offline = sampleAlert({ type: 'OFFLINE', vendorAlarmCode: null, deviceSn: null });
const low = sampleAlert({
  type: 'LOW_GENERATION',
  vendorAlarmCode: null,
  deviceSn: null,
  severity: 'YELLOW',
});

describe('last seen', () => {
  test('is the newest measurement time, with its source', () => {
    expect(poll({}).plant).toMatchObject({ lastSeenAtMs: noonMs, lastSeenSource: 'VENDOR' });
    const evidence = { ...booked, seenSource: 'EVIDENCE' } as const;
    expect(poll({}, sampleReading(), evidence).plant).toMatchObject({
      lastSeenAtMs: noonMs,
      lastSeenSource: 'EVIDENCE',
    });
  });

  test('never goes back', () => {
    const older = { ...booked, seenAtMs: noonMs - hourMs, seenSource: 'EVIDENCE' } as const;
    expect(poll({}, sampleReading(), older).plant).toMatchObject({
      lastSeenAtMs: noonMs - 600_000,
      lastSeenSource: 'VENDOR',
    });
  });

  test('keeps its source where the same time is stated again', () => {
    const same = { ...booked, seenAtMs: noonMs - 600_000, seenSource: 'EVIDENCE' } as const;
    expect(poll({}, sampleReading(), same).plant.lastSeenSource).toBe('VENDOR');
  });

  test('stays where a reading holds no sign of life, and where the poll failed', () => {
    for (const changes of [poll({}, sampleReading(), unseen), poll({}, failure())]) {
      expect(changes.plant).toMatchObject({
        lastSeenAtMs: noonMs - 600_000,
        lastSeenSource: 'VENDOR',
      });
    }
  });
});

describe('failed polls', () => {
  const failedBefore = (consecutiveFailures: number): Partial<AlertsBefore> => ({
    plant: samplePlant({ consecutiveFailures }),
  });

  test('count this poll before alerts are judged: the third in a row raises POLL, YELLOW', () => {
    const second = poll(failedBefore(1), failure());
    expect(second.plant.consecutiveFailures).toBe(2);
    expect(second.alerts).toEqual([]);
    const third = poll(failedBefore(2), failure());
    expect(third.plant.consecutiveFailures).toBe(3);
    expect(third.alerts).toMatchObject([
      {
        kind: 'RAISE',
        alert: {
          type: 'API_ERROR',
          vendorAlarmCode: 'POLL',
          deviceSn: null,
          severity: 'YELLOW',
          startedAtMs: noonMs,
          message: '3 polls in a row failed, the last one so: the vendor is away.',
        },
        announce: { kind: 'RAISED' },
      },
    ]);
    expect(third.plant).toMatchObject({ status: 'GREEN', statusReason: 'SEEN_RECENTLY' });
  });

  test('after the third are the same alert', () => {
    const fourth = poll({ ...failedBefore(3), active: [apiError('POLL')] }, failure());
    expect(fourth.alerts).toEqual([
      {
        kind: 'SEEN',
        id: '1',
        message: '4 polls in a row failed, the last one so: the vendor is away.',
      },
    ]);
  });

  test.each<[string, PollResult]>([
    ['OK', sampleReading()],
    ['PARTIAL', sampleReading({}, { type: 'VENDOR_ERROR', message: 'no alarms' })],
  ])('end with the first %s poll', (_, result) => {
    const changes = poll({ ...failedBefore(7), active: [apiError('POLL')] }, result);
    expect(changes.plant.consecutiveFailures).toBe(0);
    expect(changes.alerts).toMatchObject([{ kind: 'RESOLVE', id: '1', atMs: noonMs }]);
  });

  test('are left as they are by an evaluation without a reading', () => {
    const changes = evaluate({ ...failedBefore(7), active: [apiError('POLL')] });
    expect(changes.plant.consecutiveFailures).toBe(7);
    expect(changes.alerts).toEqual([]);
  });
});

describe('refused credentials', () => {
  test('pause the account: AUTH is RED, the plant GREY in the same evaluation', () => {
    const changes = poll({}, failure('AUTH_FAILED'));
    expect(changes.pauseAccount).toBe(true);
    expect(changes.plant).toMatchObject({
      status: 'GREY',
      statusReason: 'PAUSED_AUTH_ERROR',
      statusSinceMs: noonMs,
      consecutiveFailures: 1,
    });
    expect(changes.alerts).toMatchObject([
      {
        kind: 'RAISE',
        alert: { vendorAlarmCode: 'AUTH', severity: 'RED' },
        announce: { kind: 'RAISED' },
      },
    ]);
  });

  test('that were replaced meanwhile pause nothing', () => {
    const changes = poll({}, failure('AUTH_FAILED', false));
    expect(changes).toMatchObject({ pauseAccount: false, alerts: [], plant: { status: 'GREEN' } });
  });

  test('on the alarms alone pause nothing', () => {
    const changes = poll(
      {},
      sampleReading({}, { type: 'AUTH_FAILED', message: 'no right to that path' }),
    );
    expect(changes).toMatchObject({ pauseAccount: false, alerts: [], plant: { status: 'GREEN' } });
  });

  test.each<Pick<VendorFailure, 'scope' | 'certain'>>([
    { scope: 'REQUEST' },
    { scope: 'PLANT' },
    { scope: 'CLOUD' },
    { scope: 'ACCOUNT', certain: false },
  ])("that are not the account's by the vendor's word pause nothing: %j", (about) => {
    const { failure: one } = failure('AUTH_FAILED');
    const result = {
      kind: 'FAILURE',
      failure: { ...one, ...about },
      credentialsCurrent: true,
    } as const;
    expect(poll({}, result)).toMatchObject({
      pauseAccount: false,
      alerts: [],
      plant: { status: 'GREEN', consecutiveFailures: 1 },
    });
    const third = poll({ plant: samplePlant({ consecutiveFailures: 2 }) }, result);
    expect(third.pauseAccount).toBe(false);
    expect(third.alerts).toMatchObject([
      { kind: 'RAISE', alert: { vendorAlarmCode: 'POLL', severity: 'YELLOW' } },
    ]);
  });

  test('of an account that another plant has paused raise no second alert', () => {
    const paused = { plant: samplePlant({ integrationStatus: 'PAUSED_AUTH_ERROR' }) };
    expect(poll(paused, failure('AUTH_FAILED')).alerts).toEqual([]);
  });

  test("leave an operator's pause as the reason", () => {
    const disabled = { plant: samplePlant({ integrationStatus: 'DISABLED_BY_OPERATOR' }) };
    expect(poll(disabled, failure('AUTH_FAILED'))).toMatchObject({
      pauseAccount: true,
      plant: { statusReason: 'DISABLED_BY_OPERATOR' },
    });
  });

  test('are forgiven by the first poll that succeeds, not by a failed one', () => {
    const before = { active: [apiError('AUTH', { severity: 'RED' })] };
    expect(kinds(poll(before, failure()))).toEqual([]);
    expect(poll(before).alerts).toMatchObject([{ kind: 'RESOLVE', id: '1' }]);
    expect(poll(before).plant.status).toBe('GREEN');
  });
});

describe('credentials that the vendor was never shown', () => {
  const never = (credentials: 'MISSING' | 'UNUSABLE') => {
    const result = failure('AUTH_FAILED');
    return { ...result, failure: { ...result.failure, credentials } };
  };

  test.each([
    ['MISSING', 'NO_CREDENTIALS', 'YELLOW', /^The account has no credentials yet/],
    ['UNUSABLE', 'UNUSABLE_CREDENTIALS', 'RED', /^The stored credentials cannot be used/],
  ] as const)('%s pause the account, by an alert of their own', (fault, code, severity, words) => {
    const changes = poll({}, never(fault));
    expect(changes.pauseAccount).toBe(true);
    expect(changes.alerts).toMatchObject([
      { kind: 'RAISE', alert: { vendorAlarmCode: code, severity } },
    ]);
    const [raised] = changes.alerts;
    expect(raised?.kind === 'RAISE' && raised.alert.message).toMatch(words);
  });

  test('are no longer missing once the vendor refuses some: one alert ends, the other begins', () => {
    const missing = apiError('NO_CREDENTIALS');
    const unusable = apiError('UNUSABLE_CREDENTIALS', { id: '2', severity: 'RED' });
    const changes = poll({ active: [missing, unusable] }, failure('AUTH_FAILED'));
    expect(changes.alerts).toMatchObject([
      { kind: 'RESOLVE', id: '1', reason: 'The account has credentials.' },
      { kind: 'RESOLVE', id: '2' },
      { kind: 'RAISE', alert: { vendorAlarmCode: 'AUTH' } },
    ]);
    expect(poll({ active: [missing] }, never('MISSING')).alerts).toMatchObject([
      { kind: 'SEEN', id: '1' },
    ]);
  });

  test('end their alert as soon as some are stored, without a poll', () => {
    const active = [apiError('NO_CREDENTIALS')];
    const evaluated = (hasCredentials: boolean) =>
      decideAlerts(sampleBefore({ active, hasCredentials }), {
        nowMs: noonMs,
        closing: null,
        result: null,
      }).alerts.filter(({ kind }) => kind === 'RESOLVE');
    expect(evaluated(false)).toEqual([]);
    expect(evaluated(true)).toMatchObject([{ id: '1', reason: 'The account has credentials.' }]);
  });
});

describe('missing alarm answers', () => {
  const lastComplete = (
    agoMs: number | null,
    activeAgoMs = 1_000 * hourMs,
  ): Partial<AlertsBefore> => ({
    plant: samplePlant({
      alarmsCompleteAtMs: agoMs === null ? null : noonMs - agoMs,
      activatedAtMs: noonMs - activeAgoMs,
    }),
  });
  const failed = sampleReading({}, { type: 'VENDOR_ERROR', message: 'the alarm list is closed' });
  const truncated = sampleReading({}, sampleAnswer([], { complete: false }));

  test('raise ALARMS, YELLOW, at exactly 6 h and not 1 ms before', () => {
    expect(poll(lastComplete(6 * hourMs - 1), failed).alerts).toEqual([]);
    for (const result of [failed, truncated]) {
      expect(poll(lastComplete(6 * hourMs), result).alerts).toMatchObject([
        { kind: 'RAISE', alert: { vendorAlarmCode: 'ALARMS', severity: 'YELLOW' } },
      ]);
    }
  });

  test('say since when, and the last error', () => {
    expect(poll(lastComplete(6 * hourMs), failed).alerts).toMatchObject([
      {
        alert: {
          message:
            'No complete answer about alarms since 2026-06-10 06:00 UTC+2. The last answer: Alarms: the alarm list is closed.',
        },
      },
    ]);
  });

  test('count from the activation where that is later: while paused, nobody asked', () => {
    expect(poll(lastComplete(99 * hourMs, 6 * hourMs - 1), failed).alerts).toEqual([]);
    expect(kinds(poll(lastComplete(99 * hourMs, 6 * hourMs), failed))).toEqual(['RAISE']);
    expect(kinds(poll(lastComplete(null, 6 * hourMs), failed))).toEqual(['RAISE']);
  });

  test('end with a complete answer, whose time is kept', () => {
    const before = { ...lastComplete(9 * hourMs), active: [apiError('ALARMS')] };
    const changes = poll(before, sampleReading({}, sampleAnswer([])));
    expect(changes.alerts).toMatchObject([{ kind: 'RESOLVE', id: '1' }]);
    expect(changes.plant.alarmsCompleteAtMs).toBe(noonMs);
    expect(poll(before, truncated).plant.alarmsCompleteAtMs).toBe(noonMs - 9 * hourMs);
  });

  test('are not judged by polls that fail altogether', () => {
    expect(poll(lastComplete(9 * hourMs), failure()).alerts).toEqual([]);
  });
});

describe('OFFLINE', () => {
  const seenAgo = (ms: number): Partial<AlertsBefore> => ({
    plant: samplePlant({ lastSeenAtMs: noonMs - ms }),
  });

  test('is raised, RED, with NOT_SEEN_24H: not at exactly 24 h, but 1 ms later', () => {
    expect(poll(seenAgo(24 * hourMs), sampleReading(), unseen)).toMatchObject({
      alerts: [],
      plant: { statusReason: 'NOT_SEEN_2H' },
    });
    expect(poll(seenAgo(24 * hourMs + 1), sampleReading(), unseen)).toMatchObject({
      alerts: [
        {
          kind: 'RAISE',
          alert: {
            type: 'OFFLINE',
            vendorAlarmCode: null,
            deviceSn: null,
            severity: 'RED',
            message: 'Not seen for more than 24 h: last seen at 2026-06-09 11:59 UTC+2.',
          },
        },
      ],
      plant: { status: 'RED', statusReason: 'NOT_SEEN_24H' },
    });
  });

  test('is raised by failed polls too, and by an evaluation without a reading', () => {
    expect(kinds(poll(seenAgo(25 * hourMs), failure()))).toEqual(['RAISE']);
    expect(kinds(evaluate(seenAgo(25 * hourMs)))).toEqual(['RAISE']);
  });

  test('is raised for a plant never seen, from 24 h after its activation on', () => {
    const never = (ageMs: number): Partial<AlertsBefore> => ({
      plant: samplePlant({
        lastSeenAtMs: null,
        lastSeenSource: null,
        activatedAtMs: noonMs - ageMs,
      }),
    });
    expect(poll(never(24 * hourMs - 1), failure()).alerts).toEqual([]);
    expect(poll(never(24 * hourMs), failure()).alerts).toMatchObject([
      { alert: { message: 'Never seen since it was activated at 2026-06-09 12:00 UTC+2.' } },
    ]);
  });

  test('stays while the plant is away, and goes in the evaluation that sees it within 24 h again', () => {
    const away = { ...seenAgo(30 * hourMs), active: [offline] };
    expect(poll(away, sampleReading(), unseen).alerts).toEqual([
      {
        kind: 'SEEN',
        id: '1',
        message: 'Not seen for more than 24 h: last seen at 2026-06-09 06:00 UTC+2.',
      },
    ]);
    const back = poll(away, sampleReading(), { ...booked, seenAtMs: noonMs - 24 * hourMs });
    expect(back.alerts).toMatchObject([{ kind: 'RESOLVE', id: '1' }]);
    expect(back.plant.status).toBe('YELLOW');
  });

  test('is not raised while the plant is paused, and stays as it is', () => {
    const paused = {
      plant: samplePlant({
        integrationStatus: 'PAUSED_AUTH_ERROR',
        lastSeenAtMs: noonMs - 99 * hourMs,
      }),
    };
    expect(evaluate(paused)).toMatchObject({ alerts: [], plant: { status: 'GREY' } });
    expect(evaluate({ ...paused, active: [offline] }).alerts).toEqual([]);
  });
});

describe('LOW_GENERATION during the day', () => {
  /** 30 kWh are usual by noon. */
  const daysAtTime = sampleWeek().map(({ date }) => ({ date, totalAtTimeKwh: 30 }));
  const row = (verdicts: number, below: boolean, belowTen = 0) => ({
    date: today,
    verdicts,
    below,
    belowTen,
  });
  const at = (
    totalKwh: number,
    lowGenerationStreak: ReturnType<typeof row> | null,
    active: ActiveAlert[] = [],
    different: Partial<Booked> = {},
  ): AlertsChanges =>
    poll({ plant: samplePlant({ lowGenerationStreak }), daysAtTime, active }, sampleReading(), {
      ...booked,
      todayEnergyKwh: totalKwh,
      ...different,
    });

  test('two verdicts below 30 % count, the third raises YELLOW', () => {
    const second = at(8, row(1, true));
    expect(second).toMatchObject({
      alerts: [],
      plant: { status: 'GREEN', lowGenerationStreak: row(2, true) },
    });
    const third = at(8, row(2, true));
    expect(third.alerts).toMatchObject([
      {
        kind: 'RAISE',
        alert: {
          type: 'LOW_GENERATION',
          severity: 'YELLOW',
          vendorAlarmCode: null,
          deviceSn: null,
        },
      },
    ]);
    expect(third.plant).toMatchObject({ status: 'YELLOW', statusReason: 'LOW_GENERATION' });
  });

  test('three below 10 % raise RED, or make a YELLOW alert rise', () => {
    expect(at(2, row(2, true, 2)).alerts).toMatchObject([
      { kind: 'RAISE', alert: { severity: 'RED' } },
    ]);
    expect(at(2, row(4, true, 2), [low])).toMatchObject({
      alerts: [{ kind: 'RISE', severity: 'RED' }],
      plant: { status: 'RED', statusReason: 'CRITICAL_ALERT' },
    });
    expect(at(2, row(4, true, 1), [low]).alerts).toMatchObject([{ kind: 'SEEN' }]);
  });

  test('three at or above 30 % resolve, two do not', () => {
    expect(at(20, row(1, false), [low]).alerts).toEqual([]);
    expect(at(20, row(2, false), [low]).alerts).toMatchObject([{ kind: 'RESOLVE', id: '1' }]);
  });

  test.each<[string, Partial<Booked>]>([
    ['was refused', { bookedDate: null, todayEnergyKwh: null }],
    ['belongs to another day', { bookedDate: '2026-06-09' }],
    ['is 31 min old', { seenAtMs: noonMs - 31 * 60_000 }],
    ['has no time and no proof of life', { seenAtMs: null }],
  ])('a reading that %s leaves alert and row as they are', (_, different) => {
    const before = row(2, true, 2);
    const raising = at(2, before, [], different);
    expect(raising).toMatchObject({ alerts: [], plant: { lowGenerationStreak: before } });
    expect(at(20, row(2, false), [low], different).alerts).toEqual([]);
  });

  test('a failed poll leaves the row as it is', () => {
    const lowGenerationStreak = row(2, true, 2);
    const changes = poll({ plant: samplePlant({ lowGenerationStreak }), daysAtTime }, failure());
    expect(changes.plant.lowGenerationStreak).toEqual(lowGenerationStreak);
  });

  test('a row long enough raises nothing again without a new verdict', () => {
    const different = { bookedDate: null, todayEnergyKwh: null };
    expect(at(2, row(9, true, 9), [], different).alerts).toEqual([]);
  });
});

describe('LOW_GENERATION at the closing', () => {
  const verdict = (severity: ClosingVerdict['severity']): ClosingVerdict => ({
    date: today,
    severity,
    ratio: severity === null ? null : 0.2,
    note: '2026-06-10 made 8.0 kWh.',
  });

  test.each(['YELLOW', 'RED'] as const)('raises %s by one verdict', (severity) => {
    expect(evaluate({}, verdict(severity)).alerts).toMatchObject([
      {
        kind: 'RAISE',
        alert: { type: 'LOW_GENERATION', severity, message: '2026-06-10 made 8.0 kWh.' },
      },
    ]);
  });

  test('rises to RED, and a YELLOW verdict lowers nothing', () => {
    expect(kinds(evaluate({ active: [low] }, verdict('RED')))).toEqual(['RISE']);
    expect(evaluate({ active: [{ ...low, severity: 'RED' }] }, verdict('YELLOW'))).toMatchObject({
      alerts: [{ kind: 'SEEN' }],
      plant: { status: 'RED' },
    });
  });

  test('resolves by a normal day, and does nothing without a verdict', () => {
    expect(kinds(evaluate({ active: [low] }, verdict('NORMAL')))).toEqual(['RESOLVE']);
    expect(evaluate({ active: [low] }, verdict(null)).alerts).toEqual([]);
  });
});

describe('acknowledgements', () => {
  const acked = sampleAlert({ state: 'ACKED', ackedUntilMs: noonMs });

  test('an acknowledged alert still counts for the status', () => {
    expect(poll({ active: [sampleAlert({ state: 'ACKED' })] }).plant).toMatchObject({
      status: 'RED',
      statusReason: 'CRITICAL_ALERT',
    });
  });

  test('end at the millisecond that the person named, and the alert is announced if 6 h have passed', () => {
    expect(evaluate({ active: [{ ...acked, ackedUntilMs: noonMs + 1 }] }).alerts).toEqual([]);
    expect(evaluate({ active: [acked] }).alerts).toEqual([{ kind: 'ACK_ENDED', id: '1' }]);
    const long = {
      ...acked,
      lastNotifiedAtMs: noonMs - 7 * hourMs,
      announcedNotBeforeMs: noonMs - 7 * hourMs,
    };
    expect(evaluate({ active: [long] }).alerts).toMatchObject([
      { kind: 'ACK_ENDED', id: '1' },
      { kind: 'REMIND', id: '1', announce: { kind: 'REMINDER', notBeforeMs: noonMs } },
    ]);
  });

  test('without an end last', () => {
    expect(evaluate({ active: [{ ...acked, ackedUntilMs: null }] }).alerts).toEqual([]);
  });

  test('of an alert that ends, or rises, in the same evaluation are not told apart', () => {
    const gone = poll({ active: [acked] }, sampleReading({}, sampleAnswer([])));
    expect(kinds(gone)).toEqual(['RESOLVE']);
    const risen = poll(
      { active: [{ ...acked, severity: 'YELLOW' }] },
      sampleReading({}, sampleAnswer([sampleAlarm()])),
    );
    expect(kinds(risen)).toEqual(['RISE']);
  });
});

describe('the evaluation', () => {
  test('of a quiet poll changes no alert', () => {
    const changes = poll({});
    expect(changes.alerts).toEqual([]);
    expect(changes.pauseAccount).toBe(false);
    expect(changes.plant).toEqual({
      status: 'GREEN',
      statusReason: 'SEEN_RECENTLY',
      statusSinceMs: noonMs - 5 * hourMs,
      lastSeenAtMs: noonMs,
      lastSeenSource: 'VENDOR',
      consecutiveFailures: 0,
      devices: null,
      lowGenerationStreak: null,
      alarmsCompleteAtMs: noonMs - 900_000,
    });
  });

  test('computes the status after the alerts of the same poll', () => {
    const raised = poll({}, sampleReading({}, sampleAnswer([sampleAlarm()])));
    expect(raised.plant).toMatchObject({
      status: 'RED',
      statusReason: 'CRITICAL_ALERT',
      statusSinceMs: noonMs,
    });
    const restored = poll({ active: [sampleAlert()] }, sampleReading({}, sampleAnswer([])));
    expect(restored.plant.status).toBe('GREEN');
  });

  test('after a pause by people writes GREY, after a resume the colour', () => {
    const paused = { plant: samplePlant({ integrationStatus: 'DISABLED_BY_OPERATOR' }) };
    expect(evaluate(paused).plant).toMatchObject({ status: 'GREY', statusSinceMs: noonMs });
    const resumed = {
      plant: samplePlant({ status: 'GREY', statusReason: 'DISABLED_BY_OPERATOR' }),
    };
    expect(evaluate(resumed).plant).toMatchObject({
      status: 'GREEN',
      statusReason: 'SEEN_RECENTLY',
    });
  });
});

describe('outcomeOf', () => {
  const refused = {
    field: 'last_seen_at',
    sentence: "Measurement time 11 h ahead: check the logger's clock or zone.",
  } as const;
  const alarmsFailed = { type: 'VENDOR_ERROR', message: 'the vendor is away' } as const;

  test.each<[string, PollResult]>([
    ['alarms were not asked', sampleReading()],
    ['alarms were answered completely', sampleReading({}, sampleAnswer([sampleAlarm()]))],
  ])('is OK where %s', (_, result) => {
    expect(outcomeOf(result)).toEqual({ outcome: 'OK', errorType: null, error: null });
  });

  test('is PARTIAL with the sentence of a refused field', () => {
    expect(outcomeOf(sampleReading({ refused: [refused] }))).toEqual({
      outcome: 'PARTIAL',
      errorType: 'INVALID_DATA_FORMAT',
      error: refused.sentence,
    });
  });

  test('is PARTIAL where the alarms failed or were cut off', () => {
    expect(outcomeOf(sampleReading({}, alarmsFailed))).toEqual({
      outcome: 'PARTIAL',
      errorType: 'VENDOR_ERROR',
      error: 'Alarms: the vendor is away.',
    });
    expect(outcomeOf(sampleReading({}, sampleAnswer([], { complete: false })))).toMatchObject({
      outcome: 'PARTIAL',
      errorType: null,
    });
  });

  test('names every reason, the failure of the alarms first among the types', () => {
    expect(outcomeOf(sampleReading({ refused: [refused] }, alarmsFailed))).toEqual({
      outcome: 'PARTIAL',
      errorType: 'VENDOR_ERROR',
      error: `${refused.sentence} Alarms: the vendor is away.`,
    });
  });

  test("is FAILED with the failure's type and message", () => {
    expect(outcomeOf(failure('NETWORK_TIMEOUT'))).toEqual({
      outcome: 'FAILED',
      errorType: 'NETWORK_TIMEOUT',
      errorScope: 'CLOUD',
      error: 'the vendor is away',
    });
  });

  test('keeps what the failure is about, and whether that is concluded', () => {
    const about: VendorFailure = {
      type: 'AUTH_FAILED',
      scope: 'PLANT',
      certain: false,
      message: 'out of reach',
    };
    const result = { kind: 'FAILURE', failure: about, credentialsCurrent: true } as const;
    expect(outcomeOf(result)).toMatchObject({ errorScope: 'PLANT', errorCertain: false });
  });

  test('of a part that the vendor refused has the type of that refusal', () => {
    const denied = { field: 'power_w', sentence: 'No right to it.', type: 'AUTH_FAILED' } as const;
    expect(outcomeOf(sampleReading({ refused: [refused, denied] }))).toMatchObject({
      outcome: 'PARTIAL',
      errorType: 'AUTH_FAILED',
    });
  });
});
