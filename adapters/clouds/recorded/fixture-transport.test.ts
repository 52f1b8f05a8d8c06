import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFixtureTransport } from './fixture-transport.ts';
import type { TransportRequest } from '../transport.ts';
import { headerOf, jsonBodyOf, jsonResponse, pathOf, type VendorSide } from './vendor-side.ts';

/** A vendor that wants its token in a header, and logs in at /login. */
const vendor: VendorSide = {
  login: (request, { knownCredentials }) => {
    if (pathOf(request) !== '/login') return null;
    const right = jsonBodyOf(request)['password'] === knownCredentials['password'];
    return right ? jsonResponse({ token: 'good' }) : jsonResponse({ error: 'wrong' });
  },
  check: (request) =>
    headerOf(request, 'token') === 'good' ? null : jsonResponse({ error: 'expired' }),
  plantNotFound: () => jsonResponse({ error: 'no such plant' }),
  plantIdOf: (request) => {
    const { id } = jsonBodyOf(request);
    return typeof id === 'string' ? id : null;
  },
};

let testDir: string;
beforeEach(() => {
  testDir = mkdtempSync(join(tmpdir(), 'heliograph-fixtures-'));
});
afterEach(() => rmSync(testDir, { recursive: true }));

/** A folder of fixtures of its own for each play, for files are read once per process. Texts are written as they are. */
function fixtures(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(testDir, 'play-'));
  mkdirSync(join(folder, 'solis'));
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(join(folder, 'solis', `${name}.json`), text);
  }
  return folder;
}

/** Builds the transport of plant 7, which plays the scenario; `base` is there to be extended. */
function play(
  scenario: Record<string, unknown>,
  now = new Date('2026-06-11T12:03:20Z'),
  plant: Record<string, unknown> = {},
  base: unknown = {},
) {
  const fixturesDir = fixtures({
    'ordinary-day': { brand: 'SOLIS', about: '-' },
    base,
    played: { brand: 'SOLIS', about: '-', ...scenario },
    plants: { plants: [{ match: '^\\d$', scenario: 'played', capacity_kw: 10, ...plant }] },
  });
  const transport = createFixtureTransport({
    brand: 'SOLIS',
    vendor,
    plant: {
      vendorPlantId: '7',
      timezone: 'Europe/Amsterdam',
      capacityKw: null,
      latitude: null,
      longitude: null,
    },
    knownCredentials: { password: 'stored' },
    now,
    fixturesDir,
  });
  return async (
    body: unknown = { id: '7' },
    request: Partial<TransportRequest> = {},
    signal?: AbortSignal,
  ) => {
    const response = await transport(
      {
        method: 'POST',
        url: 'https://vendor.example/summary?lang=en',
        headers: { Token: 'good' },
        body: JSON.stringify(body),
        ...request,
      },
      { signal: signal ?? new AbortController().signal },
    );
    return { ...response, json: (): unknown => JSON.parse(response.body) };
  };
}

const summary = { method: 'POST', path: '/summary' };
const answer = (body: unknown, moves: unknown[] = []) => ({
  exchanges: [{ request: summary, response: { body }, moves }],
});

describe("the vendor's side comes first", () => {
  test('a wrong token gets its refusal, a login its answer, an unknown plant its own', async () => {
    const ask = play(answer({ ok: true }));
    const login = { url: 'https://vendor.example/login' };
    expect((await ask({ id: '7' }, { headers: {} })).json()).toEqual({ error: 'expired' });
    expect((await ask({ password: 'stored' }, login)).json()).toEqual({ token: 'good' });
    expect((await ask({ password: 'typo' }, login)).json()).toEqual({ error: 'wrong' });
    expect((await ask({ id: '8' })).json()).toEqual({ error: 'no such plant' });
    expect((await ask()).json()).toEqual({ ok: true });
  });

  test('a plant that plants.json does not know is not found', async () => {
    const ask = play(answer({ ok: true }), undefined, { match: '^8$' });
    expect((await ask()).json()).toEqual({ error: 'no such plant' });
  });

  test('the scenario may know other credentials', async () => {
    const ask = play({ credentials: { password: 'changed' } });
    const login = { url: 'https://vendor.example/login' };
    expect((await ask({ password: 'stored' }, login)).json()).toEqual({ error: 'wrong' });
    expect((await ask({ password: 'changed' }, login)).json()).toEqual({ token: 'good' });
  });

  test('a login that is recorded is answered as recorded', async () => {
    const ask = play({
      exchanges: [{ request: { method: 'POST', path: '/login' }, response: { status: 503 } }],
    });
    expect((await ask({}, { url: 'https://vendor.example/login' })).status).toBe(503);
  });
});

