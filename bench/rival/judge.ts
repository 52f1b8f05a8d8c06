import { nextSlotAfter } from '../../domain/slots.ts';
import type { VendorCall } from './vendor-log.ts';

/**
 * Judges a run: compares the slots, fixed before the run, with the vendor's own log and the rows of the ledger. It is the same
 * for both engines.
 */

/** A plant and its grid, as fixed before the run. */
export interface JudgedPlant {
  id: string;
  /** The vendor's id, as in its log. */
  vendorPlantId: string;
  intervalMs: number;
  phaseMs: number;
}

export interface Evidence {
  plants: readonly JudgedPlant[];
  /** Slots from here … */
  fromMs: number;
  /** … to here are judged, those whose whole interval lies within. */
  toMs: number;
  calls: readonly VendorCall[];
  /** Slots that have a row of any kind in the ledger, ms, by plant id. */
  rows: ReadonlyMap<string, ReadonlySet<number>>;
}

export interface Verdict {
  slots_due: number;
  /** Slots with a request in their own interval that are not lost. */
  polled: number;
  /** Slots answered only after their interval, by surplus answers of a later interval. */
  polled_late: number;
  /** Slots without a request, with a row that says so. */
  recorded: number;
  /** Slots without an answer and without a row: no request, or only failed ones. */
  lost: number;
  /** Answers beyond one for each slot. */
  doubled: number;
  /** Requests that began while another of the same plant was open. */
  overlapping: number;
  /** From the slot to its first request, for slots with a request in their interval, including the last ones; null without any. */
  lateness: Percentiles | null;
  /** Answers to requests within the window. */
  answers: number;
  answers_per_s: number;
}

export interface Percentiles {
  p50_ms: number;
  p99_ms: number;
  max_ms: number;
}

/** One slot and its requests at the vendor. */
export interface JudgedSlot {
  plantId: string;
  slotMs: number;
  /** From the slot to the first request in its interval; null: none. */
  lateMs: number | null;
  /** False for a plant's last slot, whose interval the window cuts: a late request may still come. */
  isWhole: boolean;
}

export function judge(evidence: Evidence): { verdict: Verdict; slots: JudgedSlot[] } {
  const { plants, fromMs, toMs, rows } = evidence;
  const callsOf = Map.groupBy(evidence.calls, ({ plant }) => plant);
  const slots: JudgedSlot[] = [];
  const sums = { polled: 0, late: 0, recorded: 0, lost: 0, doubled: 0, overlapping: 0, answers: 0 };
  for (const plant of plants) {
    const calls = callsOf.get(plant.vendorPlantId) ?? [];
    const judged = judgePlant(plant, calls, fromMs, toMs);
    slots.push(...judged.slots);
    const unanswered = new Map(judged.unanswered.map((one) => [one.slotMs, one]));
    for (const { slotMs, lateMs, isWhole } of judged.slots) {
      if (!isWhole) continue;
      const end = unanswered.get(slotMs);
      const isTold =
        end === undefined || end.isServedLate || rows.get(plant.id)?.has(slotMs) === true;
      if (!isTold) sums.lost += 1;
      else if (lateMs !== null) sums.polled += 1;
      else if (end?.isServedLate === true) sums.late += 1;
      else sums.recorded += 1;
    }
    sums.doubled += judged.doubled;
    sums.overlapping += countOverlapping(calls, fromMs, toMs);
    sums.answers += calls.filter(
      ({ isAnswered, beganAtMs }) => isAnswered && beganAtMs >= fromMs && beganAtMs < toMs,
    ).length;
  }
  const whole = slots.filter(({ isWhole }) => isWhole);
  const lateness = slots.flatMap(({ lateMs }) => lateMs ?? []);
  return {
    slots,
    verdict: {
      slots_due: whole.length,
      polled: sums.polled,
      polled_late: sums.late,
      recorded: sums.recorded,
      lost: sums.lost,
      doubled: sums.doubled,
      overlapping: sums.overlapping,
      lateness: percentiles(lateness),
      answers: sums.answers,
      answers_per_s: (sums.answers * 1_000) / (toMs - fromMs),
    },
  };
}

/** Covers a hanging request with its second attempt, or a queue of some seconds: answers this late count for older slots. */
const leadMs = 30_000;

/** A slot without an answer in its own interval. */
interface Unanswered {
  slotMs: number;
  isServedLate: boolean;
}

/**
 * Every request belongs to the interval in which it began. A second answer within an interval counts for the newest
 * earlier slot that has none; if there is none, it is doubled.
 */
