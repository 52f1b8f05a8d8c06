/**
 * Judges counters (kinds COUNTER and DAILY): a reading that cannot be right is BAD(STEP), until later readings confirm it or
 * a person accepts it. The states are plain JSON, so that they can be stored.
 */

const hourMs = 3_600_000;
/** A fall to near 0 is a reset once this many readings agree over this long. */
const confirmReadings = 3;
const confirmMs = 10 * 60_000;
/** A daily counter starts again at most once in this time. */
const dailyPauseMs = 12 * hourMs;
/** A daily counter that shows its old total again within this time had not started again. */
const resumeMs = hourMs;
/** Tolerance of what a counter may rise. */
const rateTolerance = 1.1;
/** What counts as near 0 in any case: this share of what the counter showed before. */
const nearZeroShare = 0.01;
/** A lifetime counter that lost more than this share of its value was not reset: it shows something else. */
const resetShareMax = 0.5;
/** A daily counter of unknown rate gains its whole day in no less than this time. */
const shortestDayMs = 6 * hourMs;

/** What is known of a counter after a reading. Values are in the point's unit. */
export interface CounterState {
  /** The last GOOD value; null: the only readings so far look like negative numbers. */
  value: number | null;
  /** When a reading first showed the value. */
  changedAtMs: number;
  /** When a reading was last GOOD. */
  seenAtMs: number;
  resolution: number;
  /** Readings that become the value once they are confirmed; null: none. */
  pending: Pending | null;
  /** The first reading after a jump upwards. All readings from there on are BAD until a person accepts them; null: none. */
  jump: { value: number; atMs: number } | null;
  /** When a daily counter last started again, and what it showed before, in case that it was no new day. */
  daily: { atMs: number; value: number; changedAtMs: number } | null;
  /** The last confirmed reset. */
  reset: { atMs: number; from: number; to: number } | null;
}

interface Pending {
  firstAtMs: number;
  lastAtMs: number;
  first: number;
  last: number;
  readings: number;
}

/** States of a gateway's counters, by `counterKey`. */
export type CounterStates = Readonly<Record<string, CounterState>>;

export function counterKey(point: { unitId: number; key: string }): string {
  return `${point.unitId}/${point.key}`;
}

/** Accepts what a counter shows now: its next reading is believed. */
export function acceptCounter(
  states: CounterStates,
  point: { unitId: number; key: string },
): CounterStates {
  const { [counterKey(point)]: _, ...others } = states;
  return others;
}

export interface CounterReading {
  kind: 'COUNTER' | 'DAILY';
  value: number;
  atMs: number;
  /** By how much the value changes at least; see `resolutionOf`. */
  resolution: number;
  /** In the point's unit per hour; null: the size of a rise is not judged. */
  maxRatePerHour: number | null;
  /** Whether the bits would be a small negative number if their type had a sign. */
  looksNegative: boolean;
}

export interface CounterVerdict {
  isGood: boolean;
  /** For the next reading. */
  state: CounterState;
}

/** Judges one reading of a counter. @param before null: there was none; the first reading is believed. */
export function judgeCounter(before: CounterState | null, given: CounterReading): CounterVerdict {
  const reading = { ...given, resolution: withoutNoise(given) };
  if (before === null || before.value === null) return judgeFirst(before, reading);
  const last = before.value;
  const resolution = Math.max(before.resolution, reading.resolution);
  const step = reading.value - last;
  if (step < -resolution) return judgeFall(before, reading, last);
  if (step <= 0) return { isGood: true, state: seen(before, reading) };
  const isAboveJump = before.jump !== null && reading.value >= before.jump.value - resolution;
  const isRise = step <= allowedRise(reading, before.changedAtMs, resolution);
  const hasTurnedNegative = reading.looksNegative && step > last;
  if (isRise && !isAboveJump && !hasTurnedNegative)
    return { isGood: true, state: risen(before, reading) };
  const resumed = resumedDay(before, reading);
  if (resumed !== null) return { isGood: true, state: resumed };
  const jump = isAboveJump ? before.jump : { value: reading.value, atMs: reading.atMs };
  return { isGood: false, state: { ...before, pending: null, jump } };
}

/** The resolution with room for the last bits of binary fractions: 99.99 − 100 is a little below −0.01. */
function withoutNoise({ resolution, value }: CounterReading): number {
  return resolution * (1 + 1e-6) + 4 * Number.EPSILON * Math.abs(value);
}

