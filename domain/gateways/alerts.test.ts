import { describe, expect, test } from 'vitest';

import {
  afterPolls,
  failedPolls,
  intervalMs,
  noonMs,
  sampleAlertsBefore,
  sampleFacts,
  samplePlan,
  samplePoll,
} from '../../test/support/gateway-facts.ts';
import type { ActiveAlert } from '../alerts.ts';
import { dayMs, hourMs, minuteMs } from '../zone.ts';
import {
  badPollsMax,
  decideGatewayAlerts,
  type GatewayAlertsBefore,
  type GatewayAlertType,
  silentPollsMax,
} from './alerts.ts';
import { disabledFacts, disableLimitsDefault } from './disable.ts';
import { needsEvaluation } from './evaluation.ts';
import { factsAfterPoll, type GatewayFacts } from './facts.ts';
import { standingOf } from './status.ts';

const next = noonMs + intervalMs;
const offlineFacts = afterPolls(sampleFacts(), failedPolls(10, next));
const offlineMs = next + 10 * intervalMs;

function decide(
  different: Partial<GatewayAlertsBefore>,
  nowMs: number,
  { isOurNetwork = false } = {},
) {
  const before = sampleAlertsBefore(different);
  const standing = standingOf(before.facts, before.plan, nowMs);
  return decideGatewayAlerts(before, standing, { nowMs, isOurNetwork });
}

/** An alert that was announced when it began, an hour before noon. */
function alert(
  type: GatewayAlertType,
  different: Partial<ActiveAlert<GatewayAlertType>> = {},
): ActiveAlert<GatewayAlertType> {
  return {
    id: '1',
    type,
    vendorAlarmCode: null,
    deviceSn: null,
    severity: 'YELLOW',
    state: 'NEW',
    startedAtMs: noonMs - hourMs,
    lastSeenAtMs: noonMs - minuteMs,
    ackedUntilMs: null,
    lastNotifiedAtMs: noonMs - hourMs,
    announcedNotBeforeMs: noonMs - hourMs,
    muted: false,
    ...different,
  };
}

const kinds = (changes: readonly { kind: string }[]) => changes.map(({ kind }) => kind);

describe('GATEWAY_OFFLINE', () => {
  test('is RED for HIGH and YELLOW for the others', () => {
    for (const [priority, severity] of [
      ['HIGH', 'RED'],
      ['NORMAL', 'YELLOW'],
      ['LOW', 'YELLOW'],
    ] as const)
      expect(decide({ facts: offlineFacts, priority }, offlineMs)).toMatchObject([
        {
          kind: 'RAISE',
          alert: {
            type: 'GATEWAY_OFFLINE',
            severity,
            message:
              'It has not answered since 2026-06-10 12:00 UTC: 10.0.0.5:502 refuses the connection.',
          },
        },
      ]);
  });

  test('RED is told at once, YELLOW by day in the zone of the plant', () => {
    const night = { facts: offlineFacts, timezone: 'Pacific/Auckland' };
    const [red] = decide({ ...night, priority: 'HIGH' }, offlineMs);
    const [yellow] = decide(night, offlineMs);
    expect(red).toMatchObject({ announce: { kind: 'RAISED', notBeforeMs: offlineMs } });
    expect(yellow).toMatchObject({
      announce: { kind: 'RAISED', notBeforeMs: Date.parse('2026-06-10T19:00:00Z') },
    });
  });

  test('ends with a read, and is told to be over', () => {
    const facts = afterPolls(offlineFacts, [samplePoll(offlineMs)]);
    expect(decide({ facts, active: [alert('GATEWAY_OFFLINE')] }, offlineMs)).toMatchObject([
      { kind: 'RESOLVE', announce: { kind: 'RECOVERED' } },
    ]);
  });

  test('neither begins nor ends while nobody polls', () => {
    const late = noonMs + dayMs;
    expect(decide({ facts: sampleFacts() }, late)).toEqual([]);
    const acked = alert('GATEWAY_OFFLINE', { state: 'ACKED' });
    expect(decide({ facts: sampleFacts(), active: [acked] }, late)).toEqual([]);
  });

  test('of a paused gateway stays and is not told', () => {
    const plan = samplePlan({ reason: 'PAUSED' });
    const active = [alert('GATEWAY_OFFLINE')];
    expect(decide({ facts: offlineFacts, plan, active }, noonMs + dayMs)).toEqual([]);
  });

  test('of a silenced gateway is kept and not told', () => {
    const silenced = { facts: offlineFacts, alertsSilencedUntilMs: offlineMs + 1 };
    expect(decide(silenced, offlineMs)).toMatchObject([{ kind: 'RAISE', announce: null }]);
  });

  test('is kept and not told while our network fails', () => {
    const changes = decide({ facts: offlineFacts, priority: 'HIGH' }, offlineMs, {
      isOurNetwork: true,
    });
    expect(changes).toMatchObject([{ kind: 'RAISE', announce: null }]);
  });

  test('that was held back is told when our network is well again', () => {
    const facts = afterPolls(offlineFacts, failedPolls(1, offlineMs));
    const active = [
      alert('GATEWAY_OFFLINE', { lastNotifiedAtMs: null, announcedNotBeforeMs: null }),
    ];
    expect(decide({ facts, active }, offlineMs)).toMatchObject([
      { kind: 'SEEN' },
      { kind: 'REMIND', announce: { kind: 'RAISED' } },
    ]);
  });

  test('is reminded of after 6 h', () => {
    const facts = afterPolls(offlineFacts, failedPolls(1, noonMs + 5 * hourMs));
    const active = [alert('GATEWAY_OFFLINE')];
    const at = (ms: number) => kinds(decide({ facts, active }, noonMs + ms));
    expect(at(5 * hourMs)).toEqual(['SEEN']);
    expect(at(5 * hourMs + 1)).toEqual(['SEEN', 'REMIND']);
  });
});

