import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decideDevices, type DecidedDevices } from './devices.ts';
import {
  applyAlertChanges,
  noonMs,
  sampleBefore,
  samplePlant,
  sampleReading,
  today,
} from '../../test/support/plant-facts.ts';
import type { DeviceFacts } from './facts.ts';
import { decidePoll, type PollBefore } from './poll.ts';
import type { DeviceReading, DeviceState } from './reading.ts';
import { addDays, dayMs, minuteMs } from '../zone.ts';

const intervalMs = 10 * minuteMs;

/** Device A, B, C … with these powers; null: offline. */
function devices(
  powersW: readonly (number | null)[],
  measuredAtMs: number | null,
): DeviceReading[] {
  return powersW.map((powerW, index) => ({
    sn: String.fromCodePoint(65 + index),
    powerW,
    todayEnergyKwh: null,
    state: (powerW === null ? 'OFFLINE' : 'RUNNING') satisfies DeviceState,
    measuredAt: measuredAtMs === null ? null : new Date(measuredAtMs).toISOString(),
  }));
}

/** Polls one after another, each with its powers. @returns what the last one decided. */
function after(
  polls: readonly (readonly (number | null)[])[],
  before: readonly DeviceFacts[] | null = null,
): DecidedDevices {
  let decided: DecidedDevices = { devices: before, down: [], producing: [], gone: [] };
  for (const [index, powersW] of polls.entries()) {
    const readings = devices(powersW, noonMs + index * intervalMs);
    decided = decideDevices(decided.devices, readings, { today, isFresh: true });
  }
  return decided;
}

const downOf = (decided: DecidedDevices) => decided.down.map(({ sn }) => sn);
const working = [4_000, 4_000, 4_000];
const dead = [0, 4_000, 4_000];

describe('a device', () => {
  test('is down by the third fresh poll in a row, not by the second', () => {
    expect(downOf(after([working, dead, dead]))).toEqual([]);
    expect(downOf(after([working, dead, dead, dead]))).toEqual(['A']);
  });

  test('that is offline is down as one that gives 0 W', () => {
    const offline = [null, 4_000, 4_000];
    const { down } = after([working, offline, offline, offline]);
    expect(down).toEqual([
      {
        sn: 'A',
        message:
          'Device A is offline while the others give 4.0 kW (their median), by 3 polls in a row.',
      },
    ]);
  });

  test('that gave power in between begins anew', () => {
    expect(downOf(after([dead, dead, working, dead, dead]))).toEqual([]);
  });

  test('is not down while its siblings give a tenth of its highest power or less', () => {
    const dusk = [0, 400, 400];
    expect(downOf(after([working, dusk, dusk, dusk]))).toEqual([]);
    const brighter = [0, 401, 401];
    expect(downOf(after([working, brighter, brighter, brighter]))).toEqual(['A']);
  });

  test('that has been dead for a week is judged by what its siblings have at most', () => {
    expect(
      downOf(
        after([
          [0, 4_000, 4_000],
          [0, 300, 300],
          [0, 300, 300],
          [0, 300, 300],
        ]),
      ),
    ).toEqual([]);
    expect(downOf(after([dead, dead, dead]))).toEqual(['A']);
  });

  test('is not judged by an answer that repeats the last measurement', () => {
    const options = { today, isFresh: false };
    const { devices: kept } = after([working, dead, dead]);
    const again = decideDevices(kept, devices(dead, noonMs + 2 * intervalMs), options);
    expect(again).toEqual({ devices: kept, down: [], producing: [], gone: [] });
  });

  test('whose own measurement is old says nothing, neither way', () => {
    const { devices: kept } = after([working, dead, dead]);
    const readings = devices(working, noonMs + 9 * intervalMs);
    const frozen = readings.map((one) =>
      one.sn === 'A' ? { ...one, measuredAt: new Date(noonMs).toISOString() } : one,
    );
    const { producing, devices: next } = decideDevices(kept, frozen, { today, isFresh: true });
    expect(producing).toEqual(['B', 'C']);
    expect(next?.find(({ sn }) => sn === 'A')?.downStreak).toBe(2);
  });

  test('alone is not judged, and keeps nothing', () => {
    const one = devices([0], noonMs);
    expect(decideDevices(null, one, { today, isFresh: true }).devices).toBeNull();
  });

  test('that the vendor has not listed for a week is gone', () => {
    const { devices: kept } = after([working]);
    const without = (daysLater: number) =>
      decideDevices(kept, devices(working, noonMs + daysLater * dayMs).slice(1), {
        today: addDays(today, daysLater),
        isFresh: true,
      });
    expect(without(7).gone).toEqual([]);
    expect(without(8)).toMatchObject({ gone: ['A'] });
    expect(without(8).devices?.map(({ sn }) => sn)).toEqual(['B', 'C']);
  });

  test('keeps its highest power of today and the 7 days before', () => {
    let kept: readonly DeviceFacts[] | null = null;
    for (let day = 0; day < 20; day += 1) {
      const readings = devices([1_000 + day, 1_000], noonMs + day * dayMs);
      ({ devices: kept } = decideDevices(kept, readings, {
        today: addDays(today, day),
        isFresh: true,
      }));
    }
    const peaks = kept?.[0]?.peaksW ?? {};
    expect(Object.keys(peaks)).toHaveLength(8);
    expect(peaks[addDays(today, 19)]).toBe(1_019);
  });
});