/** What a counter may rise since a time: rate, a tenth more, and two resolutions. */
function allowedRise(reading: CounterReading, sinceMs: number, resolution: number): number {
  if (reading.maxRatePerHour === null) return Infinity;
  const hours = Math.max(0, reading.atMs - sinceMs) / hourMs;
  return reading.maxRatePerHour * hours * rateTolerance + 2 * resolution;
}

/** A meter that writes a negative total into an unsigned register shows a huge number that falls: only a rise proves it. */
function judgeFirst(before: CounterState | null, reading: CounterReading): CounterVerdict {
  const state = begun(reading);
  if (!reading.looksNegative) return { isGood: true, state };
  const pending = pendingAfter(before?.pending ?? null, reading);
  if (isConfirmed(pending) && pending.last > pending.first) return { isGood: true, state };
  return { isGood: false, state: { ...state, value: null, pending } };
}

function begun({ value, atMs, resolution }: CounterReading): CounterState {
  return {
    value,
    changedAtMs: atMs,
    seenAtMs: atMs,
    resolution,
    pending: null,
    jump: null,
    daily: null,
    reset: null,
  };
}

/** After a reading that counts as equal: a fall within one resolution does not move the mark. */
function seen(before: CounterState, { atMs, resolution }: CounterReading): CounterState {
  return { ...before, seenAtMs: atMs, resolution, pending: null, jump: null };
}

function risen(before: CounterState, reading: CounterReading): CounterState {
  return { ...seen(before, reading), value: reading.value, changedAtMs: reading.atMs };
}

/** A daily counter that goes on where it was before it fell had not started a new day. Null: this is no such case. */
function resumedDay(before: CounterState, reading: CounterReading): CounterState | null {
  const { daily } = before;
  if (daily === null || reading.atMs - daily.atMs > resumeMs) return null;
  const { value, changedAtMs } = daily;
  const resolution = Math.max(before.resolution, reading.resolution);
  const rise = reading.value - value;
  if (rise < -resolution || rise > allowedRise(reading, changedAtMs, resolution)) return null;
  const restored = { ...before, value, changedAtMs, daily: null };
  return rise > 0 ? risen(restored, reading) : seen(restored, reading);
}

function judgeFall(before: CounterState, reading: CounterReading, last: number): CounterVerdict {
  const pending = pendingAfter(before.pending, reading);
  const goesOn = pending.readings > 1;
  if (!goesOn && !isNearZero(before, reading, last))
    return { isGood: false, state: { ...before, pending: null } };
  const { reset } = before;
  const daily = { atMs: reading.atMs, value: last, changedAtMs: before.changedAtMs };
  if (reading.kind === 'DAILY' && mayStartDay(before, reading))
    return { isGood: true, state: { ...begun(reading), daily, reset } };
  if (!isConfirmed(pending)) return { isGood: false, state: { ...before, pending } };
  const state = {
    ...begun(reading),
    daily: reading.kind === 'DAILY' ? daily : null,
    reset: { atMs: reading.atMs, from: last, to: reading.value },
  };
  return { isGood: true, state };
}

function mayStartDay({ daily }: CounterState, { atMs }: CounterReading): boolean {
  return daily === null || atMs - daily.atMs >= dailyPauseMs;
}

/** Whether the value is what a counter may have gained that started at 0 since the last GOOD reading. */
function isNearZero(before: CounterState, reading: CounterReading, last: number): boolean {
  if (reading.value < -reading.resolution) return false;
  const small = Math.max(2 * reading.resolution, nearZeroShare * last);
  if (reading.value <= small) return true;
  const isDaily = reading.kind === 'DAILY';
  const elapsedShare = Math.min(1, (reading.atMs - before.seenAtMs) / shortestDayMs);
  if (reading.maxRatePerHour === null) return isDaily && reading.value <= last * elapsedShare;
  const gained = allowedRise(reading, before.seenAtMs, reading.resolution);
  return reading.value <= (isDaily ? gained : Math.min(gained, resetShareMax * last));
}

/** The readings that agree with each other, with this one; alone if it agrees with none before. */
function pendingAfter(pending: Pending | null, reading: CounterReading): Pending {
  const { value, atMs, resolution } = reading;
  const rise = pending === null ? 0 : value - pending.last;
  if (
    pending === null ||
    rise < -resolution ||
    rise > allowedRise(reading, pending.lastAtMs, resolution)
  )
    return { firstAtMs: atMs, lastAtMs: atMs, first: value, last: value, readings: 1 };
  return { ...pending, lastAtMs: atMs, last: value, readings: pending.readings + 1 };
}

function isConfirmed({ readings, firstAtMs, lastAtMs }: Pending): boolean {
  return readings >= confirmReadings && lastAtMs - firstAtMs >= confirmMs;
}
