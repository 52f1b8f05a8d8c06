import type { ClosingVerdict } from '../domain/plants/facts.ts';
import { dateAfter, dateAt } from './calendar.ts';
import type { Counts, Fail, Snapshot } from './judging.ts';
import type { Store, StoredDay } from './store.ts';
import {
  belongsToDate,
  closingSays,
  completeFrom,
  type Day,
  lifetimeAccepted,
  refreshed,
  type Stated,
} from './oracle.ts';
import type { SeriesCall } from './steps.ts';
import type { Heard, SimulatedVendor } from './vendor.ts';

/** Judges which energy is booked to which day, by the oracle's guards and by what the plant really made. */

const hourMs = 3_600_000;
/** A snapshot whose answer is known from the vendor's side. */
type HeardSnapshot = Snapshot & { heard: Heard };

/** A vendor shows one decimal. */
const displayKwh = 0.0501;
const tenMinutesMs = 600_000;
/** Incomplete days up to this age are asked for again. */
const askedAgainDays = 3;
/** After a crash, the gaps that a poll had found are left to the next one. */
const pollsWithoutAskingMax = 3;

export class DaysCheck {
  /** The days as they must be. */
  readonly rows = new Map<string, Day>();
  /** Days with a false value that no guard can detect. */
  readonly #misled = new Set<string>();
  /** Days of the series calls since the last poll. */
  readonly #asked = new Set<string>();
  /** Number of polls in a row that did not ask for an incomplete day. */
  readonly #unasked = new Map<string, number>();
  readonly #vendor: SimulatedVendor;
  readonly #store: Store;
  readonly #counts: Counts;
  readonly #fail: Fail;

  constructor(vendor: SimulatedVendor, store: Store, counts: Counts, fail: Fail) {
    this.#vendor = vendor;
    this.#store = store;
    this.#counts = counts;
    this.#fail = fail;
  }

