import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type {
  AdapterDefinition,
  Credentials,
  PlantRef,
  VendorAdapter,
} from '../../adapters/clouds/contract.ts';
import { alarmsMax } from '../../adapters/clouds/fields.ts';
import { measure, ordinaryDay, type DayKnobs } from '../../adapters/clouds/recorded/fixture-day.ts';
import { loadPlants, loadScenario } from '../../adapters/clouds/recorded/fixture-form.ts';
import {
  createFixtureTransport,
  packagedFixturesDir,
} from '../../adapters/clouds/recorded/fixture-transport.ts';
import { bodyCharactersMax, bodyDepthMax } from '../../adapters/clouds/json.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
} from '../../adapters/clouds/transport.ts';
import { jsonResponse, type VendorSide } from '../../adapters/clouds/recorded/vendor-side.ts';
import { readCredentials } from '../../domain/plants/credential-form.ts';
import {
  adapterErrorTypes,
  type AdapterErrorType,
  type FailureScope,
} from '../../domain/plants/plant.ts';
import type { AlarmsAnswer, PlantSummary } from '../../domain/plants/reading.ts';
import { addDays, localDateAt } from '../../domain/zone.ts';
import { playing } from './scenarios.ts';

/** One line of a brand's error table: what the vendor answers to its data requests (or to its login), and the type it is. */
export interface RefusalCase {
  what: string;
  answer: TransportResponse;
  to?: 'login';
  type: AdapterErrorType;
  /** What it is about. AUTH_FAILED of a login is about the account, without a word here. */
  scope?: FailureScope;
  /** With RATE_LIMIT_EXCEEDED. */
  retryAfterMs?: number;
}

export interface AdapterKit {
  definition: AdapterDefinition;
  vendor: VendorSide;
  /** Good in form; their values must be recognisable in any output that leaks them. */
  canaries: Credentials;
  refusals: readonly RefusalCase[];
  /** A folder below the brand's fixtures: the scenarios of a second portal. The brand's own folder unless given. */
  variant?: string;
  /** Scenarios of the common list that the brand cannot have, each with the reason. */
  without?: Readonly<Partial<Record<CommonScenario, string>>>;
}

const commonScenarios = [
  'ordinary-day',
  'asleep-at-night',
  'offline-26h',
  'stale-5h',
  'silent-6h',
  'energy-20-percent',
  'energy-5-percent',
  'fault-raised-escalated-restored',
  'alarm-open',
  'alarm-twice',
  'alarm-page-2',
  'yesterday-at-dawn',
  'gap-at-d2',
  'dst-day',
  'mwh-unit',
  'one-inverter-dead',
  'session-expired-then-ok',
  'wrong-password',
  'rate-limit-retry-after',
  'rate-limit-plain',
  'error-inside-200',
  'html-instead-of-json',
  'truncated-json',
  'missing-field',
  'unknown-fields',
  'sentinel-values',
  'numbers-as-text',
  'bare-number-id',
  'time-out',
  'http-500',
  'energy-nan',
] as const;
export type CommonScenario = (typeof commonScenarios)[number];

/** A Thursday in summer, when a plant in the Netherlands is past its noon; no multiple of any measuring interval. */
const noon = new Date('2026-06-11T12:03:20Z');
const place = { timezone: 'Europe/Amsterdam', latitude: 52.1, longitude: 5.2 };
const usualCapacityKw = 10;

/** What counters are rounded to: a kWh of a plant of 10 kW is seen, a step of MWh is not mistaken for an error. */
const energyKwhTolerance = 0.06;
const powerShareTolerance = 0.01;

interface Asked {
  adapter: VendorAdapter;
  plant: PlantRef;
  session: SessionStore;
  requests: TransportRequest[];
}

