import type { PlantSummary, VendorAlarm } from '../../../../domain/plants/reading.ts';
import type { LocalDate } from '../../../../domain/zone.ts';
import { dayMs } from '../../../../domain/zone.ts';
import { type AdapterError, invalidFormat } from '../../adapter-error.ts';
import type { AdapterDeps, PlantRef } from '../../contract.ts';
import { energyKwhOf, toNumber } from '../../fields.ts';
import { check } from '../../json.ts';
import type { Session } from '../../session.ts';
import { sentinels } from '../figures.ts';
import { plantNotFound, type Portal } from '../portal.ts';
import { alarmsOf, alarmWindows, type AlarmWindow } from './alarms.ts';
import { SemsClient, paths } from './client.ts';
import { portalDateOf, portalText } from './portal-time.ts';
import { summaryOf } from './summary.ts';
import {
  alarmPageSchema,
  daySeriesSchema,
  detailSchema,
  plantListSchema,
  type AlarmRecord,
} from './wire.schema.ts';

/** All levels and all states: values that every known client of the portal agrees on. */
const allAlarms = { warninglevel: 7, status: '3' } as const;

const alarmPageSize = 100;
/** A plant with more alarms in one window is cut off: ten requests are what one poll may spend on them. */
const alarmPagesMax = 10;

/** The SEMS portal, as it was before SEMS+. */
export class SemsPortal implements Portal {
  readonly #deps: AdapterDeps;
  readonly #client: SemsClient;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#client = new SemsClient(deps);
  }

  async logIn(): Promise<Session> {
    return this.#client.logIn();
  }

  async getPlantSummary({ vendorPlantId, timezone }: PlantRef): Promise<PlantSummary> {
    const data = await this.#client.call(paths.detail, { powerStationId: vendorPlantId });
    if (!holdsFigures(data)) throw await this.#emptyDetail(vendorPlantId);
    return summaryOf(check(detailSchema, data, 'plant detail'), timezone, this.#deps.now);
  }

  async readDays(
    { vendorPlantId }: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<ReadonlyMap<LocalDate, number | null>> {
    // `count` days that end with `date`.
    const count = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
    const body = { powerstation_id: vendorPlantId, count, date: to };
    const rows = await this.#client.read(paths.daySeries, body, daySeriesSchema);
    const energyByDate = new Map<LocalDate, number | null>();
    for (const { d, p } of rows) {
      const date = portalDateOf(d);
      if (date === null) throw invalidFormat('day series: d is no date MM/dd/yyyy');
      // A row of another day is not read: it need not be an energy.
      if (date >= from && date <= to)
        energyByDate.set(date, energyKwhOf(p, 'day series: p', sentinels));
    }
    if (isAllZero(energyByDate)) await this.#requireFigures(vendorPlantId);
    return energyByDate;
  }

  async readAlarms(
    plant: PlantRef,
    since: Date,
  ): Promise<{ alarms: VendorAlarm[]; complete: boolean }> {
    const { windows, complete } = alarmWindows(since, this.#deps.now, plant.timezone);
    const records: AlarmRecord[] = [];
    let allRead = complete;
    for (const window of windows) {
      const answer = await this.#alarmRecords(plant.vendorPlantId, window);
      records.push(...answer.records);
      allRead &&= answer.allRead;
    }
    return { alarms: alarmsOf(records, plant, since), complete: allRead };
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

  /**
   * What a success without figures means. The portal gives it for plants that are not the account's as well as for some
   * that are, so the account's list decides; where that says nothing either, the answer is only malformed.
   */
  async #emptyDetail(vendorPlantId: string): Promise<AdapterError> {
    const isListed = await this.isListed(vendorPlantId);
    return isListed === false
      ? plantNotFound()
      : invalidFormat(
          'plant detail: a success without kpi or info; if the account was moved to SEMS+, set portal to SEMS_PLUS',
        );
  }

  /**
   * Plants that were moved to SEMS+ have 0 kWh for every past day here, and no figures in their detail. Such noughts are
   * no measurements.
   *
   * @throws AdapterError where the detail has no figures.
   */
  async #requireFigures(vendorPlantId: string): Promise<void> {
    const data = await this.#client.call(paths.detail, { powerStationId: vendorPlantId });
    if (!holdsFigures(data)) throw await this.#emptyDetail(vendorPlantId);
  }

  async isListed(vendorPlantId: string): Promise<boolean | null> {
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

function holdsFigures(data: unknown): boolean {
  if (typeof data !== 'object' || data === null) return false;
  const { kpi, info } = data as { kpi?: unknown; info?: unknown };
  return kpi !== undefined && kpi !== null && info !== undefined && info !== null;
}

function isAllZero(energyByDate: ReadonlyMap<LocalDate, number | null>): boolean {
  return energyByDate.size > 0 && [...energyByDate.values()].every((energyKwh) => energyKwh === 0);
}