function judgePlant(
  plant: JudgedPlant,
  calls: readonly VendorCall[],
  fromMs: number,
  toMs: number,
) {
  const slots: JudgedSlot[] = [];
  const unanswered: Unanswered[] = [];
  let doubled = 0;
  let next = 0;
  // An engine that is behind at the start of the window answers for slots before it: those are tracked, not judged.
  const leadFromMs = Math.min(fromMs, Math.max(fromMs - leadMs, calls[0]?.beganAtMs ?? fromMs));
  for (let slotMs = nextSlotAfter(plant, leadFromMs - 1); ; slotMs += plant.intervalMs) {
    if (slotMs > toMs - limitMsMax) return { slots, unanswered, doubled };
    const isJudged = slotMs >= fromMs;
    const endMs = slotMs + plant.intervalMs;
    const isWhole = endMs <= toMs;
    while (next < calls.length && (calls[next]?.beganAtMs ?? 0) < slotMs) next += 1;
    const first = calls[next];
    let answers = 0;
    for (; next < calls.length; next += 1) {
      const call = calls[next];
      if (call === undefined || call.beganAtMs >= endMs) break;
      if (call.isAnswered) answers += 1;
    }
    const isAsked = first !== undefined && first.beganAtMs < Math.min(endMs, toMs);
    const lateMs = isAsked ? first.beganAtMs - slotMs : null;
    if (isJudged) slots.push({ plantId: plant.id, slotMs, lateMs, isWhole });
    for (let extra = isWhole ? answers - 1 : 0; extra > 0; extra -= 1) {
      const older = unanswered.findLast(({ isServedLate }) => !isServedLate);
      if (older !== undefined) older.isServedLate = true;
      else if (isJudged) doubled += 1;
    }
    if (isWhole && answers === 0) unanswered.push({ slotMs, isServedLate: false });
  }
}

/** A call whose worker died has no end and overlaps with nothing. */
function countOverlapping(calls: readonly VendorCall[], fromMs: number, toMs: number): number {
  let overlapping = 0;
  let openUntilMs = -Infinity;
  for (const { beganAtMs, endedAtMs } of calls) {
    if (beganAtMs >= fromMs && beganAtMs < toMs && beganAtMs < openUntilMs) overlapping += 1;
    if (endedAtMs !== null) openUntilMs = Math.max(openUntilMs, endedAtMs);
  }
  return overlapping;
}

/** The smallest value that this share of the values does not exceed. */
export function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
  return { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) };
}

/** Length of the windows in which recovery is judged, ms. */
const recoveryWindowMs = 3_000;
/** Share of a window's slots that must be polled within the limit; single slow polls are normal. */
const wellShare = 0.95;
/** The limit is twice the lateness before the fault, within these bounds. */
const limitMsMin = 100;
const limitMsMax = 2_000;

/**
 * Time from the fault to the first slot from which on in every 3 s at least 95 % of the slots are polled within twice the p99
 * lateness before the fault. 0: never disturbed. null: not recovered by the end.
 */
export function recoveryMs(slots: readonly JudgedSlot[], faultAtMs: number): number | null {
  const before = slots.filter(({ slotMs }) => slotMs < faultAtMs).flatMap((s) => s.lateMs ?? []);
  const usual = percentiles(before)?.p99_ms ?? limitMsMin;
  const limitMs = Math.min(limitMsMax, Math.max(limitMsMin, 2 * usual));
  const after = slots
    .filter(({ slotMs }) => slotMs >= faultAtMs)
    .toSorted((a, b) => a.slotMs - b.slotMs);
  const isWell = ({ lateMs }: JudgedSlot) => lateMs !== null && lateMs <= limitMs;
  const lastMs = after.at(-1)?.slotMs ?? faultAtMs;
  let recovered: number | null = null;
  for (let begin = after.length - 1; begin >= 0; begin -= 1) {
    const beginMs = after[begin]?.slotMs ?? faultAtMs;
    // The rest of the run is shorter than a window.
    if (beginMs > lastMs - recoveryWindowMs) continue;
    const window = after.slice(begin).filter(({ slotMs }) => slotMs < beginMs + recoveryWindowMs);
    if (window.filter(isWell).length < wellShare * window.length) break;
    recovered = begin;
  }
  if (recovered === null || recovered === 0) return recovered;
  // Skips the few late slots with which a good window may begin.
  const first = after.slice(recovered).find(isWell);
  return first === undefined ? null : first.slotMs - faultAtMs;
}

/** Number of cycles at each end whose lateness is compared. */
const driftCycles = 50;

/** How much later the last 50 cycles began than the first 50, median against median, ms; null for too few cycles. */
export function driftMs(slots: readonly JudgedSlot[], cycles: number): number | null {
  const bySlot = Map.groupBy(slots, ({ plantId }) => plantId);
  const early: number[] = [];
  const late: number[] = [];
  for (const ofPlant of bySlot.values()) {
    if (ofPlant.length < cycles) return null;
    early.push(...ofPlant.slice(0, driftCycles).flatMap(({ lateMs }) => lateMs ?? []));
    late.push(...ofPlant.slice(cycles - driftCycles, cycles).flatMap(({ lateMs }) => lateMs ?? []));
  }
  const [first, last] = [percentiles(early), percentiles(late)];
  return first === null || last === null ? null : last.p50_ms - first.p50_ms;
}