/** The suite that every brand passes: one shape out, one table of errors, whatever the vendor's protocol. */
export function testAdapter(kit: AdapterKit): void {
  const { definition, vendor, canaries } = kit;
  const { brand } = definition;
  const folder = join(packagedFixturesDir, brand.toLowerCase(), kit.variant ?? '');
  const named = (scenario: string): string => posix.join(kit.variant ?? '', scenario);
  /** The plants of this folder; their scenarios without it. */
  const entries = loadPlants(packagedFixturesDir, brand)
    .filter(({ scenario }) => dirname(scenario) === (kit.variant ?? '.'))
    .map((entry) => ({ ...entry, scenario: basename(entry.scenario) }));
  /** The choices of the credentials are no secrets. */
  const secretValues = definition.credentialFields.map((field) => canaries[field] ?? '');

  function has(scenario: CommonScenario): boolean {
    return kit.without?.[scenario] === undefined;
  }

  /** The id of the first plant that plays a scenario; plants.json gives one pattern without wildcards for each. */
  function ask(
    scenario: string,
    options: {
      now?: Date;
      timezone?: string;
      credentials?: Credentials;
      session?: SessionStore;
      signal?: AbortSignal;
      vendorPlantId?: string;
      wrap?: (transport: Transport) => Transport;
    } = {},
  ): Asked {
    const { now = noon, credentials = canaries, session = new SessionStore() } = options;
    const signal = options.signal ?? new AbortController().signal;
    const plant = {
      ...place,
      ...(options.timezone === undefined ? {} : { timezone: options.timezone }),
      vendorPlantId: options.vendorPlantId ?? playing(brand, named(scenario)).vendorPlantId,
      capacityKw: null,
    };
    const fixture = createFixtureTransport({
      brand,
      vendor,
      plant,
      knownCredentials: canaries,
      now,
    });
    const wrapped = options.wrap?.(fixture) ?? fixture;
    const requests: TransportRequest[] = [];
    const transport: Transport = (request, control) => {
      requests.push(request);
      return wrapped(request, control);
    };
    const adapter = definition.create({ transport, credentials, session, now, signal });
    return { adapter, plant, session, requests };
  }

  /** Answers data requests (or logins) with `answer` instead of the fixture's. */
  function answering(answer: TransportResponse, to: 'login' | 'data' = 'data') {
    return (fixture: Transport): Transport =>
      async (request, control) => {
        const context = { knownCredentials: canaries, now: noon };
        const isLogin = (vendor.login?.(request, context) ?? null) !== null;
        return isLogin === (to === 'login') ? answer : fixture(request, control);
      };
  }

  function expected(scenario: string, now: Date) {
    const { day } = loadScenario(packagedFixturesDir, brand, named(scenario));
    const knobs: DayKnobs = {
      lagS: day.lag_s ?? ordinaryDay.lagS,
      sleeps: day.sleeps ?? ordinaryDay.sleeps,
      todayFactor: day.today_factor ?? ordinaryDay.todayFactor,
      resetAt: day.reset_at ?? ordinaryDay.resetAt,
      silent: day.silent ?? ordinaryDay.silent,
      silentSinceMs: ordinaryDay.silentSinceMs,
    };
    const vendorPlantId = playing(brand, named(scenario)).vendorPlantId;
    const entry = entries.find(({ pattern }) => pattern.test(vendorPlantId));
    const capacityKw = typeof entry?.capacity_kw === 'number' ? entry.capacity_kw : usualCapacityKw;
    return measure({ ...place, vendorPlantId, capacityKw }, knobs, now.getTime());
  }

  async function summaryOf(scenario: string, now = noon): Promise<PlantSummary> {
    const { adapter, plant } = ask(scenario, { now });
    const summary = await adapter.getPlantSummary(plant);
    expectSummaryForm(summary, now);
    return summary;
  }

  async function alarmsOf(scenario: string, now = noon): Promise<AlarmsAnswer> {
    const { adapter, plant } = ask(scenario, { now });
    const answer = await adapter.getAlarmsSince(plant, new Date(now.getTime() - 86_400_000));
    expectAlarmsForm(answer);
    return answer;
  }

  async function seriesOf(scenario: string, now = noon) {
    const { adapter, plant } = ask(scenario, { now });
    const today = localDateAt(now.getTime(), place.timezone);
    return adapter.getDailyEnergySeries(plant, addDays(today, -3), addDays(today, -1));
  }

  function expectMeasured(scenario: string, summary: PlantSummary, now = noon): void {
    const truth = expected(scenario, now);
    expectNear(summary.todayEnergyKwh, truth.todayEnergyKwh, energyKwhTolerance);
    if (summary.powerW !== null && truth.condition === 'ONLINE') {
      const tolerance = Math.max(20, truth.powerW * powerShareTolerance);
      expectNear(summary.powerW, truth.powerW, tolerance);
    }
    if (summary.lifetimeEnergyKwh !== null) {
      const tolerance = Math.max(summary.lifetimeResolutionKwh ?? 0, 1);
      expectNear(summary.lifetimeEnergyKwh, truth.lifetimeEnergyKwh, tolerance);
    }
    if (measurementTime) {
      expect(summary.lastSeenAt).toBe(new Date(truth.measuredAtMs).toISOString());
    }
  }

  const { measurementTime } = ask('ordinary-day').adapter.capabilities();

  describe(`${named(brand)}: what every adapter does`, () => {
    describe('the entry', () => {
      test('names its credentials and says what it speaks', () => {
        expect(definition.credentialFields.length).toBeGreaterThan(0);
        const read = readCredentials(definition, canaries);
        expect(read.ok).toBe(true);
        const readme = join(
          packagedFixturesDir,
          '..',
          'adapters',
          'clouds',
          brand.toLowerCase(),
          'README.md',
        );
        expect(readFileSync(readme, 'utf8').length).toBeGreaterThan(1_000);
      });

      test('plants.json names every scenario file, and every common scenario has its file', () => {
        const files = readdirSync(folder)
          .filter((file) => file.endsWith('.json') && file !== 'plants.json')
          .map((file) => file.replace(/\.json$/, ''));
        const named = new Set(entries.map(({ scenario }) => scenario));
        expect(files.filter((file) => !named.has(file))).toEqual([]);
        expect(commonScenarios.filter((one) => has(one) !== files.includes(one))).toEqual([]);
      });

      test('capabilities are plain data with sound figures', () => {
        const capabilities = ask('ordinary-day').adapter.capabilities();
        expect(structuredClone(capabilities)).toEqual(capabilities);
        expect(capabilities.alarmIntervalS).toBeGreaterThanOrEqual(60);
        expect(capabilities.seriesDaysMax).toBeGreaterThanOrEqual(4);
        expect(capabilities.budgets.length).toBeGreaterThan(0);
      });
    });

    describe('an ordinary plant', () => {
      test('today, power, lifetime and measurement time are those of the plant, in kWh, W and UTC', async () => {
        const summary = await summaryOf('ordinary-day');
        expectMeasured('ordinary-day', summary);
        expect(summary.powerW).toBeGreaterThan(1_000);
        expect(summary.refused).toEqual([]);
      });

      test('at midnight UTC the plant of another zone has its own date', async () => {
        const now = new Date('2026-06-11T14:03:20Z');
        const timezone = 'Pacific/Kiritimati';
        const { adapter, plant } = ask('ordinary-day', { now, timezone });
        const series = await adapter.getDailyEnergySeries(plant, '2026-06-09', '2026-06-11');
        expect(series.map(({ date }) => date)).toEqual(['2026-06-09', '2026-06-10', '2026-06-11']);
      });

      test('energy only rises from midnight to midnight, and no measurement lies ahead of the clock', async () => {
        const startMs = Date.parse('2026-06-10T22:00:00Z');
        let before = 0;
        for (let minute = 0; minute < 1_440; minute += 24) {
          const now = new Date(startMs + minute * 60_000 + 59_000);
          const summary = await summaryOf('ordinary-day', now);
          expect(summary.todayEnergyKwh).toBeGreaterThanOrEqual(before);
          before = summary.todayEnergyKwh ?? NaN;
        }
        expect(before).toBeGreaterThan(usualCapacityKw * 3);
      });

      test('the series gives each day once, in order, with the total that the day ended with', async () => {
        const series = await seriesOf('ordinary-day');
        expect(series.map(({ date }) => date)).toEqual(['2026-06-08', '2026-06-09', '2026-06-10']);
        for (const { date, energyKwh } of series) {
          const evening = new Date(`${date}T21:55:00Z`);
          const truth = expected('ordinary-day', evening);
          expectNear(energyKwh, truth.todayEnergyKwh, energyKwhTolerance);
        }
      });

      test('a series across the end of a month is whole', async () => {
        const now = new Date('2026-07-02T12:03:20Z');
        const series = await seriesOf('ordinary-day', now);
        expect(series.map(({ date }) => date)).toEqual(['2026-06-29', '2026-06-30', '2026-07-01']);
      });

      test('has no alarm', async () => {
        expect(await alarmsOf('ordinary-day')).toEqual({ alarms: [], complete: true });
      });

      test('testConnection says yes in one sentence', async () => {
        const result = await ask('ordinary-day').adapter.testConnection();
        expect(result).toMatchObject({ ok: true, errorType: null });
        expect(result.message).toMatch(/^\S[^\n]{5,200}$/);
      });
    });

    describe('what a day can bring', () => {
      const night = new Date('2026-06-11T01:03:20Z');

      testWhere(
        'asleep-at-night',
        'by night: no power, and no newer measurement than the evening',
        async () => {
          const summary = await summaryOf('asleep-at-night', night);
          expect(summary.powerW ?? 0).toBe(0);
          if (measurementTime) expect(ageH(summary, night)).toBeGreaterThan(3);
        },
      );

      testWhere(
        'offline-26h',
        'offline for 26 h: an answer, without power, with the old measurement time',
        async () => {
          const summary = await summaryOf('offline-26h');
          expect(summary.powerW ?? 0).toBe(0);
          if (measurementTime) expectNear(ageH(summary, noon), 26, 0.1);
        },
      );

      testWhere('stale-5h', 'stale for 5 h: the measurement time says so', async () => {
        const summary = await summaryOf('stale-5h');
        if (measurementTime) expectNear(ageH(summary, noon), 5, 0.1);
      });

      testWhere('silent-6h', 'silent from 09:00 to 15:00 local time, every day', async () => {
        const silent = expected('silent-6h', noon);
        expect(silent.condition).toBe('OFFLINE');
        expectMeasured('silent-6h', await summaryOf('silent-6h'));
        if (!measurementTime) return;
        expectNear(ageH(await summaryOf('silent-6h'), noon), 5, 0.2);
        const evening = new Date('2026-06-11T15:03:20Z');
        expect(ageH(await summaryOf('silent-6h', evening), evening)).toBeLessThan(0.2);
      });

      for (const scenario of ['energy-20-percent', 'energy-5-percent'] as const) {
        testWhere(
          scenario,
          `${scenario}: today gives so much, the days before were ordinary`,
          async () => {
            expectMeasured(scenario, await summaryOf(scenario));
            for (const { energyKwh } of await seriesOf(scenario)) {
              expect(energyKwh).toBeGreaterThan(usualCapacityKw * 3);
            }
          },
        );
      }

      testWhere(
        'yesterday-at-dawn',
        "at dawn the counter still shows yesterday's total",
        async () => {
          const evening = new Date('2026-06-10T21:55:00Z');
          const total = expected('ordinary-day', evening).todayEnergyKwh;
          const summary = await summaryOf('yesterday-at-dawn', night);
          expect(summary.todayEnergyKwh).toBeGreaterThan(total / 2);
          expectMeasured('yesterday-at-dawn', summary, night);
        },
      );

      testWhere(
        'missing-field',
        "without today's energy a plant whose state, lifetime or power is known is still a summary",
        async () => {
          const summary = await summaryOf('missing-field');
          // Where inverters state it too, theirs stands in.
          if (summary.todayEnergyKwh !== null) {
            const truth = expected('missing-field', noon).todayEnergyKwh;
            expectNear(summary.todayEnergyKwh, truth, energyKwhTolerance);
          }
          expect(summary.powerW).toBeGreaterThan(1_000);
          expect(summary.refused.map(({ field }) => field)).toEqual(['today_energy_kwh']);
        },
      );

      testWhere(
        'gap-at-d2',
        'a day that the vendor does not have is absent, or without a value',
        async () => {
          const series = await seriesOf('gap-at-d2');
          const values = new Map(series.map(({ date, energyKwh }) => [date, energyKwh]));
          expect(values.get('2026-06-09') ?? null).toBeNull();
          expect(values.get('2026-06-08')).toBeGreaterThan(0);
          expect(values.get('2026-06-10')).toBeGreaterThan(0);
        },
      );

      for (const date of ['2026-03-29', '2026-10-25']) {
        testWhere('dst-day', `${date}, when the clock changes, is an ordinary day`, async () => {
          const now = new Date(`${date}T12:03:20Z`);
          expectMeasured('dst-day', await summaryOf('dst-day', now), now);
          const next = new Date(now.getTime() + 86_400_000);
          expect((await seriesOf('dst-day', next)).map((day) => day.date)).toContain(date);
        });
      }

      testWhere('mwh-unit', "a big plant's units are read", async () => {
        const summary = await summaryOf('mwh-unit');
        const truth = expected('mwh-unit', noon);
        expectNear(summary.todayEnergyKwh, truth.todayEnergyKwh, truth.todayEnergyKwh / 100);
        expectNear(summary.powerW ?? truth.powerW, truth.powerW, truth.powerW / 100);
        for (const { energyKwh } of await seriesOf('mwh-unit')) {
          expect(energyKwh).toBeGreaterThan(truth.todayEnergyKwh);
        }
      });

      testWhere('one-inverter-dead', 'of two inverters the dead one is told apart', async () => {
        const { devices } = await summaryOf('one-inverter-dead');
        expect(devices).toHaveLength(2);
        expect(devices.filter(({ powerW }) => (powerW ?? 0) > 0)).toHaveLength(1);
      });

      for (const scenario of ['unknown-fields', 'numbers-as-text', 'bare-number-id'] as const) {
        testWhere(scenario, `${scenario}: read as ever`, async () => {
          expectMeasured(scenario, await summaryOf(scenario));
          await seriesOf(scenario);
          await alarmsOf(scenario);
        });
      }

      testWhere(
        'sentinel-values',
        'what the vendor fills in for "not fitted" is never taken for a value',
        async () => {
          const summary = await summaryOf('sentinel-values');
          expectNear(
            summary.todayEnergyKwh,
            expected('sentinel-values', noon).todayEnergyKwh,
            energyKwhTolerance,
          );
          expect(summary.powerW ?? 0).toBeLessThan(usualCapacityKw * 1_500);
          for (const device of summary.devices) {
            expect(device.powerW ?? 0).toBeLessThan(usualCapacityKw * 1_500);
          }
        },
      );
    });

    describe('alarms', () => {
      testWhere(
        'alarm-open',
        'an open alarm has a code, words, a level and a start in UTC',
        async () => {
          const { alarms } = await alarmsOf('alarm-open');
          expect(alarms.filter(({ open }) => open)).toHaveLength(1);
          expect(alarms[0]).toMatchObject({ endedAt: null, communication: false });
          expectNear(Date.parse(alarms[0]?.startedAt ?? ''), noon.getTime() - 2_400_000, 60_000);
        },
      );

      testWhere('alarm-twice', 'two records of one code and device are one alarm', async () => {
        const { alarms } = await alarmsOf('alarm-twice');
        expect(alarms).toHaveLength(1);
        expect(alarms[0]?.open).toBe(true);
      });

      testWhere('alarm-page-2', 'an alarm on page 2 is found', async () => {
        const answer = await alarmsOf('alarm-page-2');
        expect(answer.complete).toBe(true);
        expect(answer.alarms.some(({ open }) => open)).toBe(true);
      });

      testWhere(
        'fault-raised-escalated-restored',
        'a fault is raised, grows worse, and ends',
        async () => {
          const startMs = Date.parse('2026-06-11T00:00:30Z');
          const seen = new Set<string>();
          for (let minute = 0; minute < 24 * 60; minute += 15) {
            const now = new Date(startMs + minute * 60_000);
            const { alarms } = await alarmsOf('fault-raised-escalated-restored', now);
            const [alarm] = alarms.filter(({ open }) => open);
            seen.add(alarm === undefined ? 'none' : alarm.severity);
          }
          expect(seen.has('none')).toBe(true);
          expect(seen.size).toBeGreaterThanOrEqual(3);
        },
      );
    });

    describe('errors', () => {
      const typeOf: Partial<Record<CommonScenario, AdapterErrorType>> = {
        'wrong-password': 'AUTH_FAILED',
        'rate-limit-retry-after': 'RATE_LIMIT_EXCEEDED',
        'rate-limit-plain': 'RATE_LIMIT_EXCEEDED',
        'error-inside-200': 'VENDOR_ERROR',
        'html-instead-of-json': 'INVALID_DATA_FORMAT',
        'truncated-json': 'INVALID_DATA_FORMAT',
        'energy-nan': 'INVALID_DATA_FORMAT',
        'http-500': 'VENDOR_ERROR',
      };
      for (const scenario of commonScenarios) {
        const type = typeOf[scenario];
        if (type === undefined) continue;
        testWhere(scenario, `${scenario} is ${type}`, async () => {
          const error = await refusalOf(ask(scenario));
          expect(error.type).toBe(type);
          if (type === 'RATE_LIMIT_EXCEEDED') expect(error.retryAfterMs).toBeGreaterThan(0);
        });
      }

      for (const { what, answer, to, type, retryAfterMs, scope } of kit.refusals) {
        test(`${what} is ${type}`, async () => {
          const error = await refusalOf(ask('ordinary-day', { wrap: answering(answer, to) }));
          expect({ type: error.type, retryAfterMs: error.retryAfterMs }).toEqual({
            type,
            retryAfterMs,
          });
          if (scope !== undefined) expect(error.scope).toBe(scope);
          else if (to === 'login' && type === 'AUTH_FAILED') expect(error.scope).toBe('ACCOUNT');
        });
      }

      for (const status of [500, 502, 503, 504]) {
        test(`HTTP ${status} with a page is VENDOR_ERROR`, async () => {
          const answer = text('<html><body>Bad gateway</body></html>', status);
          const error = await refusalOf(ask('ordinary-day', { wrap: answering(answer) }));
          expect(error.type).toBe('VENDOR_ERROR');
        });
      }

      for (const [header, waitMs] of [
        ['30', 30_000],
        [new Date(noon.getTime() + 90_000).toUTCString(), 90_000],
        ['0', 0],
      ] as const) {
        test(`HTTP 429 with Retry-After ${header} asks for ${waitMs} ms`, async () => {
          const answer = { ...text('Too Many Requests', 429), headers: { 'retry-after': header } };
          const error = await refusalOf(ask('ordinary-day', { wrap: answering(answer) }));
          expect(error).toMatchObject({ type: 'RATE_LIMIT_EXCEEDED', retryAfterMs: waitMs });
        });
      }

      test("HTTP 429 without Retry-After asks for the vendor's own window", async () => {
        for (const headers of [{}, { 'retry-after': 'soon' }]) {
          const answer = { ...text('Too Many Requests', 429), headers };
          const error = await refusalOf(ask('ordinary-day', { wrap: answering(answer) }));
          expect(error.type).toBe('RATE_LIMIT_EXCEEDED');
          expect(error.retryAfterMs).toBeGreaterThan(0);
        }
      });

      const malformed: Record<string, string> = {
        'an empty body': '',
        blanks: ' \r\n',
        HTML: '<!DOCTYPE html><html></html>',
        'half an object': '{"data":{"',
        'JSON null': 'null',
        'a JSON array': '[]',
        'a JSON text': '"maintenance"',
        'an empty object': '{}',
        'a body beyond the size limit': `{"x":"${'x'.repeat(bodyCharactersMax)}"}`,
        'a body one level too deep': `${'['.repeat(bodyDepthMax + 1)}${']'.repeat(bodyDepthMax + 1)}`,
        'a body without end': '{"a":'.repeat(100_000),
      };
      for (const [what, body] of Object.entries(malformed)) {
        test(`${what} is INVALID_DATA_FORMAT`, async () => {
          const error = await refusalOf(ask('ordinary-day', { wrap: answering(text(body, 200)) }));
          expect(error.type).toBe('INVALID_DATA_FORMAT');
          expect(error.message.length).toBeLessThan(200);
        });
      }

      test('a key named __proto__ changes nothing', async () => {
        const poison =
          (fixture: Transport): Transport =>
          async (request, control) => {
            const response = await fixture(request, control);
            return { ...response, body: JSON.stringify(JSON.parse(response.body, withProto)) };
          };
        const { adapter, plant } = ask('ordinary-day', { wrap: poison });
        expectMeasured('ordinary-day', await adapter.getPlantSummary(plant));
        expect({}).not.toHaveProperty('polluted');
      });

      test('an unknown plant is PLANT_NOT_FOUND, in each call', async () => {
        const vendorPlantId = 'NE=no-such-plant';
        for (const call of calls) {
          const asked = ask('ordinary-day', { vendorPlantId });
          const error = await caught(() => call(asked));
          expect(error.type).toBe('PLANT_NOT_FOUND');
        }
      });

      testWhere(
        'session-expired-then-ok',
        'an expired session is renewed once, and the answer is whole',
        async () => {
          const asked = ask('session-expired-then-ok');
          expectMeasured(
            'session-expired-then-ok',
            await asked.adapter.getPlantSummary(asked.plant),
          );
          const context = { knownCredentials: canaries, now: noon };
          const logins = asked.requests.filter(
            (one) => (vendor.login?.(one, context) ?? null) !== null,
          );
          expect(logins).toHaveLength(2);
        },
      );
    });

    describe('testConnection', () => {
      test('never throws, whatever happens', async () => {
        const failures: (() => Promise<TransportResponse>)[] = [
          () => Promise.reject(new TypeError('a bug')),
          () => Promise.reject(new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'no route')),
          () => Promise.resolve(text('<html>', 200)),
          () => Promise.resolve(text('', 503)),
        ];
        for (const fail of failures) {
          const result = await ask('ordinary-day', { wrap: () => fail }).adapter.testConnection();
          expect(result.ok).toBe(false);
          expect(adapterErrorTypes).toContain(result.errorType);
        }
        const signal = AbortSignal.abort(new Error('gone'));
        expect((await ask('ordinary-day', { signal }).adapter.testConnection()).ok).toBe(false);
      });

      testWhere('wrong-password', 'says AUTH_FAILED for a wrong password', async () => {
        const result = await ask('wrong-password').adapter.testConnection();
        expect(result).toMatchObject({ ok: false, errorType: 'AUTH_FAILED' });
      });
    });

    describe('cancellation', () => {
      const calledOff = new Error('the attempt was cut off');

      for (const [index, call] of calls.entries()) {
        test(`call ${index + 1} rejects with the abort reason, and nothing is requested afterwards`, async () => {
          const controller = new AbortController();
          const hang =
            (): Transport =>
            (_, { signal }) =>
              new Promise((_resolve, reject) => {
                signal.addEventListener('abort', () => reject(signal.reason));
              });
          const asked = ask('ordinary-day', { signal: controller.signal, wrap: hang });
          const outcome = call(asked).catch((error: unknown) => error);
          await tick();
          expect(asked.requests).toHaveLength(1);
          controller.abort(calledOff);
          expect(await outcome).toBe(calledOff);
          await tick();
          expect(asked.requests).toHaveLength(1);
        });

        test(`call ${index + 1} requests nothing when its signal has aborted already`, async () => {
          const asked = ask('ordinary-day', { signal: AbortSignal.abort(calledOff) });
          expect(await call(asked).catch((error: unknown) => error)).toBe(calledOff);
          expect(asked.requests).toHaveLength(0);
        });
      }

      test('an abort between two requests ends the call', async () => {
        const controller = new AbortController();
        const abortAfterFirst =
          (fixture: Transport): Transport =>
          async (request, control) => {
            const response = await fixture(request, control);
            controller.abort(calledOff);
            return response;
          };
        const scenario = has('alarm-page-2') ? 'alarm-page-2' : 'ordinary-day';
        const asked = ask(scenario, { signal: controller.signal, wrap: abortAfterFirst });
        await asked.adapter.getAlarmsSince(asked.plant, noon).catch(() => undefined);
        expect(asked.requests).toHaveLength(1);
      });

      testWhere(
        'time-out',
        'a vendor that never answers is left when the signal aborts',
        async () => {
          const controller = new AbortController();
          const asked = ask('time-out', { signal: controller.signal });
          const outcome = asked.adapter
            .getPlantSummary(asked.plant)
            .catch((error: unknown) => error);
          await tick();
          controller.abort(calledOff);
          expect(await outcome).toBe(calledOff);
        },
      );
    });

    describe('secrets', () => {
      test('no error of any scenario holds a credential or a token', async () => {
        const secrets = new Set(secretValues);
        const told: string[] = [];
        for (const { scenario } of entries) {
          for (const call of calls) {
            const controller = new AbortController();
            const asked = ask(scenario, { signal: controller.signal });
            const outcome = call(asked).catch((error: unknown) => error);
            await tick();
            controller.abort(calledOffQuietly);
            const error = await outcome;
            for (const secret of secretsOf(asked.session)) secrets.add(secret);
            if (error instanceof Error) told.push(everythingIn(error));
            const control = new AbortController();
            const test = ask(scenario, { signal: control.signal }).adapter.testConnection();
            await tick();
            control.abort(calledOffQuietly);
            told.push(JSON.stringify(await test));
          }
        }
        expect(told.length).toBeGreaterThan(entries.length);
        for (const secret of secrets) {
          expect(told.filter((one) => one.includes(secret))).toEqual([]);
        }
      });

      test('no error holds a credential that the vendor echoes', async () => {
        const echo = (): Transport => async (request) =>
          text(`{"msg":"${secretValues.join(' ')}","url":"${request.url}"}`, 400);
        for (const call of calls) {
          const error = await call(ask('ordinary-day', { wrap: echo })).catch(
            (one: unknown) => one,
          );
          expect(error).toBeInstanceOf(AdapterError);
          for (const secret of secretValues) {
            expect(everythingIn(error as Error)).not.toContain(secret);
          }
        }
      });
    });

    describe('instances', () => {
      test('share nothing but the session store that they were given', async () => {
        const others = definition.credentialFields.map((name) => [name, `${canaries[name]}2`]);
        const other = { ...canaries, ...Object.fromEntries(others) };
        const mine = ask('ordinary-day');
        const theirs = ask('ordinary-day', { credentials: other });
        const [summary, refusal] = await Promise.allSettled([
          mine.adapter.getPlantSummary(mine.plant),
          theirs.adapter.getPlantSummary(theirs.plant),
        ]);
        expect(summary.status).toBe('fulfilled');
        expect(refusal).toMatchObject({ status: 'rejected', reason: { type: 'AUTH_FAILED' } });
        expect(theirs.session.current).toBeNull();
      });

      const { login } = vendor;
      if (login !== undefined) {
        test('of one account log in once between them', async () => {
          const session = new SessionStore();
          const asked = [ask('ordinary-day', { session }), ask('alarm-open', { session })];
          await Promise.all(asked.map(({ adapter, plant }) => adapter.getPlantSummary(plant)));
          const context = { knownCredentials: canaries, now: noon };
          const logins = asked
            .flatMap(({ requests }) => requests)
            .filter((one) => login(one, context) !== null);
          expect(logins).toHaveLength(1);
        });
      }
    });

    test('every scenario runs: an answer in form, or an AdapterError', async () => {
      for (const { scenario } of entries) {
        for (const call of calls) {
          const controller = new AbortController();
          const outcome = call(ask(scenario, { signal: controller.signal })).then(
            () => null,
            (error: unknown) => error,
          );
          const cutOff = setTimeout(() => controller.abort(calledOffQuietly), 50);
          const error = await outcome;
          clearTimeout(cutOff);
          if (error === null || error === calledOffQuietly) continue;
          expect(error, scenario).toBeInstanceOf(AdapterError);
          expect(adapterErrorTypes).toContain((error as AdapterError).type);
          expect((error as AdapterError).message, scenario).toMatch(/^[^\n]{5,200}$/);
          expect((error as AdapterError).message, scenario).not.toMatch(/:\/\/|[{}<>]/);
        }
      }
    });
  });

  function testWhere(scenario: CommonScenario, name: string, run: () => Promise<void>): void {
    if (has(scenario)) test(name, run);
  }
}

