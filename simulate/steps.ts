import { createSecretKey } from 'node:crypto';

import type {
  FetchResult,
  MissedSlots,
  Plan,
  ReconcileArgs,
} from '../activities/plants/contract.ts';
import {
  createVendors,
  NotAsked,
  vendorFailure,
  type Vendors,
} from '../activities/plants/vendor.ts';
import { sealCredentials, type MasterKeys } from '../db/sealing.ts';
import { readPlant, readSeries } from '../activities/plants/vendor-reading.ts';
import { registry } from '../adapters/clouds/registry.ts';
import { requestTimeoutMs } from '../adapters/clouds/transport.ts';
import { decideAlerts, outcomeOf } from '../domain/plants/alerts.ts';
import type { AlertsChanges, Booked, BookedPoll } from '../domain/plants/changes.ts';
import { closingsPassed, nextClosing, totalsByTime } from '../domain/plants/closing.ts';
import { decideDay } from '../domain/plants/day.ts';
import { isPossibleDayEnergy } from '../domain/plants/energy.ts';
import { refusesAccount } from '../domain/plants/failure.ts';
import type { ClosingVerdict, PollResult } from '../domain/plants/facts.ts';
import { decideClosing } from '../domain/plants/low-generation.ts';
import type { LocalDate } from '../domain/zone.ts';
import { decideOrdinaryPoll } from '../domain/plants/poll.ts';
import type { DailyEnergy, Reading, VendorFailure } from '../domain/plants/reading.ts';
import { decideRefresh } from '../domain/plants/refresh.ts';
import { periodNow } from '../domain/plants/period.ts';
import { addDays, endOfDayMs, localDateAt, startOfDayMs } from '../domain/zone.ts';
import {
  bookedRow,
  type DayRevision,
  type Fence,
  type Period,
  type Store,
  type StoredPlant,
} from './store.ts';
import type { Life } from './life.ts';
import type { Heard, SimulatedVendor } from './vendor.ts';
import { deleWire } from './vendors/dele.ts';
import { goodweWire } from './vendors/goodwe.ts';
import { huaweiWire } from './vendors/huawei.ts';
import { solisWire } from './vendors/solis.ts';
import { simulatedTransport } from './vendors/wire.ts';

/**
 * The activities of a poll and a closing over a store in memory: the same rules and adapters in the same order as in
 * `activities/`, without Temporal, PostgreSQL and Redis.
 */

const wires = { SOLIS: solisWire, HUAWEI: huaweiWire, GOODWE: goodweWire, DELE: deleWire };

/** A poll in one step reads alerts that ended within this time; older vendor alarms are left to the single steps. */
const endedReadMs = 8 * 3_600_000;

/** No secret: it seals credentials that are made up. */
const masterKeys: MasterKeys = {
  current: { version: 'simulated', key: createSecretKey(Buffer.alloc(32, 7)) },
  previous: null,
};

/** Which days are asked of the series, in order. */
interface FillRequest {
  plantId: string;
  dates: readonly LocalDate[];
  source: DayRevision['source'];
  nowMs: number;
  /** The date from which ages count; today where it is not given. */
  countedFrom?: LocalDate;
}

/** A series call and its answer. */
export interface SeriesCall extends Pick<FillRequest, 'dates' | 'source' | 'nowMs'> {
  heard: Heard;
  failure: VendorFailure | null;
}

export class Steps {
  readonly store: Store;
  readonly #life: Life;
  readonly #vendors: readonly SimulatedVendor[];
  readonly #gates: Vendors;
  /** Which of the account's passwords is stored; versions count from 1. */
  #passwordStored = 0;
  #sealed: ReturnType<typeof sealCredentials>;
  /** The series calls that the checker has not taken yet. */
  seriesCalls: SeriesCall[] = [];

