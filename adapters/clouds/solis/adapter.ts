import type { LocalDate } from '../../../domain/zone.ts';
import type { AlarmsAnswer, DailyEnergy, PlantSummary } from '../../../domain/plants/reading.ts';
import { addDays, localDateAt } from '../../../domain/zone.ts';
import type * as z from 'zod';
import { AdapterError } from '../adapter-error.ts';
import type {
  AdapterDefinition,
  AdapterDeps,
  Capabilities,
  ConnectionTest,
  PlantRef,
  VendorAdapter,
} from '../contract.ts';
import { testedConnection } from '../connection-test.ts';
import { mergeAlarms, seriesOf, toNumber } from '../fields.ts';
import { check } from '../json.ts';
import { partOf, refusedPart } from '../parts.ts';
import type { SessionStore } from '../session.ts';
import { type Answer, loggerOffline, request, Unclear } from './client.ts';
import {
  alarmOf,
  belongsTo,
  dayEnergyOf,
  deviceOf,
  mostTelling,
  refusedTimes,
  silentSummary,
  standardOffsetH,
  summaryOf,
} from './normalise.ts';
import {
  alarmSchema,
  inverterSchema,
  listedPlantSchema,
  monthSchema,
  pagedSchema,
  stationSchema,
  type Page,
} from './wire.schema.ts';

const pageSize = 100;
/** 1,000 alarms: more within days are a fault of the plant or the vendor, and the answer is incomplete. */
const pagesMax = 10;

/** Series want a currency for their income; the energy beside it does not depend on it. */
const money = 'EUR';

const capabilities: Capabilities = {
  measurementTime: true,
  alarmIntervalS: 900,
  seriesDaysMax: 31,
  budgets: [
    { path: 'every endpoint', requests: 2, perS: 1, scope: 'endpoint' },
    { path: 'every endpoint', requests: 200, perS: 86_400, scope: 'account' },
  ],
};

/** An account gets new plants seldom, and its requests of a day are few. */
const plantListAgeMsMax = 3_600_000;
/** The account's plants, as long as its session store lives. */
const plantListsByAccount = new WeakMap<
  SessionStore,
  { askedAtMs: number; ids: ReadonlySet<string> }
>();

/** SolisCloud: signed requests, no session. */
class SolisAdapter implements VendorAdapter {
  readonly #deps: AdapterDeps;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async testConnection(): Promise<ConnectionTest> {
    return testedConnection(async () => {
      const body = { pageNo: 1, pageSize: 1 };
      const { data } = await request(this.#deps, 'userStationList', body, pagedSchema);
      const plants = toNumber(data?.total);
      const count = plants === null ? '' : `; the account has ${plants} plants`;
      return `SolisCloud accepts the key${count}`;
    });
  }

  async getPlantSummary(plant: PlantRef): Promise<PlantSummary> {
    const body = { id: plant.vendorPlantId };
    const answer = await this.#ask(plant, 'stationDetail', body, stationSchema);
    const { data } = answer;
    if (data === null || (answer.loggerOffline && toNumber(data.dayEnergy) === null)) {
      return this.#silentSummary(plant);
    }
    const summary = summaryOf(data, answer.loggerOffline);
    // A plant with one inverter is that inverter; only with more does a list tell which of them is dead.
    if ((toNumber(data.inverterCount) ?? 0) < 2) return summary;
    const { devices, refused } = await this.#devices(plant);
    return { ...summary, devices, refused: [...summary.refused, ...refused] };
  }

  async getDailyEnergySeries(
    plant: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<DailyEnergy[]> {
    const byDate = new Map<LocalDate, number | null>();
    for (const month of monthsBetween(from, to)) {
      const body = {
        id: plant.vendorPlantId,
        money,
        month,
        timeZone: standardOffsetH(this.#deps.now, plant.timezone),
      };
      const { data } = await this.#ask(plant, 'stationMonth', body, monthSchema);
      if (data === null) throw loggerOffline('stationMonth');
      for (const row of data) {
        const date = row.dateStr.slice(0, 10);
        // The answer holds the whole month. A row of another day is not read: it need not be an energy.
        if (date >= from && date <= to) byDate.set(date, dayEnergyOf(row));
      }
    }
    return seriesOf(byDate, from, to);
  }

  async getAlarmsSince(plant: PlantRef, since: Date): Promise<AlarmsAnswer> {
    const { now } = this.#deps;
    // Dates without a zone: a day more on either side is right in all of them.
    const { records, complete } = await this.#pages(plant, 'alarmList', {
      stationId: plant.vendorPlantId,
      alarmBeginTime: addDays(localDateAt(since.getTime(), plant.timezone), -1),
      alarmEndTime: addDays(localDateAt(now.getTime(), plant.timezone), 1),
    });
    const alarms = records
      .map((record) => alarmOf(check(alarmSchema, record, 'alarmList'), now))
      .filter((alarm) => belongsTo(alarm, since));
    return mergeAlarms(alarms, complete);
  }

