import { counterKey, type CounterStates, judgeCounter } from './counters.ts';
import { bitsOf, decodePoint, resolutionOf } from './decode.ts';
import { registersOf, type UnitPoint } from './point.ts';
import { type PointQuality, type PointValue, qualityCode, type RawPoll } from './reading.ts';

/** What a poll of a gateway is worth: the values of its points with their quality, and the outcome. */

export interface JudgedPoll {
  outcome: 'OK' | 'PARTIAL' | 'FAILED';
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
  const counters: Record<string, CounterStates[string]> = { ...before };
  const texts: JudgedPoll['texts'] = [];
  const values: (number | null)[] = [];
  const quality: number[] = [];
  let answered = 0;
  let absent = 0;
  for (const [index, point] of points.entries()) {
    const { value, quality: of } = judgePoint(point, raw.points[index], counters, nowMs);
    if (typeof value === 'string') texts.push({ unitId: point.unitId, key: point.key, value });
    values.push(typeof value === 'number' ? value : null);
    quality.push(qualityCode(of));
    if (raw.points[index]?.kind === 'ABSENT') absent += 1;
    else if (isAnswer(of)) answered += 1;
  }
  const isWhole = answered + absent === points.length && raw.failure === null;
  return {
    outcome: answered === 0 ? 'FAILED' : isWhole ? 'OK' : 'PARTIAL',
    values,
    quality: quality.every((code) => code === 0) ? null : quality,
    texts,
    counters,
  };
}

/** Whether the device answered for the point, even if its value is none. */
function isAnswer(of: PointQuality): boolean {
  if (of.quality === 'MISSING') return of.why === 'SENTINEL';
  return of.quality === 'GOOD' || (of.why !== 'EXCEPTION' && of.why !== 'LENGTH');
}

/** @param counters gets the state after this reading. */
function judgePoint(
  point: UnitPoint,
  raw: RawPoll['points'][number] | undefined,
  counters: Record<string, CounterStates[string]>,
  nowMs: number,
): PointValue {
  if (raw === undefined || raw.kind === 'NOT_ANSWERED' || raw.kind === 'ABSENT')
    return { value: null, quality: { quality: 'MISSING', why: 'NOT_ANSWERED' } };
  if (raw.kind === 'EXCEPTION')
    return { value: null, quality: { quality: 'BAD', why: 'EXCEPTION', code: raw.code } };
  if (raw.kind === 'WRONG_LENGTH')
    return { value: null, quality: { quality: 'BAD', why: 'LENGTH' } };
  const decoded = decodePoint(point, raw.bytes, raw.scaleFactor);
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
