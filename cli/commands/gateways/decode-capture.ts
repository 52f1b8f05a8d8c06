import { parseCapture } from '../../../adapters/modbus/capture.ts';
import {
  type Exchange,
  exchangesOf,
  type GivenRequest,
} from '../../../adapters/modbus/exchanges.ts';
import type { Tolerances } from '../../../adapters/modbus/frame.ts';
import { exceptionText } from '../../../domain/gateways/exceptions.ts';
import {
  pollsOf,
  rawPointsOf,
  type RecordedPoll,
  recordedLayout,
} from '../../../adapters/modbus/replay.ts';
import type { CounterStates } from '../../../domain/gateways/counters.ts';
import { rawValue } from '../../../domain/gateways/decode.ts';
import { judgePoll } from '../../../domain/gateways/judge.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { qualityOf, type PointQuality, type RawPoint } from '../../../domain/gateways/reading.ts';
import { inListOrder, resolvePoints, type SunSpecModel } from '../../../domain/gateways/sunspec.ts';

/** Decodes recorded frames as the walker decodes live ones: the same list of points, the same rules, poll by poll. */

export interface DecodeInput {
  text: string;
  unitId: number;
  points: readonly UnitPoint[];
  /** Null: the requests are in the text. */
  given: GivenRequest | null;
  tolerances: Tolerances;
  /** SunSpec models whose addresses the caller knows. */
  models: readonly SunSpecModel[];
  /** Time between polls where the text has no times, s. */
  intervalS: number;
}

export interface DecodedPoint {
  key: string;
  name: string;
  unitId: number;
  function: number;
  /** As sent; null: the unit has no such SunSpec model. */
  address: number | null;
  type: string;
  /** The registers in hexadecimal digits; null: not answered. */
  hex: string | null;
  /** What the bits say before scale and offset. Beyond 2⁵³ a text of digits. */
  raw: number | string | null;
  scaleFactor: number | null;
  value: number | string | null;
  unit: string | null;
  quality: PointQuality['quality'];
  why: string | null;
  /** Of an exception. */
  code: number | null;
  /** Why there is no value, in words; null: there is one. */
  message: string | null;
  /** Whether a request of the poll asked for the point. */
  isAsked: boolean;
}

export interface DecodedPoll {
  /** ISO 8601; null: the text has no times. */
  at: string | null;
  outcome: 'OK' | 'PARTIAL' | 'FAILED';
  points: DecodedPoint[];
  refused: { line: number | null; message: string }[];
}

export interface Decoded {
  unitId: number;
  models: SunSpecModel[];
  polls: DecodedPoll[];
  /** Lines that are not understood, and what SunSpec discovery says. */
  problems: { line: number | null; message: string }[];
}

/** Decodes a capture. */
export async function decodeCapture(input: DecodeInput): Promise<Decoded> {
  const { unitId, points, given, tolerances, intervalS } = input;
  const capture = parseCapture(input.text);
  const { exchanges, problems } = exchangesOf(capture.frames, { given, tolerances });
  const own = exchanges.filter((one) => one.unitId === unitId);
  const others = new Set(exchanges.map((one) => one.unitId).filter((one) => one !== unitId));
  const isSunSpec = points.some(({ sunspec }) => sunspec !== null);
  const layout = isSunSpec
    ? await recordedLayout(own, { points, places: input.models })
    : { base: -1, models: [], problems: [] };
  const resolved = resolvePoints(points, new Map([[unitId, layout]]));
  const polls: DecodedPoll[] = [];
  let counters: CounterStates = {};
  for (const [index, poll] of pollsOf(own).entries()) {
    const raws = inListOrder(resolved, rawPointsOf(resolved.points, poll.exchanges));
    const atMs = poll.atMs ?? index * intervalS * 1_000;
    const judged = judgePoll(resolved.list, rawPoll(raws, atMs), counters, atMs);
    ({ counters } = judged);
    polls.push({
      at: poll.atMs === null ? null : new Date(poll.atMs).toISOString(),
      outcome: judged.outcome,
      points: resolved.list.map((point, at) =>
        decodedPoint(point, raws[at] as RawPoint, { judged, at }),
      ),
      refused: refusedOf(poll),
    });
  }
  return {
    unitId,
    models: layout.models,
    polls,
    problems: [
      ...capture.problems,
      ...problems,
      ...[...others].map((other) => ({
        line: null,
        message: `frames of unit ${other} are left out: --unit is ${unitId}`,
      })),
      ...layout.problems.map((message) => ({ line: null, message: `SunSpec: ${message}` })),
    ],
  };
}