const calledOffQuietly = new Error('the test has seen enough');

/** The three calls that ask about a plant; each checks the form of what it is given. */
const calls: readonly ((asked: Asked) => Promise<unknown>)[] = [
  async ({ adapter, plant }) => expectSummaryForm(await adapter.getPlantSummary(plant), null),
  async ({ adapter, plant }) => {
    const series = await adapter.getDailyEnergySeries(plant, '2026-06-08', '2026-06-10');
    const dates = series.map(({ date }) => date);
    expect(dates).toEqual([...new Set(dates)].toSorted());
    for (const { date, energyKwh } of series) {
      expect(date >= '2026-06-08' && date <= '2026-06-10').toBe(true);
      if (energyKwh !== null) expect(energyKwh).toBeGreaterThanOrEqual(0);
    }
  },
  async ({ adapter, plant }) =>
    expectAlarmsForm(await adapter.getAlarmsSince(plant, new Date(noon.getTime() - 86_400_000))),
];

function expectSummaryForm(summary: PlantSummary, now: Date | null): void {
  if (summary.todayEnergyKwh === null) {
    expect(summary.refused.map(({ field }) => field)).toContain('today_energy_kwh');
  } else {
    expect(Number.isFinite(summary.todayEnergyKwh)).toBe(true);
    expect(summary.todayEnergyKwh).toBeGreaterThanOrEqual(0);
  }
  for (const value of [summary.powerW, summary.lifetimeEnergyKwh, summary.lifetimeResolutionKwh]) {
    if (value !== null) expect(Number.isFinite(value)).toBe(true);
  }
  expect(summary.lifetimeResolutionKwh === null).toBe(summary.lifetimeEnergyKwh === null);
  if (summary.lifetimeResolutionKwh !== null) {
    expect(summary.lifetimeResolutionKwh).toBeGreaterThan(0);
  }
  expectInstant(summary.lastSeenAt);
  if (summary.lastSeenAt !== null && now !== null) {
    expect(Date.parse(summary.lastSeenAt)).toBeLessThanOrEqual(now.getTime());
  }
  for (const device of summary.devices) {
    expect(device.sn).not.toBe('');
    expectInstant(device.measuredAt);
    for (const value of [device.powerW, device.todayEnergyKwh]) {
      if (value !== null) expect(Number.isFinite(value)).toBe(true);
    }
  }
  for (const { sentence } of summary.refused) expect(sentence).toMatch(/^[A-Z].{5,200}\.$/);
  expect(JSON.parse(JSON.stringify(summary))).toEqual(summary);
}

