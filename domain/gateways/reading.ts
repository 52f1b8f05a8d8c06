/** What one poll of a gateway brought: values with their quality, and how the poll ended. */

export const gatewayTriggers = ['SCHEDULE', 'START', 'CATCH_UP', 'MANUAL', 'PROBE'] as const;
export type GatewayTrigger = (typeof gatewayTriggers)[number];

export const gatewayOutcomes = ['OK', 'PARTIAL', 'FAILED', 'MISSED', 'SKIPPED_LOCKED'] as const;
/** OK: every point answered. PARTIAL: some did. */
export type GatewayOutcome = (typeof gatewayOutcomes)[number];

/** Whether the poll brought a value. */
export function isSuccess(outcome: GatewayOutcome): boolean {
  return outcome === 'OK' || outcome === 'PARTIAL';
}

/** Why slots of a gateway have no poll. */
export type MissedReason = 'NO_WORKER' | 'OVERRUN' | 'NO_DATABASE' | 'HALTED';

/** Why a poll failed, in one word; `EXCEPTION_n` carries the device's code. */
export type FailureReason =
  | 'CONNECTION_REFUSED'
  | 'NO_ROUTE'
  | 'NAME_NOT_FOUND'
  | 'ADDRESS_REFUSED'
  | 'CONNECT_TIMEOUT'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'IDLE_CLOSE'
  | 'ANOTHER_MASTER'
  | 'FOREIGN_FRAMES'
  | 'PROTOCOL'
  | 'UNIT_SILENT'
  | 'BACK_OFF'
  | 'NO_POINTS'
  | 'NOT_DISCOVERED'
  | 'ROW_REFUSED'
  /** The words of its values come in another order than its points say. */
  | 'WORD_ORDER'
  | `EXCEPTION_${number}`;

/** A failure with its sentence for people. */
export interface PollFailure {
  reason: FailureReason;
  message: string;
}

/** Why a point has no value. BAD: the device said something that cannot be right; MISSING: it said nothing. */
export type PointQuality =
  | { quality: 'GOOD' }
  | { quality: 'BAD'; why: 'EXCEPTION'; code: number }
  | { quality: 'BAD'; why: 'RANGE' | 'STEP' | 'LENGTH' }
  | { quality: 'MISSING'; why: 'SENTINEL' | 'NOT_ANSWERED' };

/** A point's value in its unit; null unless GOOD. A text is a value of a `string` point. */
export interface PointValue {
  value: number | string | null;
  quality: PointQuality;
}

/**
 * The quality of a point as one small number, as `gateway_readings.quality` stores it: 0 GOOD, 1 MISSING(NOT_ANSWERED),
 * 2 MISSING(SENTINEL), 3 BAD(RANGE), 4 BAD(STEP), 5 BAD(LENGTH), 100 + n BAD(EXCEPTION n).
 */
export function qualityCode(of: PointQuality): number {
  if (of.quality === 'GOOD') return 0;
  if (of.quality === 'MISSING') return of.why === 'NOT_ANSWERED' ? 1 : 2;
  if (of.why === 'EXCEPTION') return exceptionCodeBase + of.code;
  return { RANGE: 3, STEP: 4, LENGTH: 5 }[of.why];
}

const exceptionCodeBase = 100;

/** The inverse of `qualityCode`. @throws RangeError for a number that it never gives. */
export function qualityOf(code: number): PointQuality {
  if (code > exceptionCodeBase && code <= exceptionCodeBase + 255)
    return { quality: 'BAD', why: 'EXCEPTION', code: code - exceptionCodeBase };
  const known: Record<number, PointQuality> = {
    0: { quality: 'GOOD' },
    1: { quality: 'MISSING', why: 'NOT_ANSWERED' },
    2: { quality: 'MISSING', why: 'SENTINEL' },
    3: { quality: 'BAD', why: 'RANGE' },
    4: { quality: 'BAD', why: 'STEP' },
    5: { quality: 'BAD', why: 'LENGTH' },
  };
  const quality = known[code];
  if (quality === undefined) throw new RangeError(`no quality of a point has the code ${code}`);
  return quality;
}

/** The quality as a word: "GOOD", "BAD(RANGE)", "BAD(EXCEPTION 2)", "MISSING(SENTINEL)". */
export function qualityWord(of: PointQuality): string {
  if (of.quality === 'GOOD') return 'GOOD';
  return of.why === 'EXCEPTION' ? `BAD(EXCEPTION ${of.code})` : `${of.quality}(${of.why})`;
}

/** The bits that a unit answered for one point, or why there are none; as `adapters/modbus` gives them. */
export type RawPoint =
  | { kind: 'BITS'; bytes: Uint8Array; scaleFactor: number | null }
  | { kind: 'EXCEPTION'; code: number }
  /** The answer had another length than the request asks for: BAD(LENGTH). */
  | { kind: 'WRONG_LENGTH' }
  /** The unit has no such point, as SunSpec discovery found: the poll can be whole without it. */
  | { kind: 'ABSENT' }
  | { kind: 'NOT_ANSWERED' };

/** What a poll of one gateway brought, point by point in the order of its map. */
export interface RawPoll {
  points: readonly RawPoint[];
  /** Null if at least one point was answered and no request failed. */
  failure: PollFailure | null;
  /** Whether the poll failed without touching the device, because its socket waits after earlier failures. */
  isBackOff: boolean;
  startedAtMs: number;
  /** When the last answer came; of a failure when it was given up. */
  measuredAtMs: number;
  /** Requests sent. */
  requests: number;
}