  /** A request about a plant. Where its refusal is unclear, the account's list of plants decides what it is about. */
  async #ask<T>(
    plant: PlantRef,
    endpoint: string,
    body: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<Answer<T | null>> {
    try {
      return await request(this.#deps, endpoint, body, schema);
    } catch (error) {
      if (!(error instanceof Unclear)) throw error;
      throw await this.#cleared(error, plant);
    }
  }

  /** The account's list refused in the same words: the account. A list without the plant: the plant. Else the error as it is. */
  async #cleared(error: Unclear, { vendorPlantId }: PlantRef): Promise<AdapterError> {
    let listed: ReadonlySet<string> | null;
    try {
      listed = await this.#listedPlants();
    } catch (listError) {
      if (!(listError instanceof AdapterError)) throw listError;
      const isSame = listError instanceof Unclear && listError.type === error.type;
      if (!isSame || error.type !== 'AUTH_FAILED') return error;
      return new AdapterError('AUTH_FAILED', 'ACCOUNT', listError.message, { cause: error });
    }
    if (listed === null || listed.has(vendorPlantId)) return error;
    return new AdapterError('PLANT_NOT_FOUND', 'PLANT', 'the account has no such plant', {
      cause: error,
    });
  }

  /** The ids of the account's plants, asked at most every `plantListAgeMsMax`; null where the list is empty or cut off, which proves nothing. */
  async #listedPlants(): Promise<ReadonlySet<string> | null> {
    const nowMs = this.#deps.now.getTime();
    const known = plantListsByAccount.get(this.#deps.session);
    if (known !== undefined && Math.abs(nowMs - known.askedAtMs) <= plantListAgeMsMax) {
      return known.ids;
    }
    const { records, complete } = await pagesOf('userStationList', (body) =>
      request(this.#deps, 'userStationList', body, pagedSchema),
    );
    const ids = new Set(records.map((one) => check(listedPlantSchema, one, 'userStationList').id));
    if (!complete || ids.size === 0) return null;
    plantListsByAccount.set(this.#deps.session, { askedAtMs: nowMs, ids });
    return ids;
  }

  /** The logger is offline and its plant's page is empty: nothing new, and of today what the month's list has. */
  async #silentSummary(plant: PlantRef): Promise<PlantSummary> {
    const today = localDateAt(this.#deps.now.getTime(), plant.timezone);
    const days = await partOf(() => this.getDailyEnergySeries(plant, today, today));
    if ('answer' in days) return silentSummary(days.answer[0]?.energyKwh ?? null);
    return {
      ...silentSummary(null),
      powerW: null,
      refused: [
        refusedPart('power_w', 'Power is not known', loggerOffline('stationDetail')),
        refusedPart('today_energy_kwh', "Today's energy is not known", days.error),
      ],
    };
  }

  /** The inverters; none where the list cannot be had, for the summary is worth its answer without them. */
  async #devices(plant: PlantRef): Promise<Pick<PlantSummary, 'devices' | 'refused'>> {
    const listed = await partOf(async () => {
      const { records } = await this.#pages(plant, 'inverterList', {
        stationId: plant.vendorPlantId,
      });
      return records.map((record) => check(inverterSchema, record, 'inverterList'));
    });
    if ('error' in listed) {
      const refused = refusedPart('devices', 'The inverters did not answer', listed.error);
      return { devices: [], refused: [refused] };
    }
    return {
      devices: mostTelling(listed.answer.map(deviceOf)),
      refused: refusedTimes(listed.answer),
    };
  }

  async #pages(
    plant: PlantRef,
    endpoint: string,
    filter: Readonly<Record<string, unknown>>,
  ): Promise<{ records: unknown[]; complete: boolean }> {
    return pagesOf(endpoint, (page) =>
      this.#ask(plant, endpoint, { ...page, ...filter }, pagedSchema),
    );
  }
}

/** All records of a paged list, up to `pagesMax` pages. */
async function pagesOf(
  endpoint: string,
  ask: (page: { pageNo: number; pageSize: number }) => Promise<Answer<Page | null>>,
): Promise<{ records: unknown[]; complete: boolean }> {
  const records: unknown[] = [];
  for (let pageNo = 1; pageNo <= pagesMax; pageNo += 1) {
    const { data: page } = await ask({ pageNo, pageSize });
    if (page === null) throw loggerOffline(endpoint);
    records.push(...page.records);
    if (!hasMore(page, pageNo, records.length)) return { records, complete: true };
    if (page.records.length === 0) return { records, complete: false };
  }
  return { records, complete: false };
}

/** By the number of pages, else by the total, else by whether the page is full; the vendor leaves the first two at 0 at times. */
function hasMore(page: Page, pageNo: number, fetched: number): boolean {
  const pages = toNumber(page.pages) ?? 0;
  if (pages > 0) return pageNo < pages;
  const total = toNumber(page.total) ?? 0;
  if (total > 0) return fetched < total;
  return page.records.length > 0 && page.records.length >= (toNumber(page.size) ?? pageSize);
}

function monthsBetween(from: LocalDate, to: LocalDate): string[] {
  const months = new Set<string>();
  for (let date = from; date <= to; date = addDays(date, 1)) months.add(date.slice(0, 7));
  return [...months];
}

export const solis: AdapterDefinition = {
  brand: 'SOLIS',
  credentialFields: ['keyId', 'keySecret'],
  create: (deps) => new SolisAdapter(deps),
};
