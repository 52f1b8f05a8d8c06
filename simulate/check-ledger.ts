import { dateAfter, dateAt, dayLengthMs, firstInstantOf } from './calendar.ts';
import { firstSlotFrom, hashOf } from './grid.ts';
import type { Store, Period, PollRow } from './store.ts';
import type { DaysCheck } from './check-days.ts';
import type { Fail } from './judging.ts';
import type { Life, PlantLife } from './life.ts';

const minuteMs = 60_000;
/** The last slots may still lack their row: a worker that died stays away for up to three, and may be late after that. */
const openSlots = 6;
/** How long after the end of a day it may be closed, where a worker is there. */
const closedWithinMs = 120 * minuteMs;
/** Closings are before midnight by no more than this. */
const closingLeadMs = 10 * minuteMs;
/** Closings older than three days are not made up for. */
const goodMadeMs = 2 * dayLengthMs;

interface Expected {
  life: PlantLife;
  days: DaysCheck;
}

/** Judges the rows at the end of a life: slots, overlapping polls, days and closings. */
export function checkLedger(
  store: Store,
  expected: Expected,
  { toMs, outages }: Life,
  fail: Fail,
): void {
  const { id } = expected.life;
  const polls = store.polls(id);
  // A worker that is away this near the end does not come back.
  const away = outages.filter((outage) => outage.toMs + closedWithinMs > toMs);
  const watchedUntilMs = Math.min(toMs, ...away.map(({ fromMs }) => fromMs));
  judgeSlots(store, id, { toMs, watchedUntilMs }, fail);
  judgeOverlaps(polls, fail);
  judgeDays(store, expected, polls, fail);
  judgeClosings(store, expected, { watchedUntilMs, outages }, fail);
}

/** Exactly one row for every slot of an active period; rows off the grid only for the first poll and for requests. */
function judgeSlots(
  store: Store,
  plantId: string,
  { toMs: untilMs, watchedUntilMs }: { toMs: number; watchedUntilMs: number },
  fail: Fail,
): void {
  /** Whether the slot must have a row by now: the newest may still be waited for. */
  const due = new Map<number, boolean>();
  const polls = store.polls(plantId);
  const newestMs = polls.at(-1)?.slotMs ?? 0;
  for (const { fromMs, toMs, intervalMs, phaseMs, reason } of store.periods(plantId)) {
    if (reason !== 'ACTIVE') continue;
    if (phaseMs !== hashOf(plantId) % intervalMs) fail(`a grid with the phase ${phaseMs}`);
    const endMs = Math.min(toMs ?? untilMs, untilMs);
    const overMs = Math.max(newestMs, watchedUntilMs - openSlots * intervalMs - 10 * minuteMs);
    for (
      let slotMs = firstSlotFrom(plantId, intervalMs, fromMs);
      slotMs < endMs;
      slotMs += intervalMs
    )
      due.set(slotMs, slotMs < overMs);
  }
  const rows = new Map(polls.map((row) => [row.slotMs, row]));
  for (const [slotMs, isOver] of due) {
    if (isOver && !rows.has(slotMs)) fail(`no row for the slot ${at(slotMs)}`);
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

/** Each day has the values of its polls and series; a LIVE day has the highest total of its rows. */
function judgeDays(
  store: Store,
  { life, days }: Expected,
  polls: readonly PollRow[],
  fail: Fail,
): void {
  for (const stored of store.findDays(life.id, '0001-01-01', '9999-12-31')) {
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

/** Each day on which the plant was active is closed, once. */
function judgeClosings(
  store: Store,
  { life }: Expected,
  { watchedUntilMs, outages }: { watchedUntilMs: number; outages: Life['outages'] },
  fail: Fail,
): void {
  const { timezone } = life.place;
  const closed = new Set<string>();
  for (const { slotMs } of store.closings(life.id)) {
    const date = dateAt(slotMs, timezone);
    if (closed.has(date)) fail(`${date} was closed twice`);
    closed.add(date);
  }
  const active = store.periods(life.id).filter(({ reason }) => reason === 'ACTIVE');
  const first = active[0];
  if (first === undefined) return;
  for (let date = dateAt(first.fromMs, timezone); ; date = dateAfter(date, 1)) {
    const startMs = firstInstantOf(date, timezone);
    const endMs = firstInstantOf(dateAfter(date, 1), timezone);
    if (endMs + closedWithinMs > watchedUntilMs) return;
    const isLost = outages.some(({ fromMs, toMs }) => fromMs <= endMs && toMs > endMs + goodMadeMs);
    const wasActive = active.some((period) => touches(period, startMs, endMs - closingLeadMs));
    if (wasActive && !isLost && !closed.has(date)) fail(`${date} was not closed`);
  }
}

function touches({ fromMs, toMs }: Period, startMs: number, endMs: number): boolean {
  return fromMs < endMs && (toMs ?? Infinity) > startMs;
}

function at(atMs: number): string {
  return new Date(atMs).toISOString();
}