describe('GATEWAY_DISABLED', () => {
  const facts = disabledFacts(
    afterPolls(sampleFacts(), failedPolls(70, noonMs - 12 * minuteMs)),
    noonMs,
  );
  const plan = samplePlan({ reason: 'DISABLED', fromMs: noonMs });

  test('is RED, told at once, and says why', () => {
    expect(decide({ facts, plan }, noonMs)).toMatchObject([
      {
        kind: 'RAISE',
        alert: {
          type: 'GATEWAY_DISABLED',
          severity: 'RED',
          message:
            '70 polls in a row failed since 2026-06-10 11:48 UTC, within 12 min, so it is switched off. It is probed after 1, 2, 4 … 60 min and returns when it answers twice. The last one: 10.0.0.5:502 refuses the connection.',
        },
        announce: { kind: 'RAISED', notBeforeMs: noonMs },
      },
    ]);
  });

  test('is told while our network fails, and speaks for GATEWAY_OFFLINE, which stays', () => {
    const old = alert('GATEWAY_OFFLINE', {
      lastNotifiedAtMs: noonMs - dayMs,
      announcedNotBeforeMs: noonMs - dayMs,
    });
    expect(decide({ facts, plan, active: [old] }, noonMs, { isOurNetwork: true })).toMatchObject([
      { kind: 'RAISE', announce: { kind: 'RAISED' } },
    ]);
  });

  test('ends when the gateway is polled again', () => {
    const back = afterPolls(sampleFacts({ recent: '' }), [samplePoll(next)]);
    const active = [alert('GATEWAY_OFFLINE'), alert('GATEWAY_DISABLED', { id: '2' })];
    expect(decide({ facts: back, active }, next)).toMatchObject([
      { kind: 'RESOLVE', id: '2', reason: 'The gateway is polled again.' },
      { kind: 'RESOLVE', id: '1', reason: 'The gateway answers again.' },
    ]);
  });

  test('stays while a person has paused the gateway', () => {
    const paused = samplePlan({ reason: 'PAUSED' });
    const active = [alert('GATEWAY_DISABLED')];
    expect(decide({ facts, plan: paused, active }, noonMs + dayMs)).toEqual([]);
  });
});

