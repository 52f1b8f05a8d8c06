import { describe, expect, test } from 'vitest';
import { testAdapter } from '../../../test/support/adapter-kit.ts';
import { testParts } from '../../../test/support/adapter-kit-parts.ts';
import { jsonResponse } from '../recorded/vendor-side.ts';
import { goodwe } from './adapter.ts';
import { goodweVendor } from '../recorded/goodwe.ts';
import { SessionStore } from '../session.ts';
import {
  detailData,
  failureOf,
  plant,
  portal,
  refusal,
  success,
  summaryFailure,
} from '../../../test/support/scripted-goodwe.ts';

describe('a success without figures', () => {
  const listed = success({
    record: 1,
    list: [{ powerstation_id: plant.vendorPlantId.toUpperCase() }],
  });

  test.each([null, {}, undefined, [], 'x', { info: {} }, { kpi: null, info: { status: 1 } }])(
    'data %j is INVALID_DATA_FORMAT for a plant that the account has',
    async (data) => {
      const error = await summaryFailure({ detail: { code: '0', data }, plants: listed });
      expect(error.type).toBe('INVALID_DATA_FORMAT');
    },
  );

  test.each([
    ['is refused', refusal(100000)],
    ['is empty-handed itself', success(null)],
    [
      'is longer than the page that was given',
      success({ record: 250, list: [{ powerstation_id: 'other' }] }),
    ],
  ])('is INVALID_DATA_FORMAT where the list of plants %s', async (_, plants) => {
    expect((await summaryFailure({ detail: success(null), plants })).type).toBe(
      'INVALID_DATA_FORMAT',
    );
  });

  test.each([
    success({ record: 0, list: [] }),
    success({ record: 1, list: [{ powerstation_id: 'other' }] }),
  ])('is PLANT_NOT_FOUND where the whole list does not hold the plant (%#)', async (plants) => {
    expect((await summaryFailure({ detail: success({}), plants })).type).toBe('PLANT_NOT_FOUND');
  });
});

describe('day series', () => {
  const seriesOf = async (data: unknown): Promise<unknown> =>
    portal({ daySeries: success(data) }).adapter.getDailyEnergySeries(
      plant,
      '2026-03-28',
      '2026-03-30',
    );

  test('asks for the days that end with the last one', async () => {
    const { adapter, asked } = portal({ daySeries: success([]) });
    await adapter.getDailyEnergySeries(plant, '2026-03-28', '2026-03-30');
    expect(asked[1]?.json).toEqual({
      powerstation_id: plant.vendorPlantId,
      count: 3,
      date: '2026-03-30',
    });
  });

  test('gives the days in order, one entry each, without what was not asked for', async () => {
    const rows = [
      { d: '03/30/2026', p: 12.3, i: 1 },
      { d: '03/28/2026', p: '10.10' },
      { d: '03/29/2026', p: 0 },
      { d: '03/29/2026 00:00:00', p: 11 },
      { d: '03/27/2026', p: 99 },
      { d: '03/31/2026', p: 99 },
    ];
    expect(await seriesOf(rows)).toEqual([
      { date: '2026-03-28', energyKwh: 10.1 },
      { date: '2026-03-29', energyKwh: 11 },
      { date: '2026-03-30', energyKwh: 12.3 },
    ]);
  });

  test('knows a day without a value from a day without a row, and from nought', async () => {
    const rows = [
      { d: '03/28/2026', p: null },
      { d: '03/30/2026', p: 0 },
    ];
    expect(await seriesOf(rows)).toEqual([
      { date: '2026-03-28', energyKwh: null },
      { date: '2026-03-30', energyKwh: 0 },
    ]);
  });

  test.each([
    [
      'the account has the plant',
      success({ record: 1, list: [{ powerstation_id: plant.vendorPlantId }] }),
    ],
    ['nobody can say whether it has', refusal(100000)],
  ])('an empty list is no day at all where %s', async (_, plants) => {
    const { adapter } = portal({ daySeries: success([]), plants });
    expect(await adapter.getDailyEnergySeries(plant, '2026-03-28', '2026-03-30')).toEqual([]);
  });

  test('an empty list is PLANT_NOT_FOUND where the account has no such plant', async () => {
    const { adapter } = portal({
      daySeries: success([]),
      plants: success({ record: 0, list: [] }),
    });
    const series = adapter.getDailyEnergySeries(plant, '2026-03-28', '2026-03-30');
    expect((await failureOf(series)).type).toBe('PLANT_NOT_FOUND');
  });

  test.each([
    [null],
    [{}],
    [[{ d: '28.03.2026', p: 1 }]],
    [[{ d: '13/28/2026', p: 1 }]],
    [[{ d: '02/30/2026', p: 1 }]],
    [[{ d: '03/28/2026', p: -1 }]],
    [[{ d: '03/28/2026', p: 6553.5 }]],
    [[{ p: 1 }]],
  ])('%j is INVALID_DATA_FORMAT', async (data) => {
    expect((await failureOf(seriesOf(data))).type).toBe('INVALID_DATA_FORMAT');
  });
});

