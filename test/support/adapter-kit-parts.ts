import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type { AdapterDefinition, Credentials } from '../../adapters/clouds/contract.ts';
import { createFixtureTransport } from '../../adapters/clouds/recorded/fixture-transport.ts';
import {
  jsonResponse,
  pathOf,
  type VendorSide,
} from '../../adapters/clouds/recorded/vendor-side.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { Transport, TransportResponse } from '../../adapters/clouds/transport.ts';
import { refusesAccount } from '../../domain/plants/failure.ts';
import type { AdapterErrorType, FailureScope } from '../../domain/plants/plant.ts';
import type { PlantSummary, RefusedField } from '../../domain/plants/reading.ts';
import { playing } from './scenarios.ts';

/** The second half of the adapter kit: what a failure is about, and what a missing part costs. */

/** Where a value stands in the answer of a path. */
export interface Place {
  path: string;
  at: readonly (string | number)[];
}

/** Changes an answer of a path by `set`. */
type Edit = (path: string, set: (at: Place['at'], value: unknown) => void) => void;

export interface PartsKit {
  definition: AdapterDefinition;
  vendor: VendorSide;
  canaries: Credentials;
  /** As in `AdapterKit`. */
  variant?: string;
  /**
   * The paths (their ends) of the first request of a summary, and of the alarms. An expression for the first: of all
   * requests without which there is no summary, where no single one decides.
   */
  mainPath: string | RegExp;
  alarmsPath: string;
  /** Requests of a summary that it can do without, what their failure costs, and a scenario that makes them. */
  parts: readonly { path: string; costs: RefusedField['field']; scenario?: string }[];
  /** To the main path: the account may not read this plant. `undefined` where no answer is known that says it. */
  plantRefused?: TransportResponse;
  /** The account has no right to a path. */
  pathRefused: TransportResponse;
  /** A parameter of ours is wrong. */
  badRequest: TransportResponse;
  /** Where the measurement time stands, and in which unit of the epoch; absent for vendors that state none. */
  measuredAt?: Place & { unit: 's' | 'ms' };
  todayEnergy: Place;
  /** Turns the answers of a plant of `scenario` into those of a hybrid by night: its battery gives 620 W, its panels nothing. */
  hybridAtNight: { scenario?: string; edit: Edit };
}

const now = new Date('2026-06-11T12:03:20Z');
const place = { timezone: 'Europe/Amsterdam', latitude: 52.1, longitude: 5.2 };

