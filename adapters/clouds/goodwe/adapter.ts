import type { LocalDate } from '../../../domain/zone.ts';
import type { AlarmsAnswer, DailyEnergy, PlantSummary } from '../../../domain/plants/reading.ts';
import { dayMs } from '../../../domain/zone.ts';
import { AdapterError, invalidFormat } from '../adapter-error.ts';
import type {
  AdapterDefinition,
  AdapterDeps,
  Capabilities,
  ConnectionTest,
  PlantRef,
  VendorAdapter,
} from '../contract.ts';
import { testedConnection } from '../connection-test.ts';
import { energyKwhOf, mergeAlarms, seriesOf, toNumber } from '../fields.ts';
import { check } from '../json.ts';
import { alarmsOf, alarmWindows, type AlarmWindow } from './alarms.ts';
import { GoodweClient, paths } from './client.ts';
import { portalDateOf, portalText } from './portal-time.ts';
import { sentinels, summaryOf } from './summary.ts';
import {
  alarmPageSchema,
  daySeriesSchema,
  detailSchema,
  plantListSchema,
  type AlarmRecord,
} from './wire.schema.ts';

const capabilities: Capabilities = {
  measurementTime: true,
  alarmIntervalS: 900,
  // The limit of the vendor's OpenAPI; for the portal none is published.
  seriesDaysMax: 30,
  // None are published: what working clients keep to, which is once a minute.
  budgets: [{ path: 'GetMonitorDetailByPowerstationId', requests: 1, perS: 60, scope: 'endpoint' }],
};

/** All levels and all states: values that every known client of the portal agrees on. */
const allAlarms = { warninglevel: 7, status: '3' } as const;

const alarmPageSize = 100;
/** A plant with more alarms in one window is cut off: ten requests are what one poll may spend on them. */
const alarmPagesMax = 10;

/** GoodWe over the SEMS portal. Facts and their sources: README.md beside this file. */
export const goodwe: AdapterDefinition = {
  brand: 'GOODWE',
  credentialFields: ['account', 'password'],
  create: (deps) => new GoodweAdapter(deps),
};

class GoodweAdapter implements VendorAdapter {
  readonly #deps: AdapterDeps;
  readonly #client: GoodweClient;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#client = new GoodweClient(deps);
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async testConnection(): Promise<ConnectionTest> {
    return testedConnection(async () => {
      const { apiHost } = await this.#client.logIn();
      return `logged in; the account is served by ${new URL(apiHost).hostname}`;
    });
  }

  async getPlantSummary({ vendorPlantId, timezone }: PlantRef): Promise<PlantSummary> {
    const data = await this.#ofPlant(vendorPlantId, () =>
      this.#client.call(paths.detail, { powerStationId: vendorPlantId }),
    );
    if (!holdsFigures(data)) throw await this.#emptyDetail(vendorPlantId);
    return summaryOf(check(detailSchema, data, 'plant detail'), timezone, this.#deps.now);
  }

