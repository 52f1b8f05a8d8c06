import { join } from 'node:path';
import type { Brand } from '../../../domain/plants/plant.ts';
import { fnv1a32 } from '../../../domain/slots.ts';
import { localMinutesAt } from '../../../domain/zone.ts';
import type { Credentials } from '../contract.ts';
import { measure, ordinaryDay, type DayKnobs } from './fixture-day.ts';
import {
  loadPlants,
  loadScenario,
  type Exchange,
  type FixtureResponse,
  type PlantEntry,
  type Scenario,
} from './fixture-form.ts';
import { applyMoves, type MoveContext } from './fixture-moves.ts';
import type { Transport, TransportRequest, TransportResponse } from '../transport.ts';
import { jsonBodyOf, pathOf, type VendorContext, type VendorSide } from './vendor-side.ts';

/** The fixtures that come with the package. */
export const packagedFixturesDir = join(import.meta.dirname, '..', '..', '..', 'fixtures');

export interface FixtureTransportOptions {
  brand: Brand;
  vendor: VendorSide;
  plant: {
    vendorPlantId: string;
    timezone: string;
    /** null: what plants.json says. */
    capacityKw: number | null;
    latitude: number | null;
    longitude: number | null;
  };
  /** What the vendor has on its books: the stored credentials, unless the scenario knows others. */
  knownCredentials: Credentials;
  now: Date;
  /** The vendor's cloud is away: whatever is asked, its proxy answers 503. */
  isAway?: boolean;
  fixturesDir?: string;
}

/**
 * A vendor in a file: answers the requests of one call chain from fixtures/<brand>/, as they would be at `now`. Requests
 * are checked by the vendor's side first, so a wrong signature, token or path gets the vendor's own refusal. Opens no
 * socket; rejects as soon as the signal aborts.
 */
export function createFixtureTransport(options: FixtureTransportOptions): Transport {
  const { brand, vendor, plant, now, fixturesDir = packagedFixturesDir } = options;
  const entry = plantEntry(fixturesDir, brand, plant.vendorPlantId);
  // A plant that the vendor does not know: the account may still log in and list what it has.
  const scenario = loadScenario(fixturesDir, brand, entry?.scenario ?? ordinaryScenario);
  const vendorContext: VendorContext = {
    knownCredentials: scenario.credentials ?? options.knownCredentials,
    now,
  };
  const nowMs = now.getTime();
  const capacityKw = plant.capacityKw ?? capacityKwOf(entry, plant.vendorPlantId);
  const vendorPlantId = entry === null ? unasked : plant.vendorPlantId;
  const simulated = { ...plant, vendorPlantId, capacityKw };
  const measurement = measure(simulated, knobsOf(scenario, plant.vendorPlantId), nowMs);
  const timesUsed = new Map<Exchange, number>();

  function respond(request: TransportRequest): TransportResponse | FixtureResponse {
    const login = vendor.login?.(request, vendorContext) ?? null;
    if (login === null) {
      const refusal = vendor.check(request, vendorContext);
      if (refusal !== null) return refusal;
      const asked = vendor.plantIdOf(request);
      if (asked !== null && (entry === null || asked !== plant.vendorPlantId)) {
        return vendor.plantNotFound(request, vendorContext);
      }
    }
    const exchange = scenario.exchanges.find(
      (one) =>
        matches(one, request) &&
        isDue(one.when, nowMs, plant.timezone) &&
        (timesUsed.get(one) ?? 0) < (one.times ?? Number.POSITIVE_INFINITY),
    );
    if (exchange === undefined) return login ?? notRecorded(request);
    timesUsed.set(exchange, (timesUsed.get(exchange) ?? 0) + 1);
    const requestBody = jsonBodyOf(request);
    const context: MoveContext = { plant: simulated, measurement, nowMs, requestBody };
    return { ...exchange.response, body: bodyText(exchange, context) };
  }

  return async (request, { signal }) => {
    signal.throwIfAborted();
    if (options.isAway === true) return unavailable;
    const response = respond(request);
    if ('hang' in response && response.hang) return aborted(signal);
    if ('delay_ms' in response && response.delay_ms !== undefined) {
      await passed(response.delay_ms, signal);
    }
    return {
      status: response.status,
      headers: { 'content-type': 'application/json;charset=UTF-8', ...response.headers },
      body: String(response.body),
    };
  };
}