describe('which exchange answers', () => {
  const said = (body: unknown, more: Record<string, unknown> = {}) => ({
    request: summary,
    response: { body },
    ...more,
  });

  test('the first whose part of the body and of the query fits', async () => {
    const ask = play({
      exchanges: [
        said('page 2', { request: { ...summary, body: { page: 2, filter: { a: 1 } } } }),
        said('german', { request: { ...summary, query: { lang: 'de' } } }),
        said('else'),
      ],
    });
    expect((await ask({ page: 2, filter: { a: 1, b: 2 } })).json()).toBe('page 2');
    expect((await ask({ page: 2, filter: {} })).json()).toBe('else');
    expect((await ask({}, { url: 'https://vendor.example/summary?lang=de' })).json()).toBe(
      'german',
    );
  });

  test('only so many times, counted for one call chain', async () => {
    const scenario = { exchanges: [said('expired', { times: 2 }), said('ok')] };
    const ask = play(scenario);
    const given = [await ask(), await ask(), await ask(), await ask()];
    expect(given.map((one) => one.json())).toEqual(['expired', 'expired', 'ok', 'ok']);
    expect((await play(scenario)()).json()).toBe('expired');
  });

  test.each([
    [0, 'else'],
    [119_999, 'else'],
    [120_000, 'now'],
    [239_999, 'now'],
    [240_000, 'else'],
    [480_000, 'now'],
  ])('only in its part of a period: %d ms after its start', async (ms, expected) => {
    const when = { every_s: 360, from_s: 120, to_s: 240 };
    const ask = play(
      { exchanges: [said('now', { when }), said('else')] },
      new Date(360_000_000 + ms),
    );
    expect((await ask()).json()).toBe(expected);
  });

  test.each([
    ['07:59:59', 'else'],
    ['08:00:00', 'now'],
    ['12:59:59', 'now'],
    ['13:00:00', 'else'],
  ])("only at its hours of the plant's clock: %s UTC", async (utc, expected) => {
    const when = { local_from: '10:00', local_to: '15:00' };
    const now = new Date(`2026-06-11T${utc}Z`);
    const ask = play({ exchanges: [said('now', { when }), said('else')] }, now);
    expect((await ask()).json()).toBe(expected);
  });

  test('none is a fault of the fixture, shown as HTTP 404', async () => {
    expect(await play({})()).toMatchObject({
      status: 404,
      body: 'no exchange is recorded for POST /summary',
    });
  });
});

describe('what a response is', () => {
  test('status, headers and text as they are given', async () => {
    const response = { status: 429, headers: { 'retry-after': '30' }, text: 'ab', repeat: 3 };
    const ask = play({ exchanges: [{ request: summary, response }] });
    expect(await ask()).toMatchObject({
      status: 429,
      body: 'ababab',
      headers: { 'content-type': 'application/json;charset=UTF-8', 'retry-after': '30' },
    });
  });

  test('numbers leave as they are written', async () => {
    const base =
      '{"brand":"SOLIS","about":"-","exchanges":[{"request":{"method":"POST","path":"/summary"},"response":{"body":[16770.000,1298491919448631809,1e999,7]}}]}';
    const ask = play({ extends: 'base' }, undefined, {}, base);
    expect((await ask()).body).toBe('[16770.000,1298491919448631809,1e999,7]');
  });

  test('what is extended stands behind, and a response can be taken over with further moves', async () => {
    const base = {
      brand: 'SOLIS',
      about: '-',
      day: { lag_s: 600, sleeps: true },
      exchanges: [
        {
          request: summary,
          response: { body: { a: 1, b: 2 } },
          moves: [{ at: '/a', is: 'value', value: 3 }],
        },
      ],
    };
    const exchanges = [{ request: summary, times: 1, moves: [{ at: '/b', is: 'absent' }] }];
    const ask = play({ extends: 'base', exchanges }, undefined, {}, base);
    expect((await ask()).json()).toEqual({ a: 3 });
    expect((await ask()).json()).toEqual({ a: 3, b: 2 });
  });

  test('never comes where the vendor hangs, until the signal aborts', async () => {
    const ask = play({ exchanges: [{ request: summary, response: { hang: true } }] });
    const controller = new AbortController();
    const reason = new Error('cut off');
    const outcome = ask(undefined, {}, controller.signal);
    controller.abort(reason);
    await expect(outcome).rejects.toBe(reason);
  });

  test('comes late where it is delayed, and not at all when the signal aborts meanwhile', async () => {
    const ask = play({ exchanges: [{ request: summary, response: { delay_ms: 20, body: 1 } }] });
    const startedMs = performance.now();
    await ask();
    expect(performance.now() - startedMs).toBeGreaterThan(15);
    const controller = new AbortController();
    const outcome = ask(undefined, {}, controller.signal);
    controller.abort(new Error('cut off'));
    await expect(outcome).rejects.toThrow('cut off');
  });
});

