import { finalAgeDays, isSameTotal, roundingKwh } from './day-guards.ts';
import type { DayRow } from './facts.ts';
import type { DailyEnergy } from './reading.ts';
import type { LocalDate } from '../zone.ts';
import { energyText, percentText } from '../wording.ts';

/** What the vendor's day series may do to a day that is over. */

/** Below this share of a complete LIVE day, missing data in the series are more likely than a lower production. */
const lowerShareMin = 0.95;

/** What a refresh from the vendor's series does to a day. */
export interface Refresh {
  /** The day's row afterwards; null: unchanged. */
  row: DayRow | null;
  /** Whether the day's energy changed or was filled, which writes a row of `snapshot_revisions`. */
  revision: boolean;
  /** A lower total to store, which the next refresh must confirm; null clears the stored one. */
  proposalKwh: number | null;
  /** One sentence for the log. */
  note: string;
}

/**
 * Decides what the series' value does to a day: fill it, correct it, lower it, and at D+3 make it FINAL. It never writes
 * null, never 0 over a positive value, and never less than 95 % of a complete LIVE day unless two refreshes agree.
 *
 * @param row the day's row; null if there is none.
 * @param series what the vendor's series says of the day.
 * @param ageDays how many days ago the day was, by the plant's calendar: 1 for D-1.
 * @param previousProposalKwh the lower total that the last refresh proposed.
 */
export function decideRefresh(
  row: DayRow | null,
  { date, energyKwh: seriesKwh }: DailyEnergy,
  ageDays: number,
  previousProposalKwh: number | null,
): Refresh {
  if (ageDays < 1) return leave(null, `${date} is not over: live readings make its total.`);
  if (row?.quality === 'FINAL') return leave(null, `${date} is final.`);
  const isFinal = ageDays >= finalAgeDays;
  const kept: DayRow | null = isFinal && row !== null ? { ...row, quality: 'FINAL' } : null;
  if (seriesKwh === null || !(seriesKwh >= 0 && seriesKwh < Infinity)) {
    return leave(kept, `The vendor's series has no value for ${date}.`);
  }
  if (row === null) return write(null, date, seriesKwh, isFinal);
  const stored = energyText(row.todayEnergyKwh);
  if (seriesKwh === 0 && row.todayEnergyKwh > 0) {
    return leave(kept, `The vendor's series says 0 kWh for ${date}: ${stored} stays.`);
  }
  if (needsConfirmation(row, seriesKwh, previousProposalKwh)) {
    const share = percentText(seriesKwh / row.todayEnergyKwh);
    const note = `The vendor's series says ${energyText(seriesKwh)} for ${date}, ${share} of the ${stored} read live: it stays until a second refresh agrees.`;
    return { ...leave(kept, note), proposalKwh: isFinal ? null : seriesKwh };
  }
  return write(row, date, seriesKwh, isFinal);
}

function needsConfirmation(row: DayRow, seriesKwh: number, previousKwh: number | null): boolean {
  const isMuchLower = seriesKwh < lowerShareMin * row.todayEnergyKwh - roundingKwh;
  const isConfirmed = previousKwh !== null && isSameTotal(previousKwh, seriesKwh);
  return row.quality === 'LIVE' && row.complete && isMuchLower && !isConfirmed;
}

function write(row: DayRow | null, date: LocalDate, seriesKwh: number, isFinal: boolean): Refresh {
  const kept = row ?? {
    date,
    peakPowerW: null,
    lifetimeEnergyKwh: null,
    lastSeenAtMs: null,
    liveEnergyKwh: null,
  };
  const after: DayRow = {
    ...kept,
    todayEnergyKwh: seriesKwh,
    quality: isFinal ? 'FINAL' : 'BACKFILLED',
    complete: true,
  };
  return {
    row: after,
    revision: row?.todayEnergyKwh !== seriesKwh,
    proposalKwh: null,
    note:
      row === null
        ? `${date} was filled with ${energyText(seriesKwh)} from the vendor's series.`
        : `The vendor's series says ${energyText(seriesKwh)} for ${date}; ${energyText(row.todayEnergyKwh)} was stored.`,
  };
}

function leave(row: DayRow | null, note: string): Refresh {
  return { row, revision: false, proposalKwh: null, note };
}