const unavailable: TransportResponse = {
  status: 503,
  headers: { 'content-type': 'text/html' },
  body: '<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>',
};

/** The scenario whose answers stand for an account's own lists where the plant is unknown. */
const ordinaryScenario = 'ordinary-day';
/** The plant that such a list holds. */
const unasked = '0';

/** The line of plants.json that describes a plant; null where the vendor does not know it. */
export function plantEntry(
  fixturesDir: string,
  brand: Brand,
  vendorPlantId: string,
): PlantEntry | null {
  return loadPlants(fixturesDir, brand).find(({ pattern }) => pattern.test(vendorPlantId)) ?? null;
}

const capacityKwMin = 4;
const capacityKwMax = 200;
const usualCapacityKw = 10;

function capacityKwOf(entry: PlantEntry | null, vendorPlantId: string): number {
  const stated = entry?.capacity_kw ?? usualCapacityKw;
  if (stated !== 'by-id') return stated;
  return capacityKwMin + (fnv1a32(vendorPlantId) % (capacityKwMax - capacityKwMin + 1));
}

/** Digits of an instant in seconds at the end of the id of a plant that is silent since then. */
const instantDigits = 10;

function knobsOf({ day }: Scenario, vendorPlantId: string): DayKnobs {
  const inId = Number(vendorPlantId.slice(-instantDigits)) * 1_000;
  return {
    lagS: day.lag_s ?? ordinaryDay.lagS,
    sleeps: day.sleeps ?? ordinaryDay.sleeps,
    todayFactor: day.today_factor ?? ordinaryDay.todayFactor,
    resetAt: day.reset_at ?? ordinaryDay.resetAt,
    silent: day.silent ?? ordinaryDay.silent,
    silentSinceMs: day.silent_since === 'id' ? inId : ordinaryDay.silentSinceMs,
  };
}

function matches({ request: wanted }: Exchange, request: TransportRequest): boolean {
  if (request.method !== wanted.method || pathOf(request) !== wanted.path) return false;
  const query = new URL(request.url).searchParams;
  return (
    Object.entries(wanted.query ?? {}).every(([key, value]) => query.get(key) === value) &&
    isPartOf(wanted.body ?? {}, jsonBodyOf(request))
  );
}

/** Whether everything in `part` is in `whole`: objects key by key, anything else equal. */
export function isPartOf(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null) return part === whole;
  if (typeof whole !== 'object' || whole === null) return false;
  return Object.entries(part).every(([key, value]) =>
    isPartOf(value, (whole as Record<string, unknown>)[key]),
  );
}

function isDue(when: Exchange['when'], nowMs: number, timezone: string): boolean {
  if (when === undefined) return true;
  if ('every_s' in when) {
    const passedS = (nowMs / 1000) % when.every_s;
    return passedS >= when.from_s && passedS < when.to_s;
  }
  const minutes = localMinutesAt(nowMs, timezone);
  return minutes >= minutesOf(when.local_from) && minutes < minutesOf(when.local_to);
}

function minutesOf(hhmm: string): number {
  const [hours = 0, minutes = 0] = hhmm.split(':').map(Number);
  return hours * 60 + minutes;
}

function bodyText(
  exchange: Exchange & { response: FixtureResponse },
  context: MoveContext,
): string {
  const { text, body, repeat } = exchange.response;
  if (text !== undefined) return text.repeat(repeat);
  return body === undefined ? '' : JSON.stringify(applyMoves(body, exchange.moves, context));
}

function notRecorded(request: TransportRequest): TransportResponse {
  return {
    status: 404,
    headers: { 'content-type': 'text/plain' },
    body: `no exchange is recorded for ${request.method} ${pathOf(request)}`,
  };
}

/** Rejects with the signal's reason once it aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Resolves after so long, or rejects with the signal's reason once it aborts. */
async function passed(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
