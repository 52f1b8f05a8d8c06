/** The bytes of Modbus TCP: a request for registers or coils, and the judgement of what comes back. */

import type { LengthFault } from '../../domain/gateways/gateway.ts';
import type { ReadFunction } from '../../domain/gateways/point.ts';

/** Transaction id, protocol id, length (two bytes each), unit. */
const headerBytes = 7;
export const requestBytes = 12;
/** The length field counts unit, function and at most 252 bytes of an answer. */
const lengthMin = 3;
const lengthMax = 254;
/** Header, function, byte count (or exception code). */
const leadBytes = 9;
export const answerBytesMax = headerBytes - 1 + lengthMax;
const exceptionFlag = 0x80;

export interface FrameRequest {
  /** 0 … 65,535. */
  transactionId: number;
  unitId: number;
  function: ReadFunction;
  address: number;
  count: number;
}

/** What of an answer may differ from the protocol. */
export interface Tolerances {
  anyTransactionId: boolean;
  lengthFault: LengthFault | null;
}

/** Writes the request into the first twelve bytes of `into`. */
export function writeRequest(into: Uint8Array, request: FrameRequest): void {
  const { transactionId, unitId, function: code, address, count } = request;
  into[0] = transactionId >> 8;
  into[1] = transactionId & 0xff;
  into[2] = 0;
  into[3] = 0;
  into[4] = 0;
  into[5] = requestBytes - headerBytes + 1;
  into[6] = unitId;
  into[7] = code;
  into[8] = address >> 8;
  into[9] = address & 0xff;
  into[10] = count >> 8;
  into[11] = count & 0xff;
}

/** How many bytes of values answer a request. */
export function valueBytes({ function: code, count }: Pick<FrameRequest, 'function' | 'count'>) {
  return code <= 2 ? Math.ceil(count / 8) : count * 2;
}

/** A field that is not what the request asks for. The connection cannot be trusted after it. */
export interface FrameProblem {
  kind: 'PROBLEM';
  /** FOREIGN: the frame may answer somebody else. LENGTH: it brings more or fewer bytes. OTHER: it is no frame. */
  of: 'FOREIGN' | 'LENGTH' | 'OTHER';
  /** A clause that names the field: "the unit is 3 instead of 2". */
  message: string;
}

export type Judgement =
  /** So far so good, but bytes are missing. */
  | { kind: 'MORE' }
  /** The values begin at byte 9. */
  | { kind: 'ANSWER' }
  | { kind: 'EXCEPTION'; code: number }
  | FrameProblem;

const more: Judgement = { kind: 'MORE' };
const answer: Judgement = { kind: 'ANSWER' };

/** Where the values of an answer begin. */
export const valuesAt = leadBytes;

/**
 * Judges what has come since the request was sent. Each field is judged as soon as its bytes are there, so that a frame that
 * cannot be the answer is not waited for.
 *
 * @param frame the first bytes that came; those beyond the longest answer may be left out.
 * @param received how many came.
 */
export function judgeAnswer(
  frame: Uint8Array,
  received: number,
  { request, tolerances }: { request: FrameRequest; tolerances: Tolerances },
): Judgement {
  if (received < 2) return more;
  const transactionId = word(frame, 0);
  if (transactionId !== request.transactionId && !tolerances.anyTransactionId)
    return isRtu(frame, received, request)
      ? problem(
          'OTHER',
          'the answer is a Modbus RTU frame: set the gateway to Modbus TCP, not to transparent',
        )
      : differs('FOREIGN', 'transaction id', [transactionId, request.transactionId]);
  if (received < 4) return more;
  if (word(frame, 2) !== 0) return differs('OTHER', 'protocol id', [word(frame, 2), 0]);
  if (received < 6) return more;
  return judgeBody(frame, received, { request, tolerances });
}

function judgeBody(
  frame: Uint8Array,
  received: number,
  { request, tolerances }: { request: FrameRequest; tolerances: Tolerances },
): Judgement {
  const length = word(frame, 4);
  const least = tolerances.lengthFault === 'LEAVES_OUT_UNIT' ? lengthMin - 1 : lengthMin;
  const most = tolerances.lengthFault === 'COUNTS_HEADER' ? lengthMax + 6 : lengthMax;
  if (length < least || length > most)
    return problem(
      'LENGTH',
      `the length is ${length}; from ${lengthMin} to ${lengthMax} is allowed`,
    );
  if (received < headerBytes) return more;
  const unit = frame[6] as number;
  if (unit !== request.unitId) return differs('FOREIGN', 'unit', [unit, request.unitId]);
  if (received < headerBytes + 1) return more;
  const code = frame[7] as number;
  const isException = code === (request.function | exceptionFlag);
  if (code !== request.function && !isException)
    return differs('FOREIGN', 'function', [code, request.function]);
  const bytes = isException ? 0 : valueBytes(request);
  if (!isLength(length, leadBytes - headerBytes + 1 + bytes, tolerances.lengthFault))
    return differs('LENGTH', 'length', [length, leadBytes - headerBytes + 1 + bytes]);
  if (received < leadBytes) return more;
  const last = frame[8] as number;
  if (isException) {
    if (last === 0) return problem('OTHER', 'the exception code is 0, which is none');
  } else if (last !== bytes) return differs('LENGTH', 'byte count', [last, bytes]);
  if (received < leadBytes + bytes) return more;
  if (received > leadBytes + bytes)
    return problem('LENGTH', `${received - leadBytes - bytes} bytes follow after the answer's end`);
  return isException ? { kind: 'EXCEPTION', code: last } : answer;
}

function word(frame: Uint8Array, at: number): number {
  return ((frame[at] as number) << 8) | (frame[at + 1] as number);
}

function isLength(length: number, right: number, fault: LengthFault | null): boolean {
  if (length === right) return true;
  if (fault === 'COUNTS_HEADER') return length === right + 6;
  return fault === 'LEAVES_OUT_UNIT' && length === right - 1;
}

/** Whether the answer comes as on a serial line: unit, function, byte count, without a header. */
function isRtu(frame: Uint8Array, received: number, request: FrameRequest): boolean {
  const [unit, code, third] = frame;
  if (received < 3 || unit !== request.unitId) return false;
  if (code === request.function) return third === valueBytes(request);
  return code === (request.function | exceptionFlag);
}

function problem(of: FrameProblem['of'], message: string): FrameProblem {
  return { kind: 'PROBLEM', of, message };
}

function differs(of: FrameProblem['of'], field: string, [is, right]: [number, number]) {
  return problem(of, `the ${field} is ${is} instead of ${right}`);
}