function rawPoll(points: readonly RawPoint[], atMs: number) {
  return {
    points,
    failure: null,
    isBackOff: false,
    startedAtMs: atMs,
    measuredAtMs: atMs,
    requests: 0,
  };
}

function decodedPoint(
  point: UnitPoint,
  raw: RawPoint,
  { judged, at }: { judged: ReturnType<typeof judgePoll>; at: number },
): DecodedPoint {
  const quality = qualityOf(judged.quality?.[at] ?? 0);
  const text = judged.texts.find((one) => one.key === point.key && one.unitId === point.unitId);
  const isGood = quality.quality === 'GOOD';
  const { key, name, unitId, function: code, address, type, unit } = point;
  return {
    key,
    name,
    unitId,
    function: code,
    address,
    type,
    ...rawOf(point, raw),
    value: isGood ? (text?.value ?? judged.values[at] ?? null) : null,
    unit,
    quality: quality.quality,
    why: isGood ? null : quality.why,
    code: quality.quality === 'BAD' && quality.why === 'EXCEPTION' ? quality.code : null,
    message: isGood ? null : qualitySentence(quality, point),
    isAsked: raw.kind !== 'ABSENT',
  };
}

function rawOf(point: UnitPoint, raw: RawPoint): Pick<DecodedPoint, 'hex' | 'raw' | 'scaleFactor'> {
  if (raw.kind !== 'BITS') return { hex: null, raw: null, scaleFactor: null };
  const value = rawValue(point, raw.bytes);
  const hex = Array.from(raw.bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, '0'));
  const isNumber = typeof value !== 'bigint' || BigInt(Number(value)) === value;
  const plain =
    typeof value === 'bigint'
      ? isNumber && Number.isSafeInteger(Number(value))
        ? Number(value)
        : String(value)
      : value;
  return {
    hex: hex.join('').replaceAll(/(.{4})(?!$)/g, '$1 '),
    // JSON has no NaN and no infinity.
    raw: typeof plain === 'number' && !Number.isFinite(plain) ? String(plain) : plain,
    scaleFactor: raw.scaleFactor,
  };
}

function qualitySentence(
  quality: Exclude<PointQuality, { quality: 'GOOD' }>,
  point: UnitPoint,
): string {
  if (quality.why === 'EXCEPTION') return exceptionText(quality.code);
  const { min, max } = point.range;
  return {
    RANGE: `outside of ${min ?? '−∞'} … ${max ?? '∞'}${point.unit === null ? '' : ` ${point.unit}`}, or no number of its type`,
    STEP: 'a counter cannot have moved like this',
    LENGTH: 'the answer has another length than its request asks for',
    SENTINEL: 'the device says that it has no value',
    NOT_ANSWERED: 'not answered',
  }[quality.why];
}

function refusedOf({ exchanges }: RecordedPoll): DecodedPoll['refused'] {
  return exchanges.flatMap((one) => {
    const message = refusal(one);
    return message === null ? [] : [{ line: one.answerLine ?? one.requestLine, message }];
  });
}

function refusal({ result, function: code, address, count }: Exchange): string | null {
  const range = `function ${code}, ${address} to ${address + count - 1}`;
  if (result.kind === 'ANSWER') return null;
  if (result.kind === 'NOT_ANSWERED') return `${range}: there is no answer`;
  return `${range}: ${result.message}`;
}