describe('days of nothing but noughts', () => {
  const noughts = success(['03/28/2026', '03/29/2026'].map((d) => ({ d, p: 0 })));
  const series = async (script: Parameters<typeof portal>[0]): Promise<unknown> =>
    portal({ daySeries: noughts, ...script }).adapter.getDailyEnergySeries(
      plant,
      '2026-03-28',
      '2026-03-29',
    );

  test('are no energies of a plant that SEMS has no figures of any more', async () => {
    const plants = success({ record: 1, list: [{ powerstation_id: plant.vendorPlantId }] });
    const error = await failureOf(series({ detail: success({}), plants }));
    expect(error).toMatchObject({
      type: 'INVALID_DATA_FORMAT',
      message:
        'plant detail: a success without kpi or info; if the account was moved to SEMS+, set portal to SEMS_PLUS',
    });
  });

  test('are what they say of a plant that SEMS has figures of', async () => {
    expect(await series({ detail: success(detailData({})) })).toEqual([
      { date: '2026-03-28', energyKwh: 0 },
      { date: '2026-03-29', energyKwh: 0 },
    ]);
  });
});

describe('the portal', () => {
  test.each([
    [undefined, 'www.semsportal.com'],
    ['SEMS', 'www.semsportal.com'],
    ['SEMS_PLUS', 'semsplus.goodwe.com'],
  ])('of credentials with portal %s is asked at %s', async (chosen, host) => {
    const hosts: string[] = [];
    const adapter = goodwe.create({
      credentials: { account: 'a', password: 'b', ...(chosen && { portal: chosen }) },
      session: new SessionStore(),
      now: new Date('2026-01-10T14:55:00Z'),
      signal: new AbortController().signal,
      transport: async ({ url }) => {
        hosts.push(new URL(url).host);
        return jsonResponse({ code: 100005 });
      },
    });
    expect((await adapter.testConnection()).ok).toBe(false);
    expect(hosts).toEqual([host]);
  });

  test('of new credentials that do not say is SEMS_PLUS', () => {
    expect(goodwe.credentialChoices).toEqual([
      { field: 'portal', values: ['SEMS', 'SEMS_PLUS'], usual: 'SEMS_PLUS' },
    ]);
  });
});

describe('connection test', () => {
  test('logs in anew, whatever session there is', async () => {
    const { adapter, asked } = portal({});
    expect(await adapter.testConnection()).toEqual({
      ok: true,
      errorType: null,
      message: 'logged in; the account is served by eu.semsportal.com',
    });
    await adapter.testConnection();
    expect(asked).toHaveLength(2);
  });

  test('tells what was refused, and never throws', async () => {
    expect(await portal({ login: refusal(100005) }).adapter.testConnection()).toEqual({
      ok: false,
      errorType: 'AUTH_FAILED',
      message: 'login: code 100005, wrong account or password',
    });
    const { adapter, abort } = portal({});
    abort.abort(new Error('stopped'));
    expect(await adapter.testConnection()).toMatchObject({ ok: false, errorType: 'UNKNOWN' });
  });
});

testAdapter({
  definition: goodwe,
  vendor: goodweVendor,
  canaries: { account: 'canary-9d27@example.invalid', password: 'canary-of-goodwe-31c8' },
  without: {
    'mwh-unit': 'every energy is in kWh, whatever the size of the plant',
    'bare-number-id': 'plants have UUIDs',
  },
  refusals: [
    {
      what: 'a login without a token',
      to: 'login',
      answer: jsonResponse({ code: '00000', data: { agreement: true } }),
      type: 'AUTH_FAILED',
    },
    {
      what: 'GY0429 for the login',
      to: 'login',
      answer: jsonResponse({ code: 'GY0429' }),
      type: 'RATE_LIMIT_EXCEEDED',
      retryAfterMs: 300_000,
    },
    {
      what: '100002 for every question',
      answer: jsonResponse({ code: '100002', data: null }),
      type: 'AUTH_FAILED',
      scope: 'PLANT',
    },
  ],
});