describe('what moves', () => {
  const now = new Date('2026-06-11T12:03:20Z');
  const moved = async (before: unknown, ...moves: Record<string, unknown>[]): Promise<unknown> =>
    (
      await play(
        answer(
          { x: before },
          moves.map((move) => ({ at: '/x', ...move })),
        ),
        now,
      )()
    ).body;

  test.each([
    ['epoch_ms', '{"x":1781179200000}'],
    ['epoch_ms_text', '{"x":"1781179200000"}'],
    ['epoch_s', '{"x":1781179200}'],
    ['epoch_s_text', '{"x":"1781179200"}'],
    ['epoch_s_float', '{"x":1781179200.0}'],
    ['local_midnight_ms', '{"x":1781128800000}'],
    ['yyyy-MM-dd', '{"x":"2026-06-11"}'],
    ['yyyy-MM', '{"x":"2026-06"}'],
    ['MM/dd/yyyy', '{"x":"06/11/2026"}'],
    ['yyyy-MM-dd HH:mm:ss', '{"x":"2026-06-11 14:00:00"}'],
    ['MM/dd/yyyy HH:mm:ss', '{"x":"06/11/2026 14:00:00"}'],
  ])('the time of the newest measurement as %s', async (form, body) => {
    expect(await moved(null, { is: 'measured_at', form })).toBe(body);
  });

  test('a time from the clock, from the start of a period, by the wall clock, in another zone', async () => {
    const form = 'yyyy-MM-dd HH:mm:ss';
    expect(await moved('', { is: 'time', form, offset_s: -2400 })).toContain('2026-06-11 13:23:20');
    expect(await moved('', { is: 'time', form, floor_s: 360, offset_s: 120 })).toContain(
      '2026-06-11 14:02:00',
    );
    expect(await moved('', { is: 'time', form, local: 'yesterday 16:20' })).toContain(
      '2026-06-10 16:20:00',
    );
    expect(await moved('', { is: 'time', form, zone: 'Etc/GMT-8' })).toContain(
      '2026-06-11 20:03:20',
    );
  });

  test('amounts keep the type that stood there, in their unit and share', async () => {
    const power = JSON.parse(String(await moved(0, { is: 'power', unit: 'W' }))) as { x: number };
    expect(await moved(0, { is: 'power', unit: 'kW' })).toBe(`{"x":${power.x / 1000}}`);
    expect(await moved('0', { is: 'power', unit: 'kW', decimals: 1 })).toBe(
      `{"x":"${(power.x / 1000).toFixed(1)}"}`,
    );
    const half = JSON.parse(
      String(await moved(0, { is: 'power', unit: 'W', share: 0.5, factor: 10 })),
    ) as { x: number };
    expect(half.x / 5).toBeCloseTo(power.x, -1);
    expect(await moved(0, { is: 'capacity', unit: 'MW' })).toBe('{"x":0.01}');
  });

  test('an id stays text or becomes a bare number; the zone and its offset are told', async () => {
    expect(await moved('', { is: 'plant_id' })).toBe('{"x":"7"}');
    expect(await moved('', { is: 'plant_id', bare: true })).toBe('{"x":7}');
    expect(await moved('', { is: 'timezone' })).toBe('{"x":"Europe/Amsterdam"}');
    expect(await moved(0, { is: 'utc_offset_h', factor: -1 })).toBe('{"x":-2}');
  });

  test('a state follows the age of the newest measurement', async () => {
    const state = { at: '/x', is: 'state', online: 1, asleep: 2, offline: 3 };
    const states = [{}, { lag_s: 7_200 }, { sleeps: true }].map(async (day) => {
      const ask = play({ ...answer({ x: 0 }, [state]), day }, new Date('2026-06-11T01:00:00Z'));
      return (await ask()).body;
    });
    expect(await Promise.all(states)).toEqual(['{"x":1}', '{"x":3}', '{"x":2}']);
  });

  test('a value, a raw text, an absence', async () => {
    expect(await moved(1, { is: 'value', value: { y: [null] } })).toBe('{"x":{"y":[null]}}');
    expect(await moved(1, { is: 'raw', json: '1e999' })).toBe('{"x":1e999}');
    expect(await moved(1, { is: 'absent' })).toBe('{}');
  });

  test('the fixture itself never changes', async () => {
    const ask = play(answer({ x: { y: 1 } }, [{ at: '/x/y', is: 'absent' }]), now);
    expect([(await ask()).body, (await ask()).body]).toEqual(['{"x":{}}', '{"x":{}}']);
  });

  test('a pointer that leads nowhere is a fault of the fixture', async () => {
    const ask = play(answer({ x: 1 }, [{ at: '/y/z', is: 'absent' }]), now);
    await expect(ask()).rejects.toThrow('/y/z leads nowhere');
  });
});

