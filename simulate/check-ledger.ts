import type { Expected, Fail } from './checker.ts';
import { dateAt } from './calendar.ts';
import { firstSlotFrom, hashOf } from './grid.ts';
import type { Ledger, PollRow } from './ledger.ts';

/** Judges what was written when all is over: the slots, the polls beside each other, the days above their polls. */
export function checkLedger(ledger: Ledger, expected: Expected, untilMs: number, fail: Fail): void {
  const { id } = expected.life;
  const polls = ledger.polls(id);
  judgeSlots(ledger, id, polls, untilMs, fail);
  judgeOverlaps(polls, fail);
  judgeDays(ledger, expected, polls, fail);
  judgeClosings(ledger, id, expected.life.place.timezone, fail);
}

/** Exactly one row for every slot of an active period; off the grid nothing but what was asked for. */
function judgeSlots(
  ledger: Ledger,
  plantId: string,
  polls: readonly PollRow[],
  untilMs: number,
  fail: Fail,
): void {
  const due = new Set<number>();
  const newestMs = polls.at(-1)?.slotMs ?? 0;
  for (const { fromMs, toMs, intervalMs, phaseMs, reason } of ledger.periods(plantId)) {
    if (reason !== 'ACTIVE') continue;
    if (phaseMs !== hashOf(plantId) % intervalMs) fail(`a grid with the phase ${phaseMs}`);
    const endMs = Math.min(toMs ?? untilMs, untilMs);
    for (
      let slotMs = firstSlotFrom(plantId, intervalMs, fromMs);
      slotMs < endMs;
      slotMs += intervalMs
    )
      due.add(slotMs);
  }
  const rows = new Map(polls.map((row) => [row.slotMs, row]));
  for (const slotMs of due) {
    // The newest may still be waited for.
    if (!rows.has(slotMs) && slotMs < newestMs) fail(`no row for the slot ${at(slotMs)}`);
  }
  for (const { slotMs, trigger } of polls) {
    if (!due.has(slotMs) && trigger !== 'START' && trigger !== 'MANUAL' && slotMs < untilMs)
      fail(`a row for ${at(slotMs)}, which was not due`);
  }
}

function judgeOverlaps(polls: readonly PollRow[], fail: Fail): void {
  const ran = polls
    .flatMap(({ startedAtMs, durationMs }) =>
      startedAtMs === null ? [] : [{ startedAtMs, endMs: startedAtMs + (durationMs ?? 0) }],
    )
    .toSorted((a, b) => a.startedAtMs - b.startedAtMs);
  for (let index = 1; index < ran.length; index += 1) {
    const [one, next] = [ran[index - 1], ran[index]];
    if (one !== undefined && next !== undefined && next.startedAtMs < one.endMs)
      fail(`polls overlap at ${at(next.startedAtMs)}`);
  }
}

/** Each day is what its checked polls and series say; a LIVE one the highest of its rows. */
function judgeDays(
  ledger: Ledger,
  { life, days }: Expected,
  polls: readonly PollRow[],
  fail: Fail,
): void {
  for (const stored of ledger.findDays(life.id, '0001-01-01', '9999-12-31')) {
    days.compareStored(stored.date, stored);
    if (stored.liveEnergyKwh === null) continue;
    const ofDate = polls.filter(({ booked }) => booked?.bookedDate === stored.date);
    const kwh = Math.max(...ofDate.map(({ booked }) => booked?.todayEnergyKwh ?? 0));
    const powers = ofDate.flatMap(({ booked }) => booked?.powerW ?? []);
    const peakW = powers.length === 0 ? null : Math.max(...powers);
    if (stored.quality === 'LIVE' && stored.todayEnergyKwh !== kwh)
      fail(`${stored.date} has ${stored.todayEnergyKwh} kWh, its polls ${kwh}`);
    if (stored.peakPowerW !== peakW)
      fail(`${stored.date} has a peak of ${stored.peakPowerW} W, its polls ${peakW}`);
  }
}

function judgeClosings(ledger: Ledger, plantId: string, timezone: string, fail: Fail): void {
  const dates = new Set<string>();
  for (const { slotMs } of ledger.closings(plantId)) {
    const date = dateAt(slotMs, timezone);
    if (dates.has(date)) fail(`${date} was closed twice`);
    dates.add(date);
  }
}

function at(atMs: number): string {
  return new Date(atMs).toISOString();
}
