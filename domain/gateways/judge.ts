import { counterKey, type CounterStates, judgeCounter } from './counters.ts';
import { bitsOf, decodePoint, resolutionOf } from './decode.ts';
import { registersOf, type UnitPoint } from './point.ts';
import { type PointQuality, type PointValue, qualityCode, type RawPoll } from './reading.ts';

/** What a poll of a gateway is worth: the values of its points with their quality, and the outcome. */

export interface JudgedPoll {
  outcome: 'OK' | 'PARTIAL' | 'FAILED';
  /** WORD_ORDER: a unit sends the words of its values in another order than its points say; null: nothing of the kind. */
  reason: 'WORD_ORDER' | null;
  /** In the order of the points, in their units; null for texts and for what is not GOOD. */
  values: (number | null)[];
  /** Codes by `qualityCode`; null: all points are GOOD. */
  quality: number[] | null;
  /** Values of text points that are GOOD. */
  texts: { unitId: number; key: string; value: string }[];
  /** For the next poll. */
  counters: CounterStates;
}

/**
 * Judges a poll.
 *
 * @param points the gateway's list.
 * @param raw its points are those of the list, in the same order.
 * @param before states of the counters after the poll before; `{}`: there was none.
 * @param nowMs when the values were measured.
 */
export function judgePoll(
  points: readonly UnitPoint[],
  raw: RawPoll,
  before: CounterStates,
  nowMs: number,
): JudgedPoll {
  const decoded = points.map((point, index) => decodedOf(point, raw.points[index]));
  const turned = unitsWithTurnedWords(points, decoded);
  const counters: Record<string, CounterStates[string]> = { ...before };
  const texts: JudgedPoll['texts'] = [];
  const values: (number | null)[] = [];
  const quality: number[] = [];
  let answered = 0;
  let absent = 0;
  for (const [index, point] of points.entries()) {
    const isTurned = turned.has(point.unitId) && hasWordOrder(point);
    const { value, quality: of } = isTurned
      ? outOfRange
      : judgePoint(
          point,
          { raw: raw.points[index], decoded: decoded[index] ?? null },
          counters,
          nowMs,
        );
    if (typeof value === 'string') texts.push({ unitId: point.unitId, key: point.key, value });
    values.push(typeof value === 'number' ? value : null);
    quality.push(qualityCode(of));
    if (raw.points[index]?.kind === 'ABSENT') absent += 1;
    else if (isAnswer(of)) answered += 1;
  }
  // Answers of which none can be believed are no read.
  const isUseless = turned.size > 0 && quality.every((code) => code !== 0);
  const isWhole = answered + absent === points.length && raw.failure === null && turned.size === 0;
  return {
    outcome: answered === 0 || isUseless ? 'FAILED' : isWhole ? 'OK' : 'PARTIAL',
    reason: turned.size === 0 ? null : 'WORD_ORDER',
    values,
    quality: quality.every((code) => code === 0) ? null : quality,
    texts,
    counters,
  };
}

const outOfRange: PointValue = { value: null, quality: { quality: 'BAD', why: 'RANGE' } };

/** Whether the value takes several registers and is a number, so that turned words make another number of it. */
function hasWordOrder({ type, registers }: UnitPoint): boolean {
  return registers > 1 && type !== 'string';
}

/** No device measures a number that is smaller than this and not zero: it is what turned words make of a float. */
const floatMin = 1e-6;
/** So many points that cannot be, and this share of those that take several registers, are no accident. */
const turnedMin = 2;
const turnedShare = 1 / 4;

/**
 * The units that send the words of their values in another order than their points say, as after a change of their settings. One
 * value tells little: turned words often make a number that could be. Several impossible ones in one answer mean that none of the
 * values can be believed.
 */
function unitsWithTurnedWords(
  points: readonly UnitPoint[],
  decoded: readonly (PointValue | null)[],
): Set<number> {
  const seen = new Map<number, { wide: number; impossible: number }>();
  for (const [index, point] of points.entries()) {
    const of = decoded[index];
    if (of === undefined || of === null || !hasWordOrder(point)) continue;
    const unit = seen.get(point.unitId) ?? { wide: 0, impossible: 0 };
    unit.wide += 1;
    if (of === outOfRange || (of.quality.quality === 'BAD' && of.quality.why === 'RANGE'))
      unit.impossible += 1;
    seen.set(point.unitId, unit);
  }
  const turned = [...seen].filter(
    ([, { wide, impossible }]) => impossible >= turnedMin && impossible >= wide * turnedShare,
  );
  return new Set(turned.map(([unitId]) => unitId));
}

/** The value of a point that was answered with bits; null for any other. */
function decodedOf(
  point: UnitPoint,
  raw: RawPoll['points'][number] | undefined,
): PointValue | null {
  if (raw?.kind !== 'BITS') return null;
  const decoded = decodePoint(point, raw.bytes, raw.scaleFactor);
  const { value } = decoded;
  const isTiny = typeof value === 'number' && value !== 0 && Math.abs(value) < floatMin;
  return isTiny && point.type.startsWith('float') ? outOfRange : decoded;
}

/** Whether the device answered for the point, even if its value is none. */
function isAnswer(of: PointQuality): boolean {
  if (of.quality === 'MISSING') return of.why === 'SENTINEL';
  return of.quality === 'GOOD' || (of.why !== 'EXCEPTION' && of.why !== 'LENGTH');
}

/** @param counters gets the state after this reading. */
function judgePoint(
  point: UnitPoint,
  { raw, decoded }: { raw: RawPoll['points'][number] | undefined; decoded: PointValue | null },
  counters: Record<string, CounterStates[string]>,
  nowMs: number,
): PointValue {
  if (raw === undefined || raw.kind === 'NOT_ANSWERED' || raw.kind === 'ABSENT')
    return { value: null, quality: { quality: 'MISSING', why: 'NOT_ANSWERED' } };
  if (raw.kind === 'EXCEPTION')
    return { value: null, quality: { quality: 'BAD', why: 'EXCEPTION', code: raw.code } };
  if (raw.kind === 'WRONG_LENGTH' || decoded === null)
    return { value: null, quality: { quality: 'BAD', why: 'LENGTH' } };
  if (point.kind === 'GAUGE' || typeof decoded.value !== 'number') return decoded;
  const key = counterKey(point);
  const { isGood, state } = judgeCounter(counters[key] ?? null, {
    kind: point.kind,
    value: decoded.value,
    atMs: nowMs,
    resolution: resolutionOf(point, raw.scaleFactor, decoded.value),
    maxRatePerHour: point.maxRatePerHour,
    looksNegative: looksNegative(point, raw.bytes),
  });
  counters[key] = state;
  return isGood ? decoded : { value: null, quality: { quality: 'BAD', why: 'STEP' } };
}

/** The highest 256th of what an unsigned type holds: there a negative number ends up that was written without its sign. */
function looksNegative(point: UnitPoint, bytes: Uint8Array): boolean {
  const isUnsigned = point.type.startsWith('uint') || point.type.startsWith('acc');
  if (!isUnsigned || registersOf(point.type) === 1) return false;
  return bitsOf(point, bytes) >> BigInt(bytes.length * 8 - 8) === 0xffn;
}
