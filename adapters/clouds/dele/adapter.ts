import type { LocalDate } from '../../../domain/zone.ts';
import type {
  AlarmsAnswer,
  DailyEnergy,
  DeviceReading,
  PlantSummary,
  RefusedField,
} from '../../../domain/plants/reading.ts';
import { addDays, dayMs, localDateAt } from '../../../domain/zone.ts';
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
import { mergeAlarms, requireEnergyKwh, seriesOf, toNumber } from '../fields.ts';
import { type Part, partOf, refusedPart } from '../parts.ts';
import { apiHostOf, DeyeClient } from './client.ts';
import {
  dayEnergyOf,
  inverterSerials,
  lifetimeOf,
  newestBySerial,
  readingOf,
  refusedTimes,
  type Inverter,
} from './devices.ts';
import {
  alarmOf,
  energyByDate,
  isAllOffline,
  isLastOfMonth,
  lastDayOfMonthKwh,
  liveValuesOf,
} from './normalise.ts';
import {
  alertListSchema,
  dayHistorySchema,
  deviceLatestSchema,
  monthHistorySchema,
  stationDeviceSchema,
  stationLatestSchema,
  stationListSchema,
  type WireAlert,
  type WireDevice,
  type WireDeviceData,
} from './wire.schema.ts';

/**
 * DeyeCloud's open API. A summary is put together: power and time from /station/latest, the energy of the day from
 * /station/history, inverters and the lifetime total from /station/device and /device/latest. Facts, limits and sources:
 * README.md.
 */

const capabilities: Capabilities = {
  measurementTime: true,
  alarmIntervalS: 900,
  // `endAt` is asked a day late (see #days); even counted with both ends that stays within 30 days (code 2101012).
  seriesDaysMax: 29,
  budgets: [{ path: 'every endpoint', requests: 300, perS: 10, scope: 'account' }],
};

/** `granularity` of /station/history. */
const byDay = 2;
const byMonth = 3;
/** The vendor's limit of rows on a page. */
const pageSize = 200;
/** 1,000 rows: no plant has more devices, and a list of alarms that is longer says nothing that the first ones do not. */
const pagesMax = 5;
/** The vendor's limit of serial numbers in one /device/latest. */
const serialsPerCall = 10;
/** The longest span of one /station/alertList is 180 days; a day less is safe from the seconds at both ends. */
const alertSpanMs = 179 * dayMs;
/** Two years of alarms; what began before cannot be an open alarm of a plant that anybody looks at. */
const alertSpansMax = 4;

interface Page<Row> {
  total?: unknown;
  rows: readonly Row[] | null | undefined;
}

/** `energyKwh` null: not known. `error` why the history did not say it, and `what` that costs, as the beginning of a sentence. */
type DayEnergy =
  | { energyKwh: number; what: string; error: AdapterError | null }
  | { energyKwh: number | null; what: string; error: AdapterError };

interface InverterAnswer {
  inverters: Inverter[];
  refused: RefusedField[];
}

class DeleAdapter implements VendorAdapter {
  readonly #client: DeyeClient;
  readonly #now: Date;