describe('a day series', () => {
  const series = (changed: Record<string, unknown>, row: unknown = { d: '', e: 0, kept: true }) =>
    answer(
      [row],
      [
        {
          at: '',
          is: 'day_series',
          form: 'yyyy-MM-dd',
          date: '/d',
          energy: '/e',
          unit: 'kWh',
          ...changed,
        },
      ],
    );
  const now = new Date('2026-06-11T12:03:20Z');
  const rowsOf = async (changed: Record<string, unknown>, body: unknown = { id: '7' }, day = {}) =>
    (await play({ ...series(changed), day }, now)(body)).json() as {
      d: string;
      e: number | null;
    }[];
  const dates = (rows: readonly { d: string }[]): string[] => rows.map(({ d }) => d.slice(8));

  test('is the last 7 days and today where nothing says which', async () => {
    const rows = await rowsOf({});
    expect(dates(rows)).toEqual(['04', '05', '06', '07', '08', '09', '10', '11']);
    expect(rows[0]).toMatchObject({ kept: true });
  });

  test.each([
    [
      { days: { month_of: '/month' } },
      { month: '2026-06' },
      ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11'],
    ],
    [
      { days: { month_of: '/at' } },
      { at: Date.UTC(2026, 1, 3) },
      Array.from({ length: 28 }, (_, i) => String(i + 1).padStart(2, '0')),
    ],
    [{ days: { until: '/date', count: '/n' } }, { date: '06/09/2026', n: 3 }, ['07', '08', '09']],
    [
      { days: { from: '/a', to: '/b' } },
      { a: '2026-06-08', b: '2026-06-20' },
      ['08', '09', '10', '11'],
    ],
    [
      { days: { from: '/a', to: '/b', to_exclusive: true } },
      { a: '2026-06-08', b: '2026-06-10' },
      ['08', '09'],
    ],
    [{ days: { from: '/a', to: '/b' } }, { a: '2026-07-08', b: '2026-07-10' }, []],
  ])('is what the request asks for and has begun: %j of %j', async (changed, body, expected) => {
    expect(dates(await rowsOf(changed, { id: '7', ...body }))).toEqual(expected);
  });

  test('can turn its order, leave days out, and spoil values', async () => {
    const rows = await rowsOf({
      newest_first: true,
      with_today: false,
      leave_out: ['-2'],
      nulls: ['-1'],
      zeros: ['-3'],
    });
    expect(dates(rows)).toEqual(['10', '08', '07', '06', '05', '04']);
    expect(rows.slice(0, 2).map(({ e }) => e)).toEqual([null, 0]);
  });

  test('lacks today on the last day of a month where the vendor does', async () => {
    const lastDay = new Date('2026-06-30T12:00:00Z');
    const ask = play(series({ leave_out: ['month-end'] }), lastDay);
    expect(dates((await ask()).json() as { d: string }[]).at(-1)).toBe('29');
    expect(dates(await rowsOf({ leave_out: ['month-end'] })).at(-1)).toBe('11');
  });

  test('ends with the day of the newest measurement', async () => {
    const rows = await rowsOf({}, { id: '7' }, { lag_s: 93_600 });
    expect(dates(rows).at(-1)).toBe('10');
    const whole = await rowsOf({});
    expect(rows.at(-1)?.e).toBeLessThan(whole.at(-2)?.e ?? 0);
  });

  test('can write the date in three fields', async () => {
    const date = { year: '/y', month: '/m', day: '/t' };
    const ask = play(series({ date }, { y: 0, m: 0, t: 0, e: 0 }), now);
    expect(((await ask()).json() as unknown[]).at(-1)).toMatchObject({ y: 2026, m: 6, t: 11 });
  });
});

describe('plants.json', () => {
  test('draws a capacity between 4 and 200 kW from the id, unless the plant has its own', async () => {
    const capacity = { at: '/x', is: 'capacity', unit: 'kW', decimals: 0 };
    const ask = play(answer({ x: 0 }, [capacity]), undefined, { capacity_kw: 'by-id' });
    const { x } = (await ask()).json() as { x: number };
    expect(x).toBeGreaterThanOrEqual(4);
    expect(x).toBeLessThanOrEqual(200);
  });

  test('is refused where a scenario has no file', () => {
    expect(() => play({}, undefined, { scenario: 'misspelt' })).toThrow(
      'there is no scenario misspelt',
    );
  });
});

test.each([
  [{ exchanges: [{ request: summary, response: {}, repose: 1 }] }, 'repose'],
  [{ exchanges: [{ request: summary }] }, 'no response to inherit'],
  [{ day: { lags: 3 } }, 'lags'],
  [
    { exchanges: [{ request: summary, response: {}, moves: [{ at: 'x', is: 'absent' }] }] },
    'no JSON pointer',
  ],
])('a scenario with a mistake is refused: %j', (scenario, why) => {
  expect(() => play(scenario)).toThrow(why);
});
