import { describe, expect, test } from 'vitest';
import { playing } from '../../../test/support/scenarios.ts';
import { createFixtureTransport } from './fixture-transport.ts';
import type { AdapterDeps, PlantRef, VendorAdapter } from '../contract.ts';
import { SessionStore } from '../session.ts';
import type { Transport } from '../transport.ts';
import { huawei } from '../huawei/adapter.ts';
import { errorOf } from '../../../test/support/scripted-huawei.ts';
import { huaweiVendor } from './huawei.ts';

const credentials = { userName: 'api-user', systemCode: 'Canary-5ecret', host: 'eu5' };
const noon = new Date('2026-06-15T10:35:20Z');
const timezone = 'Europe/Amsterdam';
const host = 'https://eu5.fusionsolar.huawei.com';

/** The plant of plants.json that plays a scenario. */
function plantOf(scenario: string): PlantRef {
  return { vendorPlantId: playing('HUAWEI', scenario).vendorPlantId, timezone };
}

function transportFor(vendorPlantId: string, now = noon): Transport {
  return createFixtureTransport({
    brand: 'HUAWEI',
    vendor: huaweiVendor,
    plant: { vendorPlantId, timezone, capacityKw: null, latitude: 52, longitude: 5 },
    knownCredentials: credentials,
    now,
  });
}

function adapterFor(
  { vendorPlantId }: PlantRef,
  now = noon,
  deps: Partial<AdapterDeps> = {},
): VendorAdapter {
  return huawei.create({
    transport: transportFor(vendorPlantId, now),
    credentials,
    session: new SessionStore(),
    now,
    signal: new AbortController().signal,
    ...deps,
  });
}

const summaryOf = (scenario: string, now = noon) =>
  adapterFor(plantOf(scenario), now).getPlantSummary(plantOf(scenario));
const alarmsOf = async (scenario: string, now: Date) => {
  const since = new Date(now.getTime() - 2 * 86_400_000);
  return (await adapterFor(plantOf(scenario), now).getAlarmsSince(plantOf(scenario), since)).alarms;
};

const codeOf = ({ body }: { body: string }): unknown => JSON.parse(body).failCode;

describe('what the vendor refuses', () => {
  const signal = new AbortController().signal;
  const plantId = 'NE=35000001';
  const login = { userName: 'api-user', systemCode: 'Canary-5ecret' };

  async function post(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
    at = host,
  ) {
    return transportFor(plantId)(
      {
        method: 'POST',
        url: `${at}/thirdData/${path}`,
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      },
      { signal },
    );
  }
  async function ask(path: string, body: unknown) {
    const { headers } = await post('login', login);
    return post(path, body, { 'XSRF-TOKEN': headers['xsrf-token'] ?? '' });
  }

  test('a wrong system code: HTTP 200 and nothing', async () => {
    const answer = await post('login', { ...login, systemCode: 'other' });
    expect([answer.status, answer.body]).toEqual([200, '']);
  });

  test('another sub-domain: a web page', async () => {
    const at = 'https://sg5.fusionsolar.huawei.com';
    expect((await post('login', login, {}, at)).body).toContain('<!DOCTYPE html>');
    expect((await post('getDevList', {}, {}, at)).body).toContain('<!DOCTYPE html>');
  });

  test('no token, and a token of its own invention: 305', async () => {
    expect(codeOf(await post('getStationRealKpi', { stationCodes: plantId }))).toBe(305);
    const headers = { 'xsrf-token': 'x-invented' };
    expect(codeOf(await post('getStationRealKpi', { stationCodes: plantId }, headers))).toBe(305);
  });

  test('the plant of somebody else: 20007', async () => {
    expect(codeOf(await ask('getStationRealKpi', { stationCodes: 'NE=1' }))).toBe(20_007);
  });

  test('no ids, and more than a hundred', async () => {
    const ids = Array.from({ length: 101 }, (_, index) => index).join(',');
    expect(codeOf(await ask('getStationRealKpi', { stationCodes: '' }))).toBe(20_010);
    expect(codeOf(await ask('getDevRealKpi', { devIds: ids, devTypeId: 1 }))).toBe(20_014);
  });

  test('what the framework cannot read: HTTP 400 with an exceptionId', async () => {
    for (const answer of [
      await ask('getStationRealKpi', {}),
      await ask('getDevRealKpi', { devIds: '1' }),
      await post('login', {}),
    ]) {
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({ exceptionId: 'framwork.remote.Paramerror' });
    }
  });

  test('a collectTime in seconds: success without rows', async () => {
    const body = { stationCodes: plantId, collectTime: noon.getTime() / 1000 };
    const answer = JSON.parse((await ask('getKpiStationDay', body)).body);
    expect(answer).toMatchObject({ success: true, failCode: 0, data: [] });
  });

  test('alarms of a time that ends before it begins, or without a language', async () => {
    const [endTime, language] = [noon.getTime(), 'en_US'];
    const times = { stationCodes: plantId, beginTime: endTime, endTime };
    expect(codeOf(await ask('getAlarmList', { ...times, endTime: endTime - 1, language }))).toBe(
      20_023,
    );
    expect(codeOf(await ask('getAlarmList', times))).toBe(20_027);
    expect(codeOf(await ask('getAlarmList', { ...times, language }))).toBe(0);
  });
});