  constructor(deps: AdapterDeps) {
    this.#client = new DeyeClient(deps);
    this.#now = deps.now;
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async testConnection(): Promise<ConnectionTest> {
    return testedConnection(async () => {
      await this.#client.logIn();
      const page = { page: 1, size: 1 };
      const { stationList } = await this.#client.call('station/list', page, stationListSchema);
      if ((stationList ?? []).length > 0) return 'logged in';
      // A business account that logs in without its company sees an empty list rather than an error.
      const message = 'logged in, but the account shows no plants: check companyId';
      throw new AdapterError('PLANT_NOT_FOUND', 'ACCOUNT', message, { certain: false });
    });
  }

  async getPlantSummary(plant: PlantRef): Promise<PlantSummary> {
    const { timezone, vendorPlantId } = plant;
    const stationId = wireIdOf(vendorPlantId);
    const latest = await this.#client.call('station/latest', { stationId }, stationLatestSchema);
    const { inverters, refused } = await this.#inverters(stationId);
    const today = localDateAt(this.#now.getTime(), timezone);
    const devices = inverters.map((inverter) => readingOf(inverter, today, timezone));
    const live = liveValuesOf(latest, isAllOffline(latest) || areAllOffline(devices));
    const lastSeenAt = live.lastSeenAt ?? newestOf(devices);
    const lifetime = lifetimeOf(inverters);
    const energy = await this.#dayEnergy(plant, dateOf(lastSeenAt, today, timezone), devices);
    const isKnown =
      live.powerW !== null || lastSeenAt !== null || lifetime.lifetimeEnergyKwh !== null;
    if (energy.energyKwh === null && !isKnown) throw energy.error;
    return {
      todayEnergyKwh: energy.energyKwh,
      powerW: live.powerW,
      lifetimeEnergyKwh: lifetime.lifetimeEnergyKwh,
      lifetimeResolutionKwh: lifetime.lifetimeResolutionKwh,
      lastSeenAt,
      devices,
      refused: [
        ...live.refused,
        ...(lastSeenAt === null && live.refused.every(({ field }) => field !== 'last_seen_at')
          ? refusedTimes(inverters, 'last_seen_at')
          : refusedTimes(inverters, 'devices')),
        ...refused,
        ...lifetime.refused,
        ...(energy.error === null
          ? []
          : [refusedPart('today_energy_kwh', energy.what, energy.error)]),
      ],
    };
  }

  async getDailyEnergySeries(
    plant: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<DailyEnergy[]> {
    if (from > to) return [];
    const byDate = await this.#days(plant, from, to);
    const today = localDateAt(this.#now.getTime(), plant.timezone);
    if (to === today && isLastOfMonth(to) && !byDate.has(to)) {
      const energyKwh = await this.#lastDayOfMonth(plant, to);
      if (energyKwh !== null) byDate.set(to, energyKwh);
    }
    return seriesOf(byDate, from, to);
  }

  async getAlarmsSince(plant: PlantRef, since: Date): Promise<AlarmsAnswer> {
    const stationId = wireIdOf(plant.vendorPlantId);
    const rows: WireAlert[] = [];
    const spans = alertSpans(since.getTime(), this.#now.getTime());
    let complete = (spans.at(-1)?.startMs ?? 0) <= since.getTime();
    for (const { startMs, endMs } of spans) {
      const span = {
        startTimestamp: Math.floor(startMs / 1000),
        endTimestamp: Math.ceil(endMs / 1000),
      };
      const answer = await allPages(async (page) => {
        const { total, stationAlertItems } = await this.#client.call(
          'station/alertList',
          { stationId, ...span, ...page },
          alertListSchema,
        );
        return { total, rows: stationAlertItems };
      });
      rows.push(...answer.rows);
      complete &&= answer.complete;
    }
    const alarms = rows
      .map(alarmOf)
      .filter(({ endedAt }) => endedAt === null || Date.parse(endedAt) >= since.getTime());
    return mergeAlarms(alarms, complete);
  }

  /**
   * The energy of the day in which the plant was last measured: its row; on the last day of a month, which has no row
   * while it runs, the month less the days before it; else what the inverters say of the day. Where the history does not
   * answer, or nobody says it, `error` tells why.
   *
   * @throws AdapterError INVALID_DATA_FORMAT for an energy that cannot be; RATE_LIMIT_EXCEEDED: nothing more may be asked then.
   */
  async #dayEnergy(
    plant: PlantRef,
    date: LocalDate,
    devices: readonly DeviceReading[],
  ): Promise<DayEnergy> {
    const history = await this.#part(() => this.#historyOf(plant, date));
    const ofInverters = dayEnergyOf(devices, date, plant.timezone);
    if ('error' in history) {
      const what = 'The history did not answer';
      return { energyKwh: ofInverters, what, error: history.error };
    }
    const stated = history.answer ?? ofInverters;
    if (stated !== null) {
      const energyKwh = requireEnergyKwh(stated, `station/history: the energy of ${date}`);
      return { energyKwh, what: '', error: null };
    }
    const error = invalidFormat(`station/history: the energy of ${date} is missing`);
    return { energyKwh: null, what: "Today's energy is not known", error };
  }

  async #historyOf(plant: PlantRef, date: LocalDate): Promise<number | null> {
    const days = await this.#days(plant, date, date);
    return days.get(date) ?? (isLastOfMonth(date) ? this.#lastDayOfMonth(plant, date) : null);
  }

  /** A part of a summary, but for a rate limit, which is one of the whole app. */
  async #part<T>(ask: () => Promise<T>): Promise<Part<T>> {
    const part = await partOf(ask);
    if ('error' in part && part.error.type === 'RATE_LIMIT_EXCEEDED') throw part.error;
    return part;
  }

  /**
   * Day rows of `from` … `to`. Whether `endAt` belongs to the span is disputed between the vendor's samples and
   * others: it is asked a day late. A span that ends in a month that has not begun comes
   * back empty: then it is asked again without the extra day.
   */
  async #days(
    { vendorPlantId }: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<Map<LocalDate, number | null>> {
    const ask = async (endAt: LocalDate) => {
      const { stationDataItems } = await this.#client.call(
        'station/history',
        { stationId: wireIdOf(vendorPlantId), granularity: byDay, startAt: from, endAt },
        dayHistorySchema,
      );
      return stationDataItems ?? [];
    };
    let rows = await ask(addDays(to, 1));
    if (rows.length === 0 && isLastOfMonth(to) && from < to) rows = await ask(to);
    return energyByDate(rows, { from, to });
  }

  async #lastDayOfMonth(plant: PlantRef, date: LocalDate): Promise<number | null> {
    const month = date.slice(0, 7);
    const { stationDataItems } = await this.#client.call(
      'station/history',
      {
        stationId: wireIdOf(plant.vendorPlantId),
        granularity: byMonth,
        startAt: month,
        endAt: month,
      },
      monthHistorySchema,
    );
    const row = (stationDataItems ?? []).find(
      (one) => `${one.year}-${String(one.month).padStart(2, '0')}` === month,
    );
    if (row === undefined || toNumber(row.generationValue) === null) return null;
    const monthKwh = requireEnergyKwh(row.generationValue, 'the month of station/history');
    const before = await this.#days(plant, `${month}-01`, addDays(date, -1));
    return lastDayOfMonthKwh(date, monthKwh, before);
  }

  /**
   * The plant's inverters with what they say. They are worth having, not needed: what fails here costs the lifetime total
   * and is told in a sentence.
   *
   * @throws AdapterError RATE_LIMIT_EXCEEDED only: nothing more may be asked then.
   */
  async #inverters(stationId: number | string): Promise<InverterAnswer> {
    const part = await this.#part(async () => {
      const listed = inverterSerials(await this.#devices(stationId));
      const rows = newestBySerial(await this.#deviceData([...listed.keys()]));
      return [...listed].map(([sn, device]) => ({
        sn,
        listed: device,
        data: rows.get(sn) ?? null,
      }));
    });
    if ('answer' in part) return { inverters: part.answer, refused: [] };
    const refused = refusedPart('lifetime_energy_kwh', 'The inverters did not answer', part.error);
    return { inverters: [], refused: [refused] };
  }

  async #devices(stationId: number | string): Promise<readonly WireDevice[]> {
    const { rows, complete } = await allPages(async (page) => {
      const { total, deviceListItems } = await this.#client.call(
        'station/device',
        { stationIds: [stationId], ...page },
        stationDeviceSchema,
        { renew: false },
      );
      return { total, rows: deviceListItems };
    });
    if (!complete) throw invalidFormat('station/device: the list is cut off');
    return rows;
  }

  async #deviceData(serials: readonly string[]): Promise<WireDeviceData[]> {
    const rows: WireDeviceData[] = [];
    for (let i = 0; i < serials.length; i += serialsPerCall) {
      const { deviceDataList } = await this.#client.call(
        'device/latest',
        { deviceList: serials.slice(i, i + serialsPerCall) },
        deviceLatestSchema,
        { renew: false },
      );
      rows.push(...deviceDataList);
    }
    return rows;
  }
}

