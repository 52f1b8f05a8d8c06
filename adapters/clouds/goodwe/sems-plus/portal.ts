import type { DeviceState, PlantSummary, VendorAlarm } from '../../../../domain/plants/reading.ts';
import type { LocalDate } from '../../../../domain/zone.ts';
import { addDays, localDateAt } from '../../../../domain/zone.ts';
import { invalidFormat } from '../../adapter-error.ts';
import type { AdapterDeps, PlantRef } from '../../contract.ts';
import { higherOf, toNumber } from '../../fields.ts';
import type { Session } from '../../session.ts';
import { plantNotFound, type Portal } from '../portal.ts';
import { alarmsOf } from './alarms.ts';
import { SemsPlusClient, countersPath, plusPaths } from './client.ts';
import { dayEnergies } from './days.ts';
import { spanText, turnedOffsetH } from './local-time.ts';
import { Parts } from './parts.ts';
import {
  countersOf,
  hasBattery,
  invertersOf,
  listedEnergyOf,
  newestPointMs,
  plantStateOf,
  sumOf,
  summaryOf,
  type CountedInverter,
  type FoundPlant,
  type PlantEnergy,
  type PlusInverter,
} from './summary.ts';
import {
  alarmPageSchema,
  countersSchema,
  curveSchema,
  daysSchema,
  devicesSchema,
  flowSchema,
  plantListSchema,
  type Devices,
  type Flow,
  type ListedPlant,
  type PlusAlarm,
} from './wire.schema.ts';

/** Energy of the panels. (`proAcTotal` is what left the inverters: less what a battery kept, more what it gave.) */
const panelsEnergy = 'proSystemTotalStats';

/** Each inverter costs one request. Of a plant with more, only what the portal says of the whole plant is told. */
const invertersMax = 20;
/** Clients met HTTP 429 when they asked for more at once. */
const atOnceMax = 3;

const pageSize = 100;
/** What one question may spend on alarms, and on the plants of an account. */
const pagesMax = 10;

/** `status` of the alarms that are asked for. */
const occurring = 0;
const recovered = 1;

