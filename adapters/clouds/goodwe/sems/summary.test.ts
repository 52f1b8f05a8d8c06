import { describe, expect, test } from 'vitest';
import type { PlantSummary } from '../../../../domain/plants/reading.ts';
import {
  HttpAnswer,
  detailData,
  failureOf,
  inverter,
  lastTime,
  plant,
  portal,
  success,
} from '../../../../test/support/scripted-goodwe.ts';

const summaryFor = async (changes: Parameters<typeof detailData>[0]): Promise<PlantSummary> =>
  portal({ detail: success(detailData(changes)) }).adapter.getPlantSummary(plant);

describe('summary', () => {
  test('is W, kWh and the inverters as they are', async () => {
    expect(await summaryFor({})).toEqual({
      todayEnergyKwh: 9.4,
      powerW: 2337,
      lifetimeEnergyKwh: 19248.5,
      lifetimeResolutionKwh: 0.1,
      lastSeenAt: '2026-01-10T14:52:38.134Z',
      devices: [
        {
          sn: '9500TEST0001',
          powerW: 2337,
          todayEnergyKwh: 9.4,
          state: 'RUNNING',
          measuredAt: '2026-01-10T14:52:38.134Z',
        },
      ],
      refused: [],
    } satisfies PlantSummary);
  });

  test('reads numbers that come as text', async () => {
    const summary = await summaryFor({
      info: { status: '1' },
      kpi: { pac: '2337.0', power: '9.40', total_power: '19248.50' },
      inverter: [inverter({ status: '2', invert_full: { last_time: String(lastTime) } })],
    });
    expect(summary).toMatchObject({
      powerW: 2337,
      todayEnergyKwh: 9.4,
      lifetimeEnergyKwh: 19248.5,
    });
    expect(summary.lifetimeResolutionKwh).toBe(0.01);
    expect(summary.lastSeenAt).toBe('2026-01-10T14:52:38.134Z');
    expect(summary.devices[0]?.state).toBe('FAULT');
  });

  test.each([-2, -1, 0])(
    'power is 0 with status %d, whatever stale number is shown',
    async (status) => {
      const inverters = [inverter({ status })];
      const summary = await summaryFor({
        info: { status },
        kpi: { pac: 2337 },
        inverter: inverters,
      });
      expect(summary.powerW).toBe(0);
      expect(summary.devices[0]?.powerW).toBe(0);
      expect(summary.refused).toEqual([]);
    },
  );

  test.each([2, 7, null, undefined])('power is what it says with status %j', async (status) => {
    expect((await summaryFor({ info: { status } })).powerW).toBe(2337);
  });

  test.each([null, '', '--', undefined])('power %j is not said', async (pac) => {
    const summary = await summaryFor({ kpi: { pac } });
    expect(summary.powerW).toBeNull();
    expect(summary.refused).toEqual([]);
  });

  test.each([6553.5, '65535', 4294967.295, 429483622, 'NaN', '1e999', '2337W'])(
    'impossible power %j is dropped with a sentence',
    async (pac) => {
      const summary = await summaryFor({ kpi: { pac } });
      expect(summary.powerW).toBeNull();
      expect(summary.refused.map(({ field }) => field)).toEqual(['power_w']);
    },
  );

  test('a power beyond every number is dropped, not the whole answer', async () => {
    const body = JSON.stringify(success(detailData({ kpi: { pac: -77.25 } })));
    const { adapter } = portal({ detail: new HttpAnswer(200, body.replace('-77.25', '1e999')) });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      powerW: null,
      todayEnergyKwh: 9.4,
    });
  });

  test('a small negative power is handed on', async () => {
    expect((await summaryFor({ kpi: { pac: -12 } })).powerW).toBe(-12);
  });

  test.each([null, undefined, '', '--'])(
    "today's energy %j is not said: what else is known makes a summary all the same",
    async (power) => {
      const summary = await summaryFor({ kpi: { power } });
      expect(summary).toMatchObject({
        todayEnergyKwh: null,
        powerW: 2337,
        lifetimeEnergyKwh: 19248.5,
        refused: [
          {
            field: 'today_energy_kwh',
            sentence: "Today's energy is missing in the vendor's answer (kpi.power).",
          },
        ],
      });
    },
  );

  test.each([
    ['the state', -1, {}],
    ['the power', null, { pac: 12 }],
    ['the lifetime', null, { total_power: 1 }],
  ])('is a summary without today where %s alone is known', async (_, status, kpi) => {
    const summary = await summaryFor({
      info: { status },
      kpi: { power: null, pac: null, total_power: null, ...kpi },
    });
    expect(summary.todayEnergyKwh).toBeNull();
  });

  test('is INVALID_DATA_FORMAT where neither today nor anything else is known', async () => {
    const nothing = {
      info: { status: null },
      kpi: { power: null, pac: null, total_power: null },
    };
    const error = await failureOf(summaryFor(nothing));
    expect(error).toMatchObject({ type: 'INVALID_DATA_FORMAT', message: 'kpi.power is missing' });
  });

  test.each(['NaN', '1e999', -0.1, 6553.5, 65535, true, {}])(
    "today's energy %j is INVALID_DATA_FORMAT",
    async (power) => {
      const error = await failureOf(summaryFor({ kpi: { power } }));
      expect(error.type).toBe('INVALID_DATA_FORMAT');
      expect(error.message).toContain('kpi.power');
    },
  );

  test.each([
    [19248, 1],
    [19248.5, 0.1],
    ['19248.50', 0.01],
    [19248.600000000002, 0.01],
  ])('a lifetime of %j counts in steps of %d kWh', async (total_power, resolution) => {
    const summary = await summaryFor({ kpi: { total_power } });
    expect(summary.lifetimeResolutionKwh).toBeCloseTo(resolution, 10);
  });

  test.each([-1, 4294967.295, '429496729.5', 'NaN'])(
    'an impossible lifetime %j is dropped with a sentence',
    async (total_power) => {
      const summary = await summaryFor({ kpi: { total_power } });
      expect(summary).toMatchObject({ lifetimeEnergyKwh: null, lifetimeResolutionKwh: null });
      expect(summary.refused.map(({ field }) => field)).toEqual(['lifetime_energy_kwh']);
    },
  );

  test('is last seen at the newest measurement of all inverters', async () => {
    const dead = inverter({
      sn: 'B',
      status: -1,
      invert_full: { last_time: lastTime - 302_400_000 },
    });
    const summary = await summaryFor({ inverter: [dead, inverter({})] });
    expect(summary.lastSeenAt).toBe('2026-01-10T14:52:38.134Z');
    expect(summary.devices.map(({ measuredAt }) => measuredAt)).toEqual([
      '2026-01-07T02:52:38.134Z',
      '2026-01-10T14:52:38.134Z',
    ]);
  });

  test('a dead inverter has no power, and its uncleared total of another day is not told as today', async () => {
    const dead = inverter({ status: -1, invert_full: { last_time: lastTime - 86_400_000 } });
    const { devices } = await summaryFor({ inverter: [dead] });
    expect(devices[0]).toMatchObject({ powerW: 0, todayEnergyKwh: null, state: 'OFFLINE' });
  });

  test.each([
    undefined,
    null,
    [],
    [inverter({ invert_full: null })],
    [inverter({ invert_full: { last_time: 0 } })],
    [inverter({ invert_full: { last_time: 4294967295 } })],
  ])(
    'was never seen without a measurement time: the time of the answer and local texts do not stand in (%#)',
    async (inverters) => {
      const summary = await summaryFor({ inverter: inverters });
      expect(summary.lastSeenAt).toBeNull();
      expect(summary.refused).toEqual([]);
    },
  );

  test.each([lastTime / 1000, 1e20, '1e999', '01/10/2026'])(
    'a measurement time of %j is dropped with a sentence',
    async (last_time) => {
      const summary = await summaryFor({ inverter: [inverter({ invert_full: { last_time } })] });
      expect(summary.lastSeenAt).toBeNull();
      expect(summary.refused.map(({ field }) => field)).toEqual(['last_seen_at']);
      expect(summary.devices[0]?.measuredAt).toBeNull();
    },
  );

  test('a measurement time of one of several inverters that cannot be read is named', async () => {
    const odd = inverter({ sn: 'B', invert_full: { last_time: lastTime / 1000 } });
    const summary = await summaryFor({ inverter: [inverter({}), odd] });
    expect(summary.lastSeenAt).toBe('2026-01-10T14:52:38.134Z');
    expect(summary.refused.map(({ field }) => field)).toEqual(['devices']);
  });

  test('no device is told of an inverter without a serial number', async () => {
    expect((await summaryFor({ inverter: [inverter({ sn: null })] })).devices).toEqual([]);
  });
});