  async getDailyEnergySeries(
    { vendorPlantId }: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<DailyEnergy[]> {
    // `count` days that end with `date`.
    const count = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
    const body = { powerstation_id: vendorPlantId, count, date: to };
    const rows = await this.#ofPlant(vendorPlantId, () =>
      this.#client.read(paths.daySeries, body, daySeriesSchema),
    );
    if (rows.length === 0 && (await this.#isListed(vendorPlantId)) === false) throw notFound();
    const energyByDate = new Map<LocalDate, number | null>();
    for (const { d, p } of rows) {
      const date = portalDateOf(d);
      if (date === null) throw invalidFormat('day series: d is no date MM/dd/yyyy');
      // A row of another day is not read: it need not be an energy.
      if (date >= from && date <= to)
        energyByDate.set(date, energyKwhOf(p, 'day series: p', sentinels));
    }
    return seriesOf(energyByDate, from, to);
  }

  async getAlarmsSince(plant: PlantRef, since: Date): Promise<AlarmsAnswer> {
    const { windows, complete } = alarmWindows(since, this.#deps.now, plant.timezone);
    const records: AlarmRecord[] = [];
    let allRead = complete;
    for (const window of windows) {
      const answer = await this.#ofPlant(plant.vendorPlantId, () =>
        this.#alarmRecords(plant.vendorPlantId, window),
      );
      records.push(...answer.records);
      allRead &&= answer.allRead;
    }
    return mergeAlarms(alarmsOf(records, plant, since), allRead);
  }

  /**
   * The pages of one window. They end when `record` alarms were given, or with a page that is not full where it is not
   * said. A record that moves to the next page meanwhile comes twice and counts once, so that the one it hides is missed.
   */
  async #alarmRecords(
    vendorPlantId: string,
    { from, to }: AlarmWindow,
  ): Promise<{ records: AlarmRecord[]; allRead: boolean }> {
    const records = new Map<string, AlarmRecord>();
    for (let page = 1; page <= alarmPagesMax; page += 1) {
      const { record, list } = await this.#client.read(
        paths.alarms,
        {
          ...allAlarms,
          stationid: vendorPlantId,
          starttime: portalText(from, '00:00:00'),
          endtime: portalText(to, '23:59:59'),
          page_index: page,
          page_size: alarmPageSize,
          adcode: '',
          township: '',
          orgid: '',
          device_type: [],
          fault_classification: [],
          standard_faultLevel: [],
        },
        alarmPageSchema,
      );
      const total = toNumber(record);
      if ((list === undefined || list === null) && total !== 0) {
        throw invalidFormat('alarms: the answer has no list');
      }
      const given = list ?? [];
      const before = records.size;
      for (const one of given) records.set(JSON.stringify(one), one);
      const allRead = total === null ? given.length < alarmPageSize : records.size >= total;
      if (allRead) return { records: [...records.values()], allRead };
      if (records.size === before) break;
    }
    return { records: [...records.values()], allRead: false };
  }

  /** A refused parameter may be the id of a plant that is not the account's: the account's list decides. */
  async #ofPlant<T>(vendorPlantId: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const isBadRequest = error instanceof AdapterError && error.type === 'UNKNOWN';
      if (isBadRequest && (await this.#isListed(vendorPlantId)) === false) throw notFound();
      throw error;
    }
  }

  /**
   * What a success without figures means. The portal gives it for plants that are not the account's as well as for some
   * that are, so the account's list decides; where that says nothing either, the answer is only malformed.
   */
  async #emptyDetail(vendorPlantId: string): Promise<AdapterError> {
    const isListed = await this.#isListed(vendorPlantId);
    return isListed === false
      ? notFound()
      : invalidFormat('plant detail: a success without kpi or info');
  }

  /** Whether the plant is in the account's list; null where the list cannot be read or is longer than what was given. */
  async #isListed(vendorPlantId: string): Promise<boolean | null> {
    const body = {
      powerstation_id: vendorPlantId,
      key: '',
      orderby: '',
      powerstation_type: '',
      powerstation_status: '',
      page_index: 1,
      page_size: 100,
      adcode: '',
      org_id: '',
      condition: '',
    };
    try {
      const { record, list } = await this.#client.read(paths.plants, body, plantListSchema);
      const wanted = vendorPlantId.toLowerCase();
      if (list.some(({ powerstation_id: id }) => id?.toLowerCase() === wanted)) return true;
      return list.length >= (toNumber(record) ?? Number.POSITIVE_INFINITY) ? false : null;
    } catch {
      this.#deps.signal.throwIfAborted();
      return null;
    }
  }
}

function notFound(): AdapterError {
  return new AdapterError('PLANT_NOT_FOUND', 'PLANT', 'the account has no such plant');
}

function holdsFigures(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false;
  const { kpi, info } = data as { kpi?: unknown; info?: unknown };
  return kpi !== undefined && kpi !== null && info !== undefined && info !== null;
}