describe('scenarios', () => {
  test.each(['NE=90000000', 'NE=99999999', '5b21c6e07f3a4d9e8c10aa52d7e4f963'])(
    '%s is an ordinary plant',
    async (vendorPlantId) => {
      const plant = { vendorPlantId, timezone };
      const summary = await adapterFor(plant).getPlantSummary(plant);
      expect(summary.powerW).toBeGreaterThan(0);
      expect(summary).toMatchObject({ lastSeenAt: null, refused: [] });
    },
  );

  test('ordinary-day: power is that of the inverter alone, energy and total rise together', async () => {
    const later = new Date(noon.getTime() + 3_600_000);
    const [first, second] = [
      await summaryOf('ordinary-day'),
      await summaryOf('ordinary-day', later),
    ];
    expect(first.devices).toHaveLength(1);
    expect(first.powerW).toBe(first.devices[0]?.powerW);
    const risenKwh = (second.todayEnergyKwh ?? NaN) - (first.todayEnergyKwh ?? NaN);
    expect(risenKwh).toBeGreaterThan(1);
    expect((second.lifetimeEnergyKwh ?? 0) - (first.lifetimeEnergyKwh ?? 0)).toBeCloseTo(
      risenKwh,
      1,
    );
  });

  test.each(['offline-26h', 'stale-5h', 'silent-6h', 'network-connection-error'])(
    '%s: nothing lives, nothing rises',
    async (scenario) => {
      const summary = await summaryOf(scenario);
      expect(summary).toMatchObject({ powerW: 0, devices: [{ state: 'OFFLINE' }] });
    },
  );

  test('asleep-at-night: off the grid with nulls at night, running by day', async () => {
    const night = new Date('2026-06-15T23:30:00Z');
    expect(await summaryOf('asleep-at-night', night)).toMatchObject({
      powerW: 0,
      devices: [{ state: 'OFFLINE', todayEnergyKwh: null }],
    });
    expect(await summaryOf('asleep-at-night')).toMatchObject({ devices: [{ state: 'RUNNING' }] });
  });

  test("yesterday-at-dawn: the counter falls at 06:30 by the plant's clock", async () => {
    const before = await summaryOf('yesterday-at-dawn', new Date('2026-06-15T04:29:00Z'));
    const after = await summaryOf('yesterday-at-dawn', new Date('2026-06-15T04:31:00Z'));
    expect(before.todayEnergyKwh).toBeGreaterThan(30);
    expect(after.todayEnergyKwh).toBeLessThan(3);
  });

  test('one-inverter-dead: half of the two is named', async () => {
    expect(await summaryOf('one-inverter-dead')).toMatchObject({
      devices: [{ state: 'RUNNING' }, { state: 'OFFLINE', powerW: 0, todayEnergyKwh: null }],
    });
  });

  test('two-inverter-types and bare-number-id: the parts add up', async () => {
    for (const scenario of ['two-inverter-types', 'bare-number-id']) {
      const { powerW, devices } = await summaryOf(scenario);
      expect(devices).toHaveLength(2);
      expect(powerW).toBe((devices[0]?.powerW ?? 0) + (devices[1]?.powerW ?? 0));
      expect(Math.min(...devices.map((device) => device.powerW ?? 0))).toBeGreaterThan(500);
    }
  });

  test('missing-active-power: no power for ten minutes of each half hour', async () => {
    const quiet = await summaryOf('missing-active-power', new Date('2026-06-15T10:09:59Z'));
    expect(quiet).toMatchObject({ powerW: null, refused: [] });
    const spoken = await summaryOf('missing-active-power', new Date('2026-06-15T10:10:00Z'));
    expect(spoken.powerW).toBeGreaterThan(1000);
  });

  test('all-null-device, sentinel-values and power-beyond-number: no power, said or refused', async () => {
    expect(await summaryOf('all-null-device')).toMatchObject({ powerW: null, refused: [] });
    expect(await summaryOf('sentinel-values')).toMatchObject({
      powerW: null,
      lifetimeEnergyKwh: null,
      refused: [{ field: 'lifetime_energy_kwh' }, { field: 'power_w' }],
    });
    expect(await summaryOf('power-beyond-number')).toMatchObject({
      powerW: null,
      refused: [{ field: 'power_w' }],
    });
  });

  test('numbers-as-text: the same plant in words', async () => {
    const summary = await summaryOf('numbers-as-text');
    expect(summary.powerW).toBeGreaterThan(1000);
    expect(summary.lifetimeResolutionKwh).toBe(0.001);
    expect(summary.devices).toMatchObject([{ state: 'RUNNING' }]);
  });

  test.each([
    ['gap-at-d2', ['2026-06-12', '2026-06-14']],
    ['plants-mixed', ['2026-06-13', '2026-06-14']],
    ['newer-keys', ['2026-06-12', '2026-06-13', '2026-06-14']],
  ])('%s: the days are %j', async (scenario, dates) => {
    const plant = plantOf(scenario);
    const days = await adapterFor(plant).getDailyEnergySeries(plant, '2026-06-12', '2026-06-14');
    expect(days.map(({ date }) => date)).toEqual(dates);
    expect(days.every(({ energyKwh }) => (energyKwh ?? 0) > 20)).toBe(true);
  });

  test('month-with-null-and-zero: a day without a value is null, a day of nothing is 0', async () => {
    const plant = plantOf('month-with-null-and-zero');
    const days = await adapterFor(plant).getDailyEnergySeries(plant, '2026-06-12', '2026-06-13');
    expect(days).toEqual([
      { date: '2026-06-12', energyKwh: 0 },
      { date: '2026-06-13', energyKwh: null },
    ]);
  });

  test('dst-day: every date once across the night on which the clock is set back', async () => {
    const plant = plantOf('dst-day');
    const adapter = adapterFor(plant, new Date('2026-10-27T12:00:00Z'));
    const days = await adapter.getDailyEnergySeries(plant, '2026-10-24', '2026-10-26');
    expect(days.map(({ date }) => date)).toEqual(['2026-10-24', '2026-10-25', '2026-10-26']);
  });

  test('fault-raised-escalated-restored: none, minor, critical, cleared, by the hour', async () => {
    const story = [];
    for (const hour of ['00', '01', '02', '03']) {
      const alarms = await alarmsOf(
        'fault-raised-escalated-restored',
        new Date(`2026-06-15T${hour}:30:00Z`),
      );
      story.push(alarms.map(({ severity, open }) => `${severity} ${open ? 'open' : 'closed'}`));
    }
    expect(story).toEqual([[], ['MEDIUM open'], ['CRITICAL open'], ['CRITICAL closed']]);
  });

  test('fault-cycle-6min: critical from the second to the fourth minute', async () => {
    const counts = [];
    for (const clock of ['10:01:59', '10:02:00', '10:03:59', '10:04:00']) {
      const alarms = await alarmsOf('fault-cycle-6min', new Date(`2026-06-15T${clock}Z`));
      counts.push(alarms.length);
    }
    expect(counts).toEqual([0, 1, 1, 0]);
  });

  test('network-connection-error: an alarm of communication', async () => {
    expect(await alarmsOf('network-connection-error', noon)).toMatchObject([
      { communication: true },
    ]);
  });

  test.each([
    ['wrong-host', 'INVALID_DATA_FORMAT'],
    ['account-locked', 'AUTH_FAILED'],
    ['no-right', 'AUTH_FAILED'],
    ['session-expired-for-ever', 'AUTH_FAILED'],
    ['quota-gateway', 'RATE_LIMIT_EXCEEDED'],
    ['daily-cap', 'RATE_LIMIT_EXCEEDED'],
    ['bad-request-400', 'UNKNOWN'],
    ['data-null', 'INVALID_DATA_FORMAT'],
    ['oversized', 'INVALID_DATA_FORMAT'],
    ['too-deep', 'INVALID_DATA_FORMAT'],
  ])('%s ends as %s, and nothing secret is said', async (scenario, type) => {
    const plant = plantOf(scenario);
    const error = await errorOf(adapterFor(plant).getPlantSummary(plant));
    expect(error.type).toBe(type);
    expect(`${error.message} ${String(error.cause)}`).not.toMatch(
      /Canary|api-user|https?:|x-[0-9a-f]{8}/,
    );
  });

  test('alarms-fail: the plant answers, its alarms do not', async () => {
    const plant = plantOf('alarms-fail');
    expect((await summaryOf('alarms-fail')).powerW).toBeGreaterThan(1000);
    const error = await errorOf(adapterFor(plant).getAlarmsSince(plant, noon));
    expect(error.type).toBe('VENDOR_ERROR');
  });

  test('time-out: waits until it is aborted, and says why', async () => {
    const plant = plantOf('time-out');
    const controller = new AbortController();
    const summary = adapterFor(plant, noon, { signal: controller.signal }).getPlantSummary(plant);
    const reason = new Error('budget used up');
    setTimeout(() => controller.abort(reason), 20);
    await expect(summary).rejects.toBe(reason);
  });
});