describe('any life of devices', () => {
  const powers = fc.array(
    fc.tuple(
      fc.oneof(fc.constant(0), fc.constant(null), fc.integer({ min: 1, max: 9_000 })),
      fc.nat({ max: 9_000 }),
      fc.nat({ max: 9_000 }),
    ),
    { minLength: 1, maxLength: 40 },
  );

  test('a device is down only by three polls in a row without its power, and never while it produces', () => {
    fc.assert(
      fc.property(powers, (polls) => {
        const decided = after(polls);
        for (const sn of downOf(decided)) {
          const index = sn.codePointAt(0) === 65 ? 0 : sn === 'B' ? 1 : 2;
          const last = polls.slice(-3).map((one) => one[index]);
          expect(last).toHaveLength(3);
          expect(last.every((powerW) => powerW === 0 || powerW === null)).toBe(true);
          expect(decided.producing).not.toContain(sn);
        }
      }),
    );
  });

  test('a night without power of any raises nothing', () => {
    fc.assert(
      fc.property(powers, (polls) => {
        expect(downOf(after([...polls, [0, 0, 0]]))).toEqual([]);
      }),
    );
  });
});

describe('DEVICE_DOWN', () => {
  function poll(before: PollBefore, powersW: readonly (number | null)[], nowMs: number) {
    const lastSeenAt = new Date(nowMs).toISOString();
    const reading = sampleReading({ lastSeenAt, devices: devices(powersW, nowMs) });
    const { alerts } = decidePoll(before, reading, { slotMs: nowMs, nowMs });
    const next: PollBefore = {
      ...before,
      plant: { ...before.plant, ...alerts.plant },
      ...applyAlertChanges(before, alerts.alerts, nowMs),
    };
    return { alerts: alerts.alerts, next };
  }

  test('is raised YELLOW, leaves the colour GREEN, outlives the night and ends with the first power', () => {
    let before = sampleBefore({ plant: samplePlant(), days: [] });
    const kinds: string[] = [];
    const polls = [working, dead, dead, dead, dead, [0, 0, 0], [0, 0, 0], [0, 10, 12], [3, 50, 60]];
    for (const [index, powersW] of polls.entries()) {
      const { alerts, next } = poll(before, powersW, noonMs + index * intervalMs);
      kinds.push(alerts.map((change) => change.kind).join());
      before = next;
      expect(next.plant.status).toBe('GREEN');
      if (index === 3)
        expect(next.active).toMatchObject([
          { type: 'DEVICE_DOWN', severity: 'YELLOW', deviceSn: 'A', vendorAlarmCode: null },
        ]);
    }
    expect(kinds).toEqual(['', '', '', 'RAISE', 'SEEN', '', '', '', 'RESOLVE']);
  });

  test('is left as it is by a poll that failed', () => {
    const failure = { type: 'VENDOR_ERROR', message: 'm' } as const;
    const { devices: kept } = after([working, dead, dead]);
    const before = sampleBefore({ plant: samplePlant({ devices: kept }) });
    const result = { kind: 'FAILURE', failure, credentialsCurrent: true } as const;
    expect(
      decidePoll(before, result, { slotMs: noonMs, nowMs: noonMs }).alerts.plant.devices,
    ).toEqual(kept);
  });
});