  get #plantId(): string {
    return this.#vendor.life.id;
  }

  afterReading(snapshot: HeardSnapshot): void {
    const { nowMs, booked } = snapshot;
    const plant = this.#store.findPlant(this.#plantId);
    const stated = this.#stated(snapshot);
    const date = dateAt(stated.atMs, plant.timezone);
    const { isBooked, reason } = belongsToDate(stated, this.rows, plant, nowMs);
    if (booked.bookedDate !== (isBooked ? date : null))
      this.#fail(
        `${stated.kwh} kWh booked to ${booked.bookedDate}, expected ${isBooked ? date : 'nothing'} (${reason})`,
      );
    if (isBooked) this.#book(date, stated, snapshot);
    this.#compare(date, nowMs);
  }

  /** After a poll with a reading: each of the last days is complete or was asked for. */
  afterPoll(nowMs: number): void {
    const today = dateAt(nowMs, this.#vendor.life.place.timezone);
    const inVain = this.#store.gapTries(this.#plantId);
    for (let age = askedAgainDays; age >= 1; age -= 1) {
      const date = dateAfter(today, -age);
      const row = this.rows.get(date);
      const isWhole = row?.complete === true || row?.quality === 'FINAL';
      const polls =
        isWhole || inVain.has(date) || this.#asked.has(date)
          ? 0
          : (this.#unasked.get(date) ?? 0) + 1;
      if (polls > pollsWithoutAskingMax)
        this.#fail(`${date} is not whole, and ${polls} polls did not ask for it`);
      this.#unasked.set(date, polls);
    }
    this.#asked.clear();
  }

  /** What the vendor stated, from the vendor's side; the adapter must have read the same. */
  #stated({ reading, heard, nowMs }: HeardSnapshot): Stated {
    const shown = heard.summary;
    if (shown === null) return this.#fail('a reading without an answer');
    const { summary } = reading;
    const { brand } = this.#vendor.life;
    const wireMs =
      brand === 'DELE' ? Math.floor(shown.measuredMs / 1_000) * 1_000 : shown.measuredMs;
    const isStated =
      brand !== 'HUAWEI' && shown.todayKwh !== null && wireMs <= nowMs + tenMinutesMs;
    // The adapter looks up the total of an empty plant in its month.
    const today = dateAt(nowMs, this.#vendor.life.place.timezone);
    const told = shown.todayKwh ?? heard.series.findLast((day) => day.date === today)?.kwh ?? null;
    // Where the field is missing, or DELE's request of its own for it failed, there is none, and a sentence says so.
    const isRefused =
      summary.todayEnergyKwh === null &&
      summary.refused.some(({ field }) => field === 'today_energy_kwh');
    const isMissing = isRefused && (shown.spoilt === 'MISSING_FIELD' || brand === 'DELE');
    const kwh = isMissing ? null : told;
    if (summary.todayEnergyKwh !== kwh)
      this.#fail(`the adapter reads ${summary.todayEnergyKwh} kWh where the vendor says ${kwh}`);
    const lifetimeKwh = shown.todayKwh === null ? null : shown.lifetimeKwh;
    const { inverters } = this.#vendor.life;
    const readKwh =
      lifetimeKwh !== null && brand === 'DELE'
        ? this.#sumOfInverters(lifetimeKwh, inverters)
        : lifetimeKwh;
    if (summary.lifetimeEnergyKwh !== readKwh)
      this.#fail(
        `the adapter reads a lifetime of ${summary.lifetimeEnergyKwh} where the vendor says ${readKwh}`,
      );
    return {
      atMs: Math.min(isStated ? wireMs : nowMs, nowMs),
      kwh,
      lifetimeKwh: readKwh,
      lifetimeStepKwh: summary.lifetimeResolutionKwh ?? 0,
    };
  }

  /** The first inverter carries the total, each other one 0.1 kWh; a total of 0 is none. */
  #sumOfInverters(lifetimeKwh: number, inverters: number): number | null {
    if (lifetimeKwh === 0) return null;
    return Number((lifetimeKwh + 0.1 * (inverters - 1)).toFixed(6));
  }

  #book(date: string, stated: Stated, snapshot: HeardSnapshot): void {
    const { nowMs, reading, booked } = snapshot;
    const kwh = stated.kwh ?? 0;
    this.#judgeByTruth(date, stated, snapshot);
    const { life } = this.#vendor;
    const before = this.rows.get(date);
    const isOpen =
      before === undefined ||
      before.quality === 'LIVE' ||
      date === dateAt(nowMs, life.place.timezone);
    const seenAtMs = booked.seenAtMs;
    const lastSeenAtMs = highest(before?.lastSeenAtMs ?? null, seenAtMs);
    const row: Day = {
      date,
      todayEnergyKwh: isOpen
        ? Math.max(before?.todayEnergyKwh ?? 0, kwh)
        : (before?.todayEnergyKwh ?? 0),
      peakPowerW: highest(before?.peakPowerW ?? null, reading.summary.powerW),
      lifetimeEnergyKwh: highest(
        before?.lifetimeEnergyKwh ?? null,
        lifetimeAccepted(stated, this.rows, date),
      ),
      quality: before?.quality ?? 'LIVE',
      complete:
        before?.complete === true ||
        (lastSeenAtMs !== null && lastSeenAtMs >= completeFrom(date, life)),
      lastSeenAtMs,
      liveEnergyKwh: Math.max(before?.liveEnergyKwh ?? 0, kwh),
      proposedEnergyKwh: before?.proposedEnergyKwh ?? null,
      totalsByTime: before?.totalsByTime ?? null,
    };
    this.rows.set(date, row);
    const saysKwh = isOpen ? row.todayEnergyKwh : kwh;
    if (booked.todayEnergyKwh !== saysKwh)
      this.#fail(`the poll says ${booked.todayEnergyKwh} kWh, expected ${saysKwh}`);
  }

  /** A day has at most what the plant has made of it. */
  #judgeByTruth(date: string, stated: Stated, { nowMs, heard }: HeardSnapshot): void {
    const { truth } = this.#vendor;
    const kwh = stated.kwh ?? 0;
    const madeKwh = truth.dateAt(nowMs) === date ? truth.energyAt(nowMs) : truth.totalOf(date);
    const toleranceKwh = displayKwh + 1.01 * stated.lifetimeStepKwh;
    if (kwh <= madeKwh + toleranceKwh || this.#misled.has(date)) return;
    if (heard.summary?.counterDate === date || heard.summary?.todayKwh === null)
      this.#fail(`${kwh} kWh booked to ${date}, which has made ${madeKwh.toFixed(3)}`);
    this.#misled.add(date);
    this.#counts.beyondGuards += 1;
  }

  /** After the series was asked: each day as the oracle says. */
  afterSeries(call: SeriesCall): void {
    for (const date of call.dates) this.#asked.add(date);
    const plant = this.#store.findPlant(this.#plantId);
    if (call.failure === null) {
      const today =
        call.source === 'CLOSING'
          ? dateAfter(call.dates.at(-1) ?? '', 1)
          : dateAt(call.nowMs, plant.timezone);
      for (const date of call.dates) this.#refresh(date, today, call.heard);
    }
  }

  compareRows(dates: Iterable<string>): void {
    for (const date of dates) this.#compareRow(date);
  }

  #refresh(date: string, today: string, heard: Heard): void {
    const served = heard.series.filter((day) => day.date === date).map((day) => day.kwh);
    const values = served.filter((kwh) => kwh !== null);
    const seriesKwh = values.length === 0 ? null : Math.max(...values);
    const row = this.rows.get(date);
    const ageDays = Math.round((Date.parse(today) - Date.parse(date)) / (24 * hourMs));
    const after = refreshed(row, seriesKwh, ageDays);
    if (after.kwh === null || after.quality === null) return;
    this.rows.set(date, {
      ...(row ?? {
        date,
        peakPowerW: null,
        lifetimeEnergyKwh: null,
        lastSeenAtMs: null,
        liveEnergyKwh: null,
        totalsByTime: null,
      }),
      todayEnergyKwh: after.kwh,
      quality: after.quality,
      complete: row?.complete === true || after.isOfSeries,
      proposedEnergyKwh: after.proposalKwh,
    });
    if (after.kwh !== row?.todayEnergyKwh) this.#judgeSeriesByTruth(date, after.kwh);
  }

  #judgeSeriesByTruth(date: string, kwh: number): void {
    const madeKwh = this.#vendor.truth.totalOf(date);
    if (kwh > madeKwh + displayKwh)
      this.#fail(`${kwh} kWh filled into ${date}, which has made ${madeKwh.toFixed(3)}`);
  }

  afterClosing(date: string, atMs: number, verdict: ClosingVerdict): void {
    const { timezone } = this.#vendor.life.place;
    if (verdict.date !== date || dateAt(atMs, timezone) !== date)
      this.#fail(`the closing of ${date} stands at ${new Date(atMs).toISOString()}`);
    const stored = this.#store.findDay(this.#plantId, date);
    const row = this.rows.get(date);
    if (row !== undefined && stored !== undefined) {
      const totals = stored.totalsByTime ?? [];
      const known = totals.filter((total) => total !== null);
      const isRising = known.every((total, index) => total >= (known[index - 1] ?? 0));
      if (totals.length !== 145 || !isRising) this.#fail(`the totals of ${date} do not rise`);
      const newest = known.at(-1);
      if (newest !== undefined && row.liveEnergyKwh !== null && newest > row.liveEnergyKwh + 1e-9)
        this.#fail(`the totals of ${date} end at ${newest}, more than was ever booked`);
      row.totalsByTime = stored.totalsByTime;
    }
    const expected = closingSays(date, this.rows);
    if (verdict.severity !== expected)
      this.#fail(`the closing of ${date} says ${verdict.severity}, expected ${expected}`);
  }

  /** Compares the day, today and the two days before. */
  #compare(date: string, nowMs: number): void {
    const today = dateAt(nowMs, this.#vendor.life.place.timezone);
    for (const one of new Set([date, today, dateAfter(today, -1), dateAfter(today, -2)]))
      this.#compareRow(one);
  }

  #compareRow(date: string): void {
    const stored = this.#store.findDay(this.#plantId, date);
    this.compareStored(date, stored);
  }

  compareStored(date: string, stored: StoredDay | undefined): void {
    const row = this.rows.get(date);
    if (row === undefined || stored === undefined) {
      if (row !== stored) this.#fail(`${date} has ${stored === undefined ? 'no row' : 'a row'}`);
      return;
    }
    for (const column of comparedColumns) {
      if (row[column] !== stored[column])
        this.#fail(`${column} of ${date} is ${stored[column]}, expected ${row[column]}`);
    }
  }
}

const comparedColumns = [
  'todayEnergyKwh',
  'peakPowerW',
  'lifetimeEnergyKwh',
  'quality',
  'complete',
  'lastSeenAtMs',
  'liveEnergyKwh',
  'proposedEnergyKwh',
] as const;

function highest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