describe('POINT_BAD', () => {
  const withBad = (polls: number) =>
    sampleFacts({ badPoints: { '1/power_w': { polls, code: 102 } } });

  test('comes with the tenth BAD poll', () => {
    expect(decide({ facts: withBad(badPollsMax - 1) }, noonMs)).toEqual([]);
    expect(decide({ facts: withBad(badPollsMax) }, noonMs)).toMatchObject([
      {
        kind: 'RAISE',
        alert: {
          type: 'POINT_BAD',
          vendorAlarmCode: 'power_w',
          deviceSn: '1',
          severity: 'YELLOW',
          message: 'power_w of unit 1 is bad for 10 polls: the device refuses it with exception 2.',
        },
      },
    ]);
  });

  test('points of one key in two units have an alert each', () => {
    const bad = { polls: 10, code: 3 };
    const facts = sampleFacts({ badPoints: { '1/power_w': bad, '2/power_w': bad } });
    expect(kinds(decide({ facts }, noonMs))).toEqual(['RAISE', 'RAISE']);
  });

  test('ends when the point is not BAD any more', () => {
    const active = [alert('POINT_BAD', { vendorAlarmCode: 'power_w', deviceSn: '1' })];
    expect(kinds(decide({ facts: withBad(1), active }, noonMs))).toEqual([]);
    expect(decide({ facts: sampleFacts(), active }, noonMs)).toMatchObject([
      { kind: 'RESOLVE', id: '1' },
    ]);
  });

  test('is neither seen nor told while the gateway is offline', () => {
    const facts = { ...offlineFacts, badPoints: withBad(20).badPoints };
    const active = [
      alert('GATEWAY_OFFLINE'),
      alert('POINT_BAD', {
        id: '2',
        vendorAlarmCode: 'power_w',
        deviceSn: '1',
        lastNotifiedAtMs: noonMs - dayMs,
        announcedNotBeforeMs: noonMs - dayMs,
      }),
    ];
    expect(decide({ facts, active }, offlineMs)).toMatchObject([{ kind: 'SEEN', id: '1' }]);
  });
});

describe('UNIT_SILENT', () => {
  test('comes with the fifth silent poll and ends with an answer', () => {
    const silent = (polls: number) => sampleFacts({ silentUnits: { 2: polls } });
    expect(decide({ facts: silent(silentPollsMax - 1) }, noonMs)).toEqual([]);
    expect(decide({ facts: silent(silentPollsMax) }, noonMs)).toMatchObject([
      { kind: 'RAISE', alert: { type: 'UNIT_SILENT', deviceSn: '2', severity: 'YELLOW' } },
    ]);
    const active = [alert('UNIT_SILENT', { deviceSn: '2' })];
    expect(kinds(decide({ facts: sampleFacts(), active }, noonMs))).toEqual(['RESOLVE']);
  });
});

test('all alerts of a removed gateway end, and nobody is told', () => {
  const plan = samplePlan({ reason: 'REMOVED' });
  const active = [alert('GATEWAY_OFFLINE'), alert('GATEWAY_DISABLED', { id: '2' })];
  expect(decide({ plan, active }, noonMs)).toMatchObject([
    { kind: 'RESOLVE', announce: null },
    { kind: 'RESOLVE', announce: null },
  ]);
});

describe('an evaluation is needed', () => {
  const plan = samplePlan();
  const asks = (before: GatewayFacts, after: GatewayFacts) =>
    needsEvaluation(before, after, plan, disableLimitsDefault);

  test('not after an ordinary poll, nor after one more of the same', () => {
    const before = sampleFacts();
    expect(asks(before, before)).toBe(false);
    expect(asks(before, factsAfterPoll(before, samplePoll(next)))).toBe(false);
    expect(asks(offlineFacts, afterPolls(offlineFacts, failedPolls(1, offlineMs)))).toBe(false);
  });

  test('when the status changes', () => {
    expect(asks(sampleFacts(), afterPolls(sampleFacts(), failedPolls(5, next)))).toBe(true);
  });

  test('when a point or a unit reaches its limit, and when it is well again', () => {
    const bad = (polls: number) => sampleFacts({ badPoints: { '1/x': { polls, code: 3 } } });
    expect(asks(bad(8), bad(9))).toBe(false);
    expect(asks(bad(9), bad(10))).toBe(true);
    expect(asks(bad(10), bad(11))).toBe(false);
    expect(asks(bad(11), sampleFacts())).toBe(true);
    const silent = (polls: number) => sampleFacts({ silentUnits: { 2: polls } });
    expect(asks(silent(4), silent(5))).toBe(true);
    expect(asks(silent(5), sampleFacts())).toBe(true);
  });

  test('when failures must switch it off, and when probes bring it back', () => {
    const before = afterPolls(sampleFacts(), failedPolls(60, noonMs));
    expect(asks(before, afterPolls(before, failedPolls(1, noonMs + 10 * minuteMs)))).toBe(true);
    const off = disabledFacts(before, noonMs);
    const probe = { trigger: 'PROBE' } as const;
    const one = factsAfterPoll(off, samplePoll(noonMs + minuteMs, probe));
    expect(asks(off, one)).toBe(false);
    expect(asks(one, factsAfterPoll(one, samplePoll(noonMs + minuteMs + 10_000, probe)))).toBe(
      true,
    );
  });
});