function expectAlarmsForm({ alarms, complete }: AlarmsAnswer): void {
  expect(typeof complete).toBe('boolean');
  expect(alarms.length).toBeLessThanOrEqual(alarmsMax);
  const keys = alarms.map(({ code, deviceSn }) => JSON.stringify([code, deviceSn]));
  expect(new Set(keys).size).toBe(keys.length);
  for (const alarm of alarms) {
    expect(alarm.code).not.toBe('');
    expect(alarm.text).toMatch(/^[^\p{Cc}]{1,300}$/u);
    expectInstant(alarm.startedAt);
    expectInstant(alarm.endedAt);
    if (alarm.open) expect(alarm.endedAt).toBeNull();
  }
}

function expectInstant(text: string | null): void {
  if (text !== null) expect(new Date(text).toISOString()).toBe(text);
}

function expectNear(value: number | null, wanted: number, tolerance: number): void {
  const distance = value === null ? Number.NaN : Math.abs(value - wanted);
  expect(distance, `${value} is not within ${tolerance} of ${wanted}`).toBeLessThanOrEqual(
    tolerance,
  );
}

function ageH({ lastSeenAt }: PlantSummary, now: Date): number {
  return (now.getTime() - Date.parse(lastSeenAt ?? '')) / 3_600_000;
}

async function refusalOf({ adapter, plant }: Asked): Promise<AdapterError> {
  return caught(() => adapter.getPlantSummary(plant));
}

async function caught(run: () => Promise<unknown>): Promise<AdapterError> {
  const error = await run().then(
    () => new Error('the call was answered'),
    (one: unknown) => one,
  );
  if (error instanceof AdapterError) return error;
  throw error;
}

function text(body: string, status: number): TransportResponse {
  return { ...jsonResponse(null, status, { 'content-type': 'text/html' }), body };
}

function secretsOf({ current }: SessionStore): string[] {
  return current === null ? [] : [current.token];
}

/** Everything that a log or a history could keep of an error. */
function everythingIn(error: Error): string {
  const causes: string[] = [];
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    causes.push(one.message, one.stack ?? '', JSON.stringify(one));
  }
  return causes.join('\n');
}

/** A reviver that gives every object a key of its own named `__proto__`. */
function withProto(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.defineProperty(value, '__proto__', {
    value: { polluted: true },
    enumerable: true,
  });
}

/** Lets everything that can run without a timer run. */
function tick(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
