import type { AdapterErrorType } from '../../../domain/plants/plant.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import type { AlarmsAnswer, DailyEnergy, PlantSummary } from '../../../domain/plants/reading.ts';
import { instantOf } from '../../../domain/zone.ts';
import type {
  AdapterDefinition,
  AdapterDeps,
  Capabilities,
  ConnectionTest,
  PlantRef,
  VendorAdapter,
} from '../contract.ts';
import { AdapterError } from '../adapter-error.ts';
import { testedConnection } from '../connection-test.ts';
import { higherOf, mergeAlarms, seriesOf } from '../fields.ts';
import { partOf, refusedPart } from '../parts.ts';
import type { SessionStore } from '../session.ts';
import { apiHostOf, HuaweiClient } from './client.ts';
import type { Inverter } from './normalise.ts';
import {
  alarmOf,
  dateOf,
  dayEnergyOf,
  deviceCalls,
  energiesOf,
  firstDatesByMonth,
  invertersOf,
  isDisconnected,
  liveValuesById,
  powerOf,
} from './normalise.ts';
import type { WireItems, WireLiveRow } from './wire.schema.ts';
import {
  alarmListSchema,
  deviceListSchema,
  deviceRealKpiSchema,
  stationDaySchema,
  stationRealKpiSchema,
} from './wire.schema.ts';

/**
 * FusionSolar by its northbound interface "thirdData". The plant's summary holds neither power nor a measurement time:
 * power is the sum over its inverters, and `lastSeenAt` is always null. Facts, limits and sources: README.md.
 */

/** Budgets as the manual grants them for each 100 plants of the account, or each 100 devices of a type. */
const capabilities: Capabilities = {
  measurementTime: false,
  alarmIntervalS: 1_800,
  seriesDaysMax: 31,
  budgets: [
    { path: 'login', requests: 5, perS: 600, scope: 'account' },
    { path: 'getStationRealKpi', requests: 1, perS: 300, scope: 'account' },
    { path: 'getDevList', requests: 1, perS: 60, scope: 'account' },
    { path: 'getDevRealKpi', requests: 1, perS: 300, scope: 'account' },
    { path: 'getKpiStationDay', requests: 25, perS: 86_400, scope: 'account' },
    { path: 'getAlarmList', requests: 1, perS: 1_800, scope: 'account' },
  ],
};

/** Inverters are added once in years; four lists a day stay below every quota. */
const inverterListAgeMsMax = 6 * 3_600_000;

/** Refusals by which the vendor says that it does not know a device (any more), or knows it as another. */
const isOutdated: ReadonlySet<AdapterErrorType> = new Set(['PLANT_NOT_FOUND', 'UNKNOWN']);

interface InverterList {
  askedAtMs: number;
  inverters: readonly Inverter[];
}

/** What getDevList said, by account and plant: it lives as long as the account's session store, like the session itself. */
const inverterListsByAccount = new WeakMap<SessionStore, Map<string, InverterList>>();

class HuaweiAdapter implements VendorAdapter {
  readonly #client: HuaweiClient;
  readonly #deps: AdapterDeps;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#client = new HuaweiClient(deps);
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async testConnection(): Promise<ConnectionTest> {
    return testedConnection(async () => {
      await this.#client.logIn();
      return 'FusionSolar accepts the login';
    });
  }