describe('a hybrid', () => {
  const hybrid = (powerflow: unknown, inverters = [inverter({ is_stored: true })]) =>
    portal({
      detail: success({ ...detailData({ kpi: { pac: 620 }, inverter: inverters }), powerflow }),
    }).adapter.getPlantSummary(plant);

  test('by night is not what its battery gives', async () => {
    const summary = await hybrid({ pv: '0(W)', bettery: '640(W)', betteryStatus: 1 });
    expect(summary).toMatchObject({
      powerW: 0,
      devices: [{ powerW: 0, state: 'STANDBY' }],
      refused: [],
    });
  });

  test.each([
    ['2337(W)', 2337],
    ['2.5(kW)', 2500],
    [' 12 (W) ', 12],
  ])('whose panels give %j has that power', async (pv, powerW) => {
    const summary = await hybrid({ pv, bettery: '-1200(W)' });
    expect(summary).toMatchObject({ powerW, devices: [{ powerW, state: 'RUNNING' }] });
  });

  test.each([[{ pv: '0(W)', bettery: '0(W)' }], [{ pv: '0(W)' }], [null]])(
    'whose battery rests has the power of its inverter (%j)',
    async (powerflow) => {
      expect((await hybrid(powerflow)).powerW).toBe(620);
    },
  );

  test.each(['2,337(W)', 'much', { power: 640 }, true])(
    'whose battery cannot be read (%j) has the power of its panels alone',
    async (bettery) => {
      expect((await hybrid({ pv: '0(W)', bettery })).powerW).toBe(0);
      const { powerW, refused } = await hybrid({ bettery });
      expect({ powerW, refused }).toMatchObject({ powerW: null, refused: [{ field: 'power_w' }] });
    },
  );

  test.each([undefined, '429483622(W)', 'much'])(
    'whose panels are not told apart (%j) has no power, and says so',
    async (pv) => {
      const summary = await hybrid({ pv, bettery: '640(W)' });
      expect(summary.powerW).toBeNull();
      expect(summary.refused.map(({ field }) => field)).toEqual(['power_w']);
    },
  );

  test('beside another inverter has no power of its own', async () => {
    const inverters = [inverter({ is_stored: true }), inverter({ sn: 'B', out_pac: 300 })];
    const { powerW, devices } = await hybrid({ pv: '400(W)', bettery: '640(W)' }, inverters);
    expect(powerW).toBe(400);
    expect(devices.map((device) => device.powerW)).toEqual([null, 300]);
  });
});
