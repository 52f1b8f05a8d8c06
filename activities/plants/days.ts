import { readFetchBefore } from '../../db/plants/polls.ts';
import { findBookedTotals } from '../../db/plants/poll-logs.ts';
import { findPlant, type PlantRow } from '../../db/plants/plants.ts';
import {
  findDays,
  forgetGaps,
  lockDays,
  recordGap,
  writeProposal,
  writeSeriesDay,
  writeTotalsByTime,
} from '../../db/plants/snapshots.ts';
import { totalsByTime } from '../../domain/plants/closing.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import { decideClosing } from '../../domain/plants/low-generation.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { isPossibleDayEnergy } from '../../domain/plants/energy.ts';
import type { DailyEnergy } from '../../domain/plants/reading.ts';
import { decideRefresh } from '../../domain/plants/refresh.ts';
import { addDays, endOfDayMs, localDateAt, startOfDayMs } from '../../domain/zone.ts';
import type { BackfillArgs, BackfillResult, ClosingArgs } from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';
import { gone } from './stored-plant.ts';
import { credentialsHeld, vendorFailure, vendorPlant } from './vendor.ts';
import { readSeries } from './vendor-reading.ts';

/** Number of days before the closed one whose series is read again, for late uploads. */
const refreshedDays = 3;
/** A regular call ends itself before its start-to-close time-out of 60 s. */
const seriesMsMax = 55_000;

/** Fills, corrects and closes days that are over. */
export function createDays(deps: ActivityDeps, context: () => CallContext) {
  return {
    async backfillDays(args: BackfillArgs): Promise<BackfillResult> {
      return fillDays(deps, context(), args);
    },

    async refreshDays({ plantId, date, nowMs }: ClosingArgs): Promise<BackfillResult> {
      const dates = Array.from({ length: refreshedDays }, (_, index) =>
        addDays(date, index - refreshedDays),
      );
      // After a closing, days without an answer may be asked for again.
      await forgetGaps(deps.db, plantId);
      const request = { plantId, dates, nowMs, source: 'CLOSING', countedFrom: date } as const;
      return fillDays(deps, context(), request);
    },

    async closeDay({ plantId, date }: ClosingArgs): Promise<ClosingVerdict> {
      const { db } = deps;
      const plant = await findPlant(db, plantId);
      if (plant === undefined) throw gone(plantId);
      const from = startOfDayMs(date, plant.timezone);
      const to = endOfDayMs(date, plant.timezone);
      // Late readings of the day may arrive on the next day.
      const points = await findBookedTotals(db, plantId, date, {
        fromMs: from,
        toMs: to + (to - from),
      });
      await writeTotalsByTime(db, plantId, date, totalsByTime(points, date, plant.timezone));
      return decideClosing(date, await findDays(db, plantId, addDays(date, -7), date));
    },
  };
}

/** Which days are read from the vendor, and why. */
export interface FillRequest {
  plantId: string;
  dates: readonly LocalDate[];
  source: 'BACKFILL' | 'CLOSING' | 'OPERATOR';
  nowMs: number;
  /** The date from which ages count; default: today at the plant. */
  countedFrom?: LocalDate;
  /** Asks and decides everything, and writes nothing. */
  dryRun?: boolean;
}

/**
 * Fills and corrects days that are over from the vendor's series. A vendor's failure is a value; each try is recorded.
 *
 * @throws PlainError for an unknown plant, and for a removed one.
 */
export async function fillDays(
  deps: Pick<ActivityDeps, 'db' | 'vendors'>,
  call: Pick<CallContext, 'signal'>,
  request: FillRequest,
): Promise<BackfillResult> {
  const { plantId, nowMs } = request;
  const dates = [...request.dates].sort();
  const before = await readFetchBefore(deps.db, plantId, nowMs);
  if (before === null) throw gone(plantId);
  const { plant, credentials, heldByIncident } = before;
  if (plant.removed_at !== null) throw gone(plantId);
  if (heldByIncident !== null)
    return {
      days: [],
      failure: { type: 'AUTH_FAILED', scope: 'ACCOUNT', message: credentialsHeld(plant.brand) },
    };
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(seriesMsMax)]);
  try {
    const ref = vendorPlant(plant);
    const series = await deps.vendors.withVendor(ref, credentials, { nowMs, signal }, (adapter) =>
      readSeries(adapter, ref, dates),
    );
    const days = await recordDays(deps, plant, series, { ...request, dates });
    return { days, failure: null };
  } catch (error) {
    const failure = vendorFailure(error);
    if (failure === null || call.signal.aborted) throw error;
    if (request.dryRun !== true) {
      for (const date of dates)
        await recordGap(deps.db, plantId, date, { atMs: nowMs, note: failure.message });
    }
    return { days: [], failure };
  }
}

async function recordDays(
  deps: Pick<ActivityDeps, 'db'>,
  plant: PlantRow,
  series: readonly DailyEnergy[],
  { dates, source, nowMs, countedFrom, dryRun = false }: FillRequest,
): Promise<BackfillResult['days']> {
  const today = countedFrom ?? localDateAt(nowMs, plant.timezone);
  const byDate = new Map(series.map((day) => [day.date, day.energyKwh]));
  const [first, last] = [dates[0], dates.at(-1)];
  if (first === undefined || last === undefined) return [];
  return deps.db.transaction().execute(async (trx) => {
    await lockDays(trx, plant.id);
    const stored = new Map(
      (await findDays(trx, plant.id, first, last)).map((day) => [day.date, day]),
    );
    const results: BackfillResult['days'] = [];
    for (const date of dates) {
      const before = stored.get(date) ?? null;
      const value = byDate.get(date) ?? null;
      // An impossible total in a series is no total.
      const seriesKwh =
        value !== null && isPossibleDayEnergy(value, plant.installed_capacity_kw) ? value : null;
      const { proposedEnergyKwh, ...row } = before ?? { proposedEnergyKwh: null, date };
      const decision = decideRefresh(
        before === null ? null : (row as typeof before),
        { date, energyKwh: seriesKwh },
        daysBetween(date, today),
        proposedEnergyKwh,
      );
      const oldEnergyKwh = before?.todayEnergyKwh ?? null;
      results.push({
        date,
        oldEnergyKwh,
        newEnergyKwh: decision.row?.todayEnergyKwh ?? oldEnergyKwh,
        changed: decision.revision,
        note: decision.note,
      });
      if (dryRun) continue;
      if (decision.row !== null)
        await writeSeriesDay(trx, plant.id, decision.row, { oldEnergyKwh, source, atMs: nowMs });
      else if (before !== null && decision.proposalKwh !== proposedEnergyKwh)
        await writeProposal(trx, plant.id, date, decision.proposalKwh);
      if (seriesKwh === null)
        await recordGap(trx, plant.id, date, { atMs: nowMs, note: decision.note });
    }
    return results;
  });
}

function daysBetween(earlier: LocalDate, later: LocalDate): number {
  return Math.round(
    (Date.parse(`${later}T00:00:00Z`) - Date.parse(`${earlier}T00:00:00Z`)) / 86_400_000,
  );
}