  async getPlantSummary(plant: PlantRef): Promise<PlantSummary> {
    const rows = await this.#client.call(
      'getStationRealKpi',
      { stationCodes: plant.vendorPlantId },
      stationRealKpiSchema,
    );
    const row = rows.find(({ stationCode }) => stationCode === plant.vendorPlantId);
    if (row === undefined) {
      throw new AdapterError('PLANT_NOT_FOUND', 'PLANT', 'getStationRealKpi: no row for the plant');
    }
    const energies = energiesOf(row.dataItemMap);
    const live = await this.#live(plant.vendorPlantId, isDisconnected(row.dataItemMap));
    return {
      ...energies,
      ...live,
      lastSeenAt: null,
      refused: [...energies.refused, ...live.refused],
    };
  }

  async getDailyEnergySeries(
    plant: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<DailyEnergy[]> {
    const energyByDate = new Map<LocalDate, number | null>();
    for (const firstDate of firstDatesByMonth(from, to)) {
      // Noon is in the right month whichever clock the server reads it by.
      const collectTime = instantOf(firstDate, '12:00', plant.timezone);
      const rows = await this.#client.call(
        'getKpiStationDay',
        { stationCodes: plant.vendorPlantId, collectTime },
        stationDaySchema,
      );
      for (const row of rows) {
        if (row.stationCode !== plant.vendorPlantId) continue;
        const date = dateOf(row, plant.timezone);
        // The answer holds the whole month. A row of another day is not read: it need not be an energy.
        if (date < from || date > to) continue;
        energyByDate.set(date, higherOf(energyByDate.get(date) ?? null, dayEnergyOf(row)));
      }
    }
    return seriesOf(energyByDate, from, to);
  }

  async getAlarmsSince(plant: PlantRef, since: Date): Promise<AlarmsAnswer> {
    const rows = await this.#client.call(
      'getAlarmList',
      {
        stationCodes: plant.vendorPlantId,
        beginTime: since.getTime(),
        endTime: this.#deps.now.getTime(),
        language: 'en_US',
      },
      alarmListSchema,
    );
    const alarms = rows
      .filter(({ stationCode }) => (stationCode ?? plant.vendorPlantId) === plant.vendorPlantId)
      .map(alarmOf)
      .filter(({ open, startedAt }) => open || Date.parse(startedAt) >= since.getTime());
    // One answer without pages: what is not in it is not there.
    return mergeAlarms(alarms, true);
  }

  /** Power and inverters. Where the vendor refuses the list or the live values, the energies stand without them. */
  async #live(
    vendorPlantId: string,
    disconnected: boolean,
  ): Promise<Pick<PlantSummary, 'powerW' | 'devices' | 'refused'>> {
    const listed = await partOf(() => this.#inverters(vendorPlantId));
    // An old list is better than none: inverters are added once in years.
    const inverters =
      'answer' in listed
        ? listed.answer
        : (this.#inverterLists().get(vendorPlantId)?.inverters ?? []);
    const values = await partOf(() => this.#liveValues(vendorPlantId, inverters));
    const itemsById = 'answer' in values ? values.answer : new Map<string, WireItems>();
    const power = powerOf(inverters, itemsById, disconnected);
    const failed = 'error' in values ? values : listed;
    // A disconnected plant gives 0 W whatever its inverters say, and an old list serves as well as a new one.
    if (!('error' in failed) || power.powerW !== null) return power;
    return {
      ...power,
      refused: [refusedPart('power_w', 'Power is not known', failed.error), ...power.refused],
    };
  }

  /** The plant's inverters, asked at most every `inverterListAgeMsMax`. An empty list is not kept: a new plant gets its first inverter soon. */
  async #inverters(vendorPlantId: string): Promise<readonly Inverter[]> {
    const lists = this.#inverterLists();
    const nowMs = this.#deps.now.getTime();
    const known = lists.get(vendorPlantId);
    if (known !== undefined && Math.abs(nowMs - known.askedAtMs) <= inverterListAgeMsMax) {
      return known.inverters;
    }
    const devices = await this.#client.call(
      'getDevList',
      { stationCodes: vendorPlantId },
      deviceListSchema,
    );
    const inverters = invertersOf(
      devices.filter(({ stationCode }) => (stationCode ?? vendorPlantId) === vendorPlantId),
    );
    if (inverters.length > 0) lists.set(vendorPlantId, { askedAtMs: nowMs, inverters });
    return inverters;
  }

  /** The inverters' live values by device id. Where the vendor misses one, it may have been replaced: the list is asked anew next time. */
  async #liveValues(
    vendorPlantId: string,
    inverters: readonly Inverter[],
  ): Promise<ReadonlyMap<string, WireItems>> {
    const itemsById = new Map<string, WireItems>();
    for (const { devTypeId, asked } of deviceCalls(inverters)) {
      const rows = await this.#askLiveValues(vendorPlantId, devTypeId, asked);
      for (const [id, items] of liveValuesById(asked, rows)) itemsById.set(id, items);
    }
    if (inverters.some(({ id }) => !itemsById.has(id))) this.#inverterLists().delete(vendorPlantId);
    return itemsById;
  }

  async #askLiveValues(
    vendorPlantId: string,
    devTypeId: number,
    inverters: readonly Inverter[],
  ): Promise<WireLiveRow[]> {
    try {
      return await this.#client.call(
        'getDevRealKpi',
        { devIds: inverters.map(({ id }) => id).join(','), devTypeId },
        deviceRealKpiSchema,
      );
    } catch (error) {
      if (error instanceof AdapterError && isOutdated.has(error.type)) {
        this.#inverterLists().delete(vendorPlantId);
      }
      throw error;
    }
  }

  #inverterLists(): Map<string, InverterList> {
    const known = inverterListsByAccount.get(this.#deps.session);
    if (known !== undefined) return known;
    const lists = new Map<string, InverterList>();
    inverterListsByAccount.set(this.#deps.session, lists);
    return lists;
  }
}

export const huawei: AdapterDefinition = {
  brand: 'HUAWEI',
  credentialFields: ['userName', 'systemCode', 'host'],
  checkCredentials: ({ host = '' }) => void apiHostOf(host),
  create: (deps) => new HuaweiAdapter(deps),
};