/** The SEMS+ portal. */
export class SemsPlusPortal implements Portal {
  readonly #deps: AdapterDeps;
  readonly #client: SemsPlusClient;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#client = new SemsPlusClient(deps);
  }

  async logIn(): Promise<Session> {
    return this.#client.logIn();
  }

  /**
   * SEMS+ has no answer that holds a whole plant: power, devices, counters and the newest measurement are asked for one by
   * one, and a part that is refused costs that part and a sentence.
   *
   * @throws AdapterError the first refusal, or INVALID_DATA_FORMAT, where nothing is known of the plant.
   */
  async getPlantSummary(plant: PlantRef): Promise<PlantSummary> {
    const { vendorPlantId, timezone } = plant;
    const parts = new Parts();
    const flow = await parts.ask('power_w', () => this.#knownFlow(vendorPlantId));
    const devices = await parts.ask('devices', () => this.#devices(vendorPlantId));
    const inverters = await this.#countedInverters(vendorPlantId, invertersOf(devices), parts);
    const seenMs = await parts.ask('last_seen_at', () => this.#newestPointMs(plant));
    const found: FoundPlant = {
      state: plantStateOf(flow, inverters),
      flow,
      inverters,
      hasBattery: hasBattery(devices, flow),
      newestPointMs: seenMs,
    };
    // Inverters that were not told may be told by the next poll.
    const hasCounters = devices === null || isCountable(inverters);
    const energy = await this.#energyOf(plant, found, { parts, hasCounters });
    const summary = summaryOf({ ...found, ...energy, refused: parts.refused }, timezone);
    if (summary !== null) return summary;
    throw parts.firstRefusal ?? invalidFormat("today's energy (proPvStatsToday) is missing");
  }

  /** A nought is told as "no value": for days without data the portal gives 0, which must never stand for a day's energy. */
  async readDays(
    plant: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<ReadonlyMap<LocalDate, number | null>> {
    const energyByDate = await this.#days(plant, from, to);
    return new Map([...energyByDate].map(([date, kwh]) => [date, kwh === 0 ? null : kwh]));
  }

  /**
   * All alarms that occur, whenever they began, and the newest that are over. Of those only one page is read: that an alarm
   * is over is known by its absence from the others, only its end is then not.
   */
  async readAlarms(
    { vendorPlantId }: PlantRef,
    since: Date,
  ): Promise<{ alarms: VendorAlarm[]; complete: boolean }> {
    const open = await this.#alarmRecords(vendorPlantId, occurring, pagesMax);
    const over = await this.#alarmRecords(vendorPlantId, recovered, 1);
    const records = [...open.records, ...over.records];
    // The list of alarms of a plant that the account does not have is empty, too.
    if (records.length === 0) await this.#knownFlow(vendorPlantId);
    return { alarms: alarmsOf(records, vendorPlantId, since), complete: open.allRead };
  }

  async isListed(vendorPlantId: string): Promise<boolean | null> {
    try {
      const row = await this.#listedPlant(vendorPlantId);
      return row === undefined ? null : row !== null;
    } catch {
      this.#deps.signal.throwIfAborted();
      return null;
    }
  }

  /** The plant in the account's list; null where the whole list does not hold it; undefined where that is not known. */
  async #listedPlant(vendorPlantId: string): Promise<ListedPlant | null | undefined> {
    const wanted = vendorPlantId.toLowerCase();
    let seen = 0;
    for (let current = 1; current <= pagesMax; current += 1) {
      const body = { current, size: pageSize };
      const call = { method: 'POST', path: plusPaths.plants, body } as const;
      const { dataList, total } = await this.#client.read(call, plantListSchema);
      const row = dataList.find(({ id }) => String(id).toLowerCase() === wanted);
      if (row !== undefined) return row;
      // An empty list proves nothing: portals answer so in trouble, too.
      if (dataList.length === 0) return undefined;
      seen += dataList.length;
      if (seen >= (toNumber(total) ?? Number.POSITIVE_INFINITY)) return null;
    }
    return undefined;
  }

  /**
   * The plant's flow; null where there is none, as by night.
   *
   * @throws AdapterError PLANT_NOT_FOUND where there is none and the account's whole list does not hold the plant.
   */
  async #knownFlow(vendorPlantId: string): Promise<Flow | null> {
    const query = { stationId: vendorPlantId };
    const call = { method: 'GET', path: plusPaths.flow, query } as const;
    const flow = await this.#client.read(call, flowSchema);
    if (flow !== null && flow !== undefined && Object.values(flow).some((one) => one != null)) {
      return flow;
    }
    if ((await this.isListed(vendorPlantId)) === false) throw plantNotFound();
    return null;
  }

  async #devices(vendorPlantId: string): Promise<Devices> {
    const query = { stationId: vendorPlantId };
    return this.#client.read({ method: 'GET', path: plusPaths.devices, query }, devicesSchema);
  }

  async #countedInverters(
    vendorPlantId: string,
    inverters: readonly PlusInverter[],
    parts: Parts,
  ): Promise<CountedInverter[]> {
    if (!isCountable(inverters)) {
      return inverters.map((inverter) => ({ ...inverter, counters: null }));
    }
    const counted: CountedInverter[] = [];
    for (let first = 0; first < inverters.length; first += atOnceMax) {
      const some = inverters.slice(first, first + atOnceMax).map(async (inverter) => ({
        ...inverter,
        counters: await parts.ask('lifetime_energy_kwh', () =>
          this.#counters(vendorPlantId, inverter),
        ),
      }));
      counted.push(...(await Promise.all(some)));
    }
    return counted;
  }

  async #counters(vendorPlantId: string, { sn, deviceType }: PlusInverter) {
    const query = { deviceType, pwId: vendorPlantId };
    const call = { method: 'GET', path: countersPath(sn), query } as const;
    return countersOf(await this.#client.read(call, countersSchema));
  }

  /** The newest measurement of today or yesterday, ms; null without one. */
  async #newestPointMs({ vendorPlantId, timezone }: PlantRef): Promise<number | null> {
    const nowMs = this.#deps.now.getTime();
    const today = localDateAt(nowMs, timezone);
    for (const date of [today, addDays(today, -1)]) {
      const body = {
        stationId: vendorPlantId,
        items: ['pSystem'],
        timeScale: 5,
        timeZone: turnedOffsetH(nowMs, timezone),
        ...spanText(date, date),
      };
      const call = { method: 'POST', path: plusPaths.curve, body } as const;
      const curve = await this.#client.read(call, curveSchema);
      const newestMs = newestPointMs(curve, timezone, nowMs);
      if (newestMs !== null) return newestMs;
    }
    return null;
  }

  /**
   * Energy by the inverters' counters. Where they do not tell it, by what the portal says of the plant: first its series,
   * which is of the panels alone; then its line in the list, of a plant without a battery. The lifetime is taken from there
   * only of plants that never have counters: from one source to the other it would fall.
   */
  async #energyOf(
    plant: PlantRef,
    { state, inverters, hasBattery: withBattery }: FoundPlant,
    { parts, hasCounters }: { parts: Parts; hasCounters: boolean },
  ): Promise<PlantEnergy> {
    const counted = sumOf(inverters);
    const todayEnergyKwh =
      counted.todayEnergyKwh ??
      higherOf(
        counted.todayEnergyKwhMin,
        await parts.ask('today_energy_kwh', () => this.#todayKwh(plant, state)),
      );
    if (withBattery || (todayEnergyKwh !== null && hasCounters)) {
      return { ...counted, todayEnergyKwh };
    }
    const field = todayEnergyKwh === null ? 'today_energy_kwh' : 'lifetime_energy_kwh';
    const row = await parts.ask(field, () => this.#listedPlant(plant.vendorPlantId));
    const listed = listedEnergyOf(row ?? null);
    const known = { ...listed, todayEnergyKwh: todayEnergyKwh ?? listed.todayEnergyKwh };
    return hasCounters ? { ...counted, todayEnergyKwh: known.todayEnergyKwh } : known;
  }

  /** What the plant's own series has for today, kWh; null without a value. A nought is believed of a plant that is away. */
  async #todayKwh(plant: PlantRef, state: DeviceState): Promise<number | null> {
    const today = localDateAt(this.#deps.now.getTime(), plant.timezone);
    const energyKwh = (await this.#days(plant, today, today)).get(today) ?? null;
    return energyKwh === 0 && state !== 'OFFLINE' && state !== 'STANDBY' ? null : energyKwh;
  }

  async #days(
    { vendorPlantId }: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<ReadonlyMap<LocalDate, number | null>> {
    const body = {
      stationId: vendorPlantId,
      isReport: false,
      items: [panelsEnergy],
      dimension: 'day',
      ...spanText(from, to),
    };
    const call = { method: 'POST', path: plusPaths.days, body } as const;
    const data = await this.#client.read(call, daysSchema);
    return dayEnergies(data, panelsEnergy, { from, to });
  }

  /** A record that moves to the next page meanwhile comes twice and counts once, so that the one it hides is missed. */
  async #alarmRecords(
    vendorPlantId: string,
    status: typeof occurring | typeof recovered,
    pages: number,
  ): Promise<{ records: PlusAlarm[]; allRead: boolean }> {
    const records = new Map<string, PlusAlarm>();
    for (let pageIndex = 1; pageIndex <= pages; pageIndex += 1) {
      const body = { pageIndex, pageSize, stationIds: [vendorPlantId], status };
      const call = { method: 'POST', path: plusPaths.alarms, body } as const;
      const { total, dataList } = await this.#client.read(call, alarmPageSchema);
      const count = toNumber(total);
      if ((dataList === undefined || dataList === null) && count !== 0) {
        throw invalidFormat('alarms: the answer has no list');
      }
      const given = dataList ?? [];
      const before = records.size;
      for (const one of given) records.set(JSON.stringify(one), one);
      const allRead = count === null ? given.length < pageSize : records.size >= count;
      if (allRead) return { records: [...records.values()], allRead };
      if (records.size === before) break;
    }
    return { records: [...records.values()], allRead: false };
  }
}

function isCountable(inverters: readonly PlusInverter[]): boolean {
  return inverters.length > 0 && inverters.length <= invertersMax;
}