/** All rows of a paged list. It ends where `total` says so; without a total, at the first page that is empty. */
async function allPages<Row>(
  ask: (page: { page: number; size: number }) => Promise<Page<Row>>,
): Promise<{ rows: Row[]; complete: boolean }> {
  const rows: Row[] = [];
  for (let page = 1; page <= pagesMax; page += 1) {
    const answer = await ask({ page, size: pageSize });
    const pageRows = answer.rows ?? [];
    rows.push(...pageRows);
    const total = toNumber(answer.total);
    if (total !== null && rows.length >= total) return { rows, complete: true };
    if (pageRows.length === 0) return { rows, complete: total === null };
  }
  return { rows, complete: false };
}

/** The time since `sinceMs` in spans that the vendor allows, newest first; the oldest is left out where there are too many. */
function alertSpans(sinceMs: number, nowMs: number): { startMs: number; endMs: number }[] {
  const firstMs = Math.min(sinceMs, nowMs);
  const spans: { startMs: number; endMs: number }[] = [];
  let endMs = nowMs;
  do {
    const startMs = Math.max(firstMs, endMs - alertSpanMs);
    spans.push({ startMs, endMs });
    endMs = startMs;
  } while (endMs > firstMs && spans.length < alertSpansMax);
  return spans;
}

/** Plant ids are numbers; one that a double cannot hold, or that is none, goes out as the text it is. */
function wireIdOf(vendorPlantId: string): number | string {
  const id = Number(vendorPlantId);
  return /^\d+$/.test(vendorPlantId) && Number.isSafeInteger(id) ? id : vendorPlantId;
}

function areAllOffline(devices: readonly DeviceReading[]): boolean {
  return devices.length > 0 && devices.every(({ state }) => state === 'OFFLINE');
}

function newestOf(devices: readonly DeviceReading[]): string | null {
  return devices.reduce<string | null>(
    (newest, { measuredAt }) =>
      measuredAt !== null && (newest === null || measuredAt > newest) ? measuredAt : newest,
    null,
  );
}

/** The plant-local date that a summary speaks of: that of its newest measurement, which is before today while the plant is away. */
function dateOf(lastSeenAt: string | null, today: LocalDate, timezone: string): LocalDate {
  if (lastSeenAt === null) return today;
  const date = localDateAt(Date.parse(lastSeenAt), timezone);
  return date < today ? date : today;
}

export const dele: AdapterDefinition = {
  brand: 'DELE',
  credentialFields: ['appId', 'appSecret', 'email', 'password', 'companyId', 'host'],
  checkCredentials: ({ host = '' }) => void apiHostOf(host),
  create: (deps) => new DeleAdapter(deps),
};