/** The suite that every brand passes beside `testAdapter`. */
export function testParts(kit: PartsKit): void {
  const { definition, vendor, canaries } = kit;
  const { brand } = definition;

  function ask(scenario: string, wrap: (fixture: Transport) => Transport) {
    const played = playing(brand, posix.join(kit.variant ?? '', scenario));
    const plant = { ...place, ...played, capacityKw: null };
    const options = { brand, vendor, plant, knownCredentials: canaries, now };
    const adapter = definition.create({
      transport: wrap(createFixtureTransport(options)),
      credentials: canaries,
      session: new SessionStore(),
      now,
      signal: new AbortController().signal,
    });
    return { adapter, plant };
  }

  const summaryOf = async (
    wrap: (fixture: Transport) => Transport,
    scenario = 'ordinary-day',
  ): Promise<PlantSummary> => {
    const { adapter, plant } = ask(scenario, wrap);
    return adapter.getPlantSummary(plant);
  };
  const failureOf = async (run: Promise<unknown>): Promise<AdapterError> => {
    const error = await run.then(
      () => new Error('the call was answered'),
      (one: unknown) => one,
    );
    if (error instanceof AdapterError) return error;
    throw error;
  };
  const ordinary = () => summaryOf((fixture) => fixture);

  const name = posix.join(brand, kit.variant ?? '');

  describe(`${name}: what a failure is about`, () => {
    test("a refused login is about the account, by the vendor's word", async () => {
      const error = await failureOf(summaryOf((fixture) => fixture, 'wrong-password'));
      expect(error).toMatchObject({ type: 'AUTH_FAILED', scope: 'ACCOUNT', certain: true });
    });

    const { plantRefused } = kit;
    if (plantRefused !== undefined)
      test('a plant that the account may not read is about the plant, and pauses nothing', async () => {
        const error = await failureOf(summaryOf(answering(kit.mainPath, plantRefused)));
        expect(error).toMatchObject({ type: 'AUTH_FAILED', scope: 'PLANT' });
        expect(refusesAccount(error)).toBe(false);
      });

    test('an unknown plant is about the plant', async () => {
      const { adapter, plant } = ask('ordinary-day', (fixture) => fixture);
      const stranger = { ...plant, vendorPlantId: 'NE=no-such-plant' };
      const error = await failureOf(adapter.getPlantSummary(stranger));
      expect(error).toMatchObject({ type: 'PLANT_NOT_FOUND', scope: 'PLANT' });
    });

    test('a wrong parameter of ours is UNKNOWN and about the request', async () => {
      const error = await failureOf(summaryOf(answering(kit.mainPath, kit.badRequest)));
      expect(error).toMatchObject({ type: 'UNKNOWN', scope: 'REQUEST' });
    });

    test.each<[string, TransportResponse | 'network', AdapterErrorType, FailureScope]>([
      ['HTTP 502', page(502), 'VENDOR_ERROR', 'CLOUD'],
      ['a page instead of JSON', page(200), 'INVALID_DATA_FORMAT', 'CLOUD'],
      ['no network', 'network', 'NETWORK_TIMEOUT', 'CLOUD'],
    ])('%s is about the cloud', async (_, answer, type, scope) => {
      const error = await failureOf(summaryOf(answering(kit.mainPath, answer)));
      expect(error).toMatchObject({ type, scope });
    });

    test('an energy that cannot be is about the plant', async () => {
      const error = await failureOf(summaryOf((fixture) => fixture, 'energy-nan'));
      expect(error).toMatchObject({ type: 'INVALID_DATA_FORMAT', scope: 'PLANT' });
    });

    test('a right that is refused for the alarms alone costs the alarms, and pauses nothing', async () => {
      const { adapter, plant } = ask('ordinary-day', answering(kit.alarmsPath, kit.pathRefused));
      expect(await adapter.getPlantSummary(plant)).toEqual(await ordinary());
      const error = await failureOf(adapter.getAlarmsSince(plant, new Date(now.getTime() - 1e7)));
      expect(error.type).toBe('AUTH_FAILED');
      expect(refusesAccount(error)).toBe(false);
    });
  });

  describe(`${name}: what a missing part costs`, () => {
    for (const { path, costs, scenario } of kit.parts) {
      test.each<[string, TransportResponse | 'network', AdapterErrorType]>([
        ['a refused right', kit.pathRefused, 'AUTH_FAILED'],
        ['a wrong parameter', kit.badRequest, 'UNKNOWN'],
        ['HTTP 502', page(502), 'VENDOR_ERROR'],
        ['a page', page(200), 'INVALID_DATA_FORMAT'],
        ['an empty object', jsonResponse({}), 'INVALID_DATA_FORMAT'],
        ['no network', 'network', 'NETWORK_TIMEOUT'],
      ])(`${path}: %s costs ${costs} and a sentence`, async (_, answer, type) => {
        const summary = await summaryOf(answering(path, answer), scenario);
        const whole = await summaryOf((fixture) => fixture, scenario);
        expect(whole.refused).toEqual([]);
        expect(summary.refused).toMatchObject([
          { field: costs, type, sentence: expect.stringMatching(/^[A-Z].{10,198}\.$/) },
        ]);
        if (costs !== 'today_energy_kwh') {
          expect(summary.todayEnergyKwh).toBe(whole.todayEnergyKwh);
        }
        if (costs !== 'power_w') expect(summary.powerW).toBe(whole.powerW);
      });
    }

    test("today's energy null: what else is known is a summary all the same", async () => {
      const { path, at } = kit.todayEnergy;
      const summary = await summaryOf(editing(path, (_, set) => set(at, null)));
      const whole = await ordinary();
      expect(summary).toMatchObject({
        powerW: whole.powerW,
        lifetimeEnergyKwh: whole.lifetimeEnergyKwh,
        lastSeenAt: whole.lastSeenAt,
      });
      // Where the inverters state it too, theirs stands in, and nothing is missing.
      if (summary.todayEnergyKwh === null)
        expect(summary.refused.map(({ field }) => field)).toEqual(['today_energy_kwh']);
    });

    const { measuredAt } = kit;
    if (measuredAt !== undefined)
      test('a measurement time in another form is named, never dropped in silence', async () => {
        const { path, at, unit } = measuredAt;
        const inOtherUnit = now.getTime() * (unit === 's' ? 1 : 1e-3);
        for (const time of [inOtherUnit, '2026-06-11 12:00:00', 'soon']) {
          const summary = await summaryOf(editing(path, (_, set) => set(at, time)));
          const named = summary.refused.filter(({ field }) => field === 'last_seen_at');
          expect(named, JSON.stringify(time)).toHaveLength(1);
        }
      });
  });

  test(`${name}: a battery's power by night is not the panels'`, async () => {
    const { scenario, edit } = kit.hybridAtNight;
    const summary = await summaryOf(editing(null, edit), scenario);
    expect(summary.powerW ?? 0).toBe(0);
    expect(summary.devices.length).toBeGreaterThan(0);
    for (const { powerW } of summary.devices) expect(powerW ?? 0).toBe(0);
  });
}

/** Answers the paths that end so, or match, with `answer` instead of the fixture's. */
function answering(path: string | RegExp, answer: TransportResponse | 'network') {
  return (fixture: Transport): Transport =>
    async (request, control) => {
      const asked = pathOf(request);
      const isMeant = typeof path === 'string' ? asked.endsWith(path) : path.test(asked);
      if (!isMeant) return fixture(request, control);
      if (answer === 'network') throw new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'no route');
      return answer;
    };
}

/** Edits the fixture's JSON of one path, or of all. */
function editing(path: string | null, edit: Edit) {
  return (fixture: Transport): Transport =>
    async (request, control) => {
      const response = await fixture(request, control);
      if (path !== null && !pathOf(request).endsWith(path)) return response;
      const body: unknown = JSON.parse(response.body);
      edit(pathOf(request), (at, value) => put(body, at, value));
      return { ...response, body: JSON.stringify(body) };
    };
}

function put(body: unknown, at: Place['at'], value: unknown): void {
  let holder = body as Record<string | number, unknown>;
  for (const key of at.slice(0, -1)) holder = holder[key] as typeof holder;
  holder[at.at(-1) ?? ''] = value;
}

function page(status: number): TransportResponse {
  return { status, headers: { 'content-type': 'text/html' }, body: '<html>Bad gateway</html>' };
}