const says = (code: number) => jsonResponse({ code, msg: 'x', data: null });

testParts({
  definition: goodwe,
  vendor: goodweVendor,
  canaries: { account: 'canary-9d27@example.invalid', password: 'canary-of-goodwe-31c8' },
  mainPath: 'GetMonitorDetailByPowerstationId',
  alarmsPath: 'GetPowerStationWariningInfoByMultiCondition',
  // The summary is one request.
  parts: [],
  plantRefused: says(100002),
  pathRefused: says(100002),
  badRequest: says(100004),
  measuredAt: {
    path: 'GetMonitorDetailByPowerstationId',
    at: ['data', 'inverter', 0, 'invert_full', 'last_time'],
    unit: 'ms',
  },
  todayEnergy: { path: 'GetMonitorDetailByPowerstationId', at: ['data', 'kpi', 'power'] },
  hybridAtNight: {
    edit(path, set) {
      if (!path.endsWith('GetMonitorDetailByPowerstationId')) return;
      set(['data', 'kpi', 'pac'], 620);
      set(['data', 'inverter', 0, 'out_pac'], 620);
      set(['data', 'powerflow'], { pv: '0(W)', bettery: '640(W)', betteryStatus: 1 });
    },
  },
});

testAdapter({
  definition: goodwe,
  vendor: goodweVendor,
  variant: 'sems-plus',
  canaries: {
    account: 'canary-4b81@example.invalid',
    password: 'canary-of-sems-plus-7e02',
    portal: 'SEMS_PLUS',
  },
  without: {
    'bare-number-id': 'plants have UUIDs',
  },
  refusals: [
    {
      what: 'a login without a token',
      to: 'login',
      answer: jsonResponse({ code: '00000', data: { agreement: true } }),
      type: 'AUTH_FAILED',
    },
    {
      what: 'a login refused with 100004',
      to: 'login',
      answer: jsonResponse({ code: '100004', translationCode: 'parameter_error' }),
      type: 'AUTH_FAILED',
    },
    {
      what: 'a login called abnormal',
      to: 'login',
      answer: jsonResponse({ code: 'C0602' }),
      type: 'VENDOR_ERROR',
      scope: 'ACCOUNT',
    },
    {
      what: 'GY0429 for every question',
      answer: jsonResponse({ code: 'GY0429' }),
      type: 'RATE_LIMIT_EXCEEDED',
      scope: 'ACCOUNT',
      retryAfterMs: 300_000,
    },
    {
      what: 'C0602 for every question',
      answer: jsonResponse({ code: 'C0602' }),
      type: 'AUTH_FAILED',
      scope: 'PLANT',
    },
    {
      what: '100025 for every question',
      answer: jsonResponse({ code: '100025' }),
      type: 'AUTH_FAILED',
      scope: 'REQUEST',
    },
    {
      what: 'a range that is refused (S0327), for every question',
      answer: jsonResponse({ code: 'S0327' }),
      type: 'UNKNOWN',
      scope: 'REQUEST',
    },
  ],
});

const saysPlus = (code: string) => jsonResponse({ code, description: 'x', traceId: 't' });

testParts({
  definition: goodwe,
  vendor: goodweVendor,
  variant: 'sems-plus',
  canaries: {
    account: 'canary-4b81@example.invalid',
    password: 'canary-of-sems-plus-7e02',
    portal: 'SEMS_PLUS',
  },
  // SEMS+ has no answer that holds a whole plant: a summary fails where none of its questions is answered.
  mainPath: /\/sems-plant\//,
  alarmsPath: 'alarm/page',
  parts: [
    { path: 'stations/flow', costs: 'power_w' },
    { path: 'device/all-status', costs: 'devices' },
    { path: '/telecounting', costs: 'lifetime_energy_kwh' },
    // Of a plant that is not away the flow has a time, too.
    { path: 'statisticsAndPreV2', costs: 'last_seen_at', scenario: 'offline-26h' },
  ],
  plantRefused: saysPlus('C0602'),
  pathRefused: saysPlus('100025'),
  badRequest: saysPlus('S0327'),
  todayEnergy: { path: '/telecounting', at: ['data', 1, 'factors', 0, 'data'] },
  hybridAtNight: {
    scenario: 'battery-at-night',
    edit(path, set) {
      if (path.endsWith('stations/flow')) set(['data', 'pBat'], 0.62);
    },
  },
});