  constructor(life: Life, store: Store, vendors: readonly SimulatedVendor[]) {
    this.#life = life;
    this.store = store;
    this.#vendors = vendors;
    this.#sealed = this.#seal();
    this.#gates = createVendors({
      masterKeys,
      openAdapter: ({ brand, plant, credentials, session, now, signal }) => {
        const { definition, vendor: side } = registry[brand];
        const vendor = this.#vendorOf(plant.vendorPlantId);
        const knownCredentials = this.#credentials(vendor.passwordAt(now.getTime()));
        const chain = { knownCredentials, now };
        const transport = simulatedTransport(vendor, side, wires[brand], chain);
        return definition.create({ transport, credentials, session, now, signal });
      },
    });
  }

  /** A person stores the password that the vendor knows now. */
  storeCredentials(atMs: number): void {
    this.#passwordStored = this.#vendors[0]?.passwordAt(atMs) ?? 0;
    this.#sealed = this.#seal();
    this.store.replaceCredentials(this.#life.accountId, this.store.credentialsVersion + 1, atMs);
  }

  async fetchReadings(plantId: string, slotMs: number, nowMs: number): Promise<FetchResult> {
    const { plant, claim, oldestVendorAlertMs } = this.store.readFetchBefore(plantId, slotMs);
    if (plant.integrationStatus !== 'ACTIVE') return { kind: 'SKIPPED_INACTIVE', nowMs };
    if (plant.lastSlotMs !== null && plant.lastSlotMs >= slotMs && plant.lastPoll !== null)
      return { kind: 'ALREADY_BOOKED', poll: plant.lastPoll };
    const credentialsVersion = this.store.credentialsVersion;
    if (claim !== null) {
      const { reading } = claim;
      return { kind: 'READING', nowMs: claim.nowMs, durationMs: 0, reading, credentialsVersion };
    }
    const durationMs = 80;
    const failed = (failure: VendorFailure, asked = true): FetchResult => ({
      kind: 'VENDOR_FAILURE',
      nowMs,
      durationMs: failure.type === 'NETWORK_TIMEOUT' ? requestTimeoutMs : durationMs,
      failure,
      credentialsVersion,
      asked,
    });
    try {
      const reading = await this.#withVendor(plant, nowMs, (adapter, ref) =>
        readPlant(adapter, ref, plant, { oldestVendorAlertMs, nowMs }),
      );
      if ('type' in reading) return failed(reading);
      return { kind: 'READING', nowMs, durationMs, reading, credentialsVersion };
    } catch (error) {
      const failure = vendorFailure(error);
      if (failure === null) throw error;
      return failed(failure, !(error instanceof NotAsked));
    }
  }

  /** Read before the vendor is asked. The revision refuses the poll where people change the plant meanwhile. */
  readWholeBefore(plantId: string, nowMs: number) {
    const { store } = this;
    const endedSinceMs = nowMs - endedReadMs;
    const alerts = store.readAlertsBefore(plantId, nowMs, nowMs, endedSinceMs);
    const rules = { ...alerts, askedInVain: [...store.gapTries(plantId).keys()] };
    return { revision: store.findPlant(plantId).revision, rules, endedSinceMs };
  }

  /**
   * An ordinary poll decided and written at once, as `activities/plants/whole-poll.ts` does it.
   *
   * @returns null where the poll is not ordinary: nothing is written, and the single steps follow.
   */
  writeWhole(
    args: Pick<ReconcileArgs, 'plantId' | 'slotMs' | 'nowMs' | 'startedAtMs' | 'durationMs'> & {
      reading: Reading;
    },
    before: ReturnType<Steps['readWholeBefore']>,
  ) {
    const { plantId, slotMs, nowMs, startedAtMs, durationMs, reading } = args;
    const { store } = this;
    const decided = decideOrdinaryPoll(before, reading, { slotMs, nowMs }, (measuredAtMs) =>
      store.daysAtTime(plantId, nowMs, measuredAtMs),
    );
    if (decided === null) return null;
    const { day, alerts } = decided;
    const { row, booked } = day;
    const outcome = outcomeOf({ kind: 'READING', reading });
    const poll = { ...outcome, booked, startedAtMs, durationMs, attempts: 1 };
    const fence: Fence = { kind: 'SLOT', slotMs, poll };
    // A worker that died after its snapshot has left a day that is as new as this slot: then nothing is written.
    const bookedSlotMs = row === null ? null : (store.findDay(plantId, row.date)?.slotMs ?? null);
    if (bookedSlotMs !== null && bookedSlotMs >= slotMs) return null;
    if (!store.writePlantChanges(plantId, alerts.plant, fence, before.revision)) return null;
    if (row !== null && !store.writeLiveDay(plantId, slotMs, row, { nowMs, reading, booked }))
      throw new Error(`the plant's slot is older than that of its day ${row.date}`);
    return { poll, booked, changes: alerts };
  }

  upsertSnapshot(
    plantId: string,
    slotMs: number,
    nowMs: number,
    reading: Reading,
  ): { booked: Booked; gaps: LocalDate[] } {
    const before = this.store.readDayBefore(plantId, nowMs);
    const { booked, row, gaps } = decideDay(before, reading.summary, nowMs);
    if (row === null) return { booked, gaps };
    const claim = { nowMs, reading, booked };
    if (this.store.writeLiveDay(plantId, slotMs, row, claim)) return { booked, gaps };
    const stored = this.store.findClaims(plantId, { fromMs: slotMs, toMs: slotMs })[0];
    return { booked: stored?.claim.booked ?? booked, gaps: [] };
  }

  async fillDays(request: FillRequest): Promise<VendorFailure | null> {
    const { plantId, dates, source, nowMs } = request;
    const plant = this.store.findPlant(plantId);
    const vendor = this.#vendorOf(plantId);
    vendor.takeHeard();
    let failure: VendorFailure | null = null;
    try {
      const series = await this.#withVendor(plant, nowMs, (adapter, ref) =>
        readSeries(adapter, ref, dates),
      );
      this.#recordDays(plant, series, request);
    } catch (error) {
      failure = vendorFailure(error);
      if (failure === null) throw error;
      for (const date of dates) this.store.recordGap(plantId, date);
    }
    const heard = vendor.takeHeard();
    this.seriesCalls.push({ dates, source, nowMs, heard, failure });
    return failure;
  }

  #recordDays(
    plant: StoredPlant,
    series: readonly DailyEnergy[],
    { dates, source, nowMs, countedFrom }: FillRequest,
  ): void {
    const { plantId, timezone, installedCapacityKw } = plant;
    const today = countedFrom ?? localDateAt(nowMs, timezone);
    const byDate = new Map(series.map((day) => [day.date, day.energyKwh]));
    for (const date of dates) {
      const before = this.store.findDay(plantId, date) ?? null;
      const value = byDate.get(date) ?? null;
      const isPossible = value !== null && isPossibleDayEnergy(value, installedCapacityKw);
      const seriesKwh = isPossible ? value : null;
      const proposed = before?.proposedEnergyKwh ?? null;
      const ageDays = Math.round((Date.parse(today) - Date.parse(date)) / 86_400_000);
      const decision = decideRefresh(before, { date, energyKwh: seriesKwh }, ageDays, proposed);
      const oldKwh = before?.todayEnergyKwh ?? null;
      if (decision.row !== null)
        this.store.writeSeriesDay(plantId, decision.row, { oldKwh, source, atMs: nowMs });
      else if (before !== null && decision.proposalKwh !== proposed)
        this.store.writeProposal(plantId, date, decision.proposalKwh);
      if (seriesKwh === null) this.store.recordGap(plantId, date);
    }
  }

  /** The alert step of a poll; `changes` null: the slot was booked before. */
  reconcileAlerts(args: ReconcileArgs): { poll: BookedPoll; changes: AlertsChanges | null } {
    const { plantId, slotMs, nowMs, booked, startedAtMs, durationMs, attempts } = args;
    const { store } = this;
    const plant = store.findPlant(plantId);
    if (plant.lastSlotMs !== null && plant.lastSlotMs >= slotMs && plant.lastPoll !== null)
      return { poll: plant.lastPoll, changes: null };
    const alarms = args.result.kind === 'READING' ? args.result.reading.alarms : null;
    const sinceMs = alarms !== null && 'since' in alarms ? Date.parse(alarms.since) : nowMs;
    const before = store.readAlertsBefore(plantId, nowMs, booked?.seenAtMs ?? nowMs, sinceMs);
    const credentialsCurrent =
      args.result.kind !== 'FAILURE' ||
      !refusesAccount(args.result.failure) ||
      store.credentialsVersion === args.credentialsVersion;
    const result: PollResult =
      args.result.kind === 'READING' ? args.result : { ...args.result, credentialsCurrent };
    const changes = decideAlerts(before, { slotMs, nowMs, result, booked });
    const poll = { ...outcomeOf(result), booked, startedAtMs, durationMs, attempts };
    const fence: Fence = { kind: 'SLOT', slotMs, poll };
    const seenRevision = changes.alerts.length === 0 ? plant.revision : null;
    if (!store.writePlantChanges(plantId, changes.plant, fence, seenRevision))
      throw new Error(`plant ${plantId} could not be written under its own lock`);
    store.applyAlertChanges(plantId, changes.alerts, nowMs);
    if (changes.pauseAccount) store.pauseAccount(plant.accountId);
    return { poll, changes };
  }

  /** @returns the changes; null where the plant has another revision. */
  evaluatePlant(
    plantId: string,
    nowMs: number,
    revision: number | null,
    closing: ClosingVerdict | null,
  ): AlertsChanges | null {
    const { store } = this;
    const before = store.readAlertsBefore(plantId, nowMs, nowMs, nowMs);
    const changes = decideAlerts(before, { nowMs, closing, result: null });
    const fence: Fence = {
      kind: 'REVISION',
      revision: revision ?? store.findPlant(plantId).revision,
    };
    if (!store.writePlantChanges(plantId, changes.plant, fence, null)) return null;
    store.applyAlertChanges(plantId, changes.alerts, nowMs);
    return changes;
  }

  /** The closing's first half. */
  async refreshDays(
    plantId: string,
    date: LocalDate,
    nowMs: number,
  ): Promise<VendorFailure | null> {
    this.store.forgetGaps(plantId);
    const dates = [-3, -2, -1].map((days) => addDays(date, days));
    return this.fillDays({ plantId, dates, source: 'CLOSING', nowMs, countedFrom: date });
  }

  /** The closing's second half. */
  closeDay(plantId: string, date: LocalDate): ClosingVerdict {
    const { timezone } = this.store.findPlant(plantId);
    const [fromMs, toMs] = [startOfDayMs(date, timezone), endOfDayMs(date, timezone)];
    const points = this.store.findBookedTotals(plantId, date, fromMs, toMs + (toMs - fromMs));
    this.store.writeTotalsByTime(plantId, date, totalsByTime(points, date, timezone));
    return decideClosing(date, this.store.findDays(plantId, addDays(date, -7), date));
  }

  planPlant(plantId: string, nowMs: number): Extract<Plan, { kind: 'PLAN' }> {
    const plant = this.store.findPlant(plantId);
    const { integrationStatus, activatedAtMs, timezone, revision } = plant;
    const { period, lastSlotMs } = this.#keepPeriod(plant, nowMs);
    const isActive = integrationStatus === 'ACTIVE';
    const missedClosings = closingsPassed(plantId, timezone, nowMs).filter(
      ({ date, atMs }) =>
        this.store.wasActiveBetween(
          plantId,
          startOfDayMs(date, timezone),
          Math.min(endOfDayMs(date, timezone), atMs),
        ) && !this.store.hasDailyLog(plantId, atMs),
    );
    const next = nextClosing(plantId, timezone, nowMs);
    const today = localDateAt(nowMs, timezone);
    const closes =
      isActive ||
      (next.date === today &&
        this.store.wasActiveBetween(plantId, startOfDayMs(today, timezone), nowMs));
    return {
      kind: 'PLAN',
      name: plantId,
      brand: this.#vendorOf(plantId).brand,
      integrationStatus,
      revision,
      intervalMs: period.intervalMs,
      phaseMs: period.phaseMs,
      lastSlotMs,
      periodFromMs: period.fromMs,
      startDue: isActive && (lastSlotMs === null || lastSlotMs < (activatedAtMs ?? 0)),
      nextClosing: closes ? next : null,
      missedClosings,
    };
  }

  #keepPeriod(
    { plantId, pollIntervalS, integrationStatus: reason }: StoredPlant,
    nowMs: number,
  ): { period: Omit<Period, 'toMs'>; lastSlotMs: number | null } {
    const open = this.store.findOpenPeriod(plantId);
    const lastSlotMs = this.store.findLastSlot(plantId);
    const wanted = { id: plantId, intervalMs: pollIntervalS * 1_000, reason };
    const { period, change } = periodNow(wanted, open, lastSlotMs, nowMs);
    if (change === null) return { period, lastSlotMs };
    if (change.missed !== null) this.writeOff(plantId, change.missed);
    this.store.replacePeriod(plantId, change.atMs, period);
    return { period, lastSlotMs };
  }

  /** Whether one of the slots was booked before its worker died, with or without a row. */
  isMissedBooked(plantId: string, { rows, overflow }: MissedSlots): boolean {
    const fromMs = overflow?.slotMs ?? rows?.fromMs;
    const toMs = rows?.toMs ?? overflow?.slotMs;
    if (fromMs === undefined || toMs === undefined) return false;
    const { lastSlotMs } = this.store.findPlant(plantId);
    if (lastSlotMs !== null && lastSlotMs >= fromMs) return true;
    return this.store.findClaims(plantId, { fromMs, toMs }).length > 0;
  }

  /** Writes MISSED rows. A slot whose poll was booked before its worker died gets the row of that poll. */
  writeOff(plantId: string, missed: Parameters<Store['insertMissed']>[1]): void {
    const { store } = this;
    const { rows } = missed;
    if (rows !== null) {
      const plant = store.findPlant(plantId);
      const lastSlotMs = plant.lastSlotMs ?? -Infinity;
      for (const { slotMs, claim } of store.findClaims(plantId, rows)) {
        if (slotMs <= lastSlotMs) continue;
        const { reading, booked, nowMs } = claim;
        const outcome = outcomeOf({ kind: 'READING', reading });
        const poll = { ...outcome, booked, startedAtMs: nowMs, durationMs: 0, attempts: 1 };
        store.insertPollLog(bookedRow(plantId, slotMs, 'SCHEDULE', poll));
      }
      if (plant.lastPoll !== null && lastSlotMs >= rows.fromMs && lastSlotMs <= rows.toMs)
        store.insertPollLog(bookedRow(plantId, lastSlotMs, 'SCHEDULE', plant.lastPoll));
    }
    store.insertMissed(plantId, missed);
  }

  #withVendor<Result>(
    plant: StoredPlant,
    nowMs: number,
    ask: (
      adapter: Parameters<Parameters<Vendors['withVendor']>[3]>[0],
      ref: { vendorPlantId: string; timezone: string },
    ) => Promise<Result>,
  ): Promise<Result> {
    const vendor = this.#vendorOf(plant.plantId);
    const { vendorPlantId, brand } = vendor.life;
    const { timezone, latitude, longitude, installedCapacityKw: capacityKw } = plant;
    return this.#gates.withVendor(
      {
        brand,
        accountId: plant.accountId,
        vendorPlantId,
        timezone,
        capacityKw,
        latitude,
        longitude,
      },
      { ...this.#sealed, version: this.store.credentialsVersion },
      { nowMs, signal: never },
      (adapter) => ask(adapter, { vendorPlantId, timezone }),
    );
  }

  /** @param id Ours or the vendor's. */
  #vendorOf(id: string): SimulatedVendor {
    const vendor = this.#vendors.find(({ life }) => life.id === id || life.vendorPlantId === id);
    if (vendor === undefined) throw new Error(`no vendor has ${id}`);
    return vendor;
  }

  #seal() {
    return sealCredentials(
      masterKeys,
      this.#life.accountId,
      this.#credentials(this.#passwordStored),
    );
  }

  /** Made-up values for the brand's credential fields; hosts must exist. */
  #credentials(password: number): Record<string, string> {
    const brand = this.#life.plants[0]?.brand ?? 'SOLIS';
    const host = brand === 'DELE' ? 'eu1' : 'eu5';
    return Object.fromEntries(
      registry[brand].definition.credentialFields.map((field) => [
        field,
        field === 'host' ? host : `${field}-${password}`,
      ]),
    );
  }
}

const never = new AbortController().signal;
