import { exceptionText } from '../../domain/gateways/exceptions.ts';
import type { ReadFunction } from '../../domain/gateways/point.ts';
import { type CapturedFrame, isWhole } from './capture.ts';
import { type FrameRequest, judgeAnswer, type Tolerances, valueBytes } from './frame.ts';

/** Requests and their answers out of captured frames, judged as the client judges them. */

/** One read and what came of it. */
export interface Exchange extends Omit<FrameRequest, 'transactionId'> {
  /** Lines of the capture; null: the request is not in it, or the answer. */
  requestLine: number | null;
  answerLine: number | null;
  atMs: number | null;
  marks: number;
  result:
    | { kind: 'ANSWER'; bytes: Uint8Array }
    | { kind: 'EXCEPTION'; code: number; message: string }
    /** The answer does not fit. LENGTH: it brings more or fewer bytes than asked for. */
    | { kind: 'REFUSED'; isLength: boolean; message: string }
    | { kind: 'NOT_ANSWERED' };
}

export interface ExchangeProblem {
  line: number;
  message: string;
}

/** What the command line says of a request that is not in the capture. */
export interface GivenRequest {
  unitId: number;
  /** Null: as the answer says. */
  function: ReadFunction | null;
  address: number;
  /** Registers or coils; null: as many as the answer brings. */
  count: number | null;
}

type Framing = 'TCP' | 'RTU';

/** A request that waits for its answer. */
interface Asked {
  exchange: Exchange;
  frame: Frame;
}

interface Frame {
  framing: Framing;
  /** Of Modbus TCP; of RTU 0. */
  transactionId: number;
  unitId: number;
  /** Function and what follows. */
  pdu: Uint8Array;
  /** As on Modbus TCP, so that one function judges both. */
  asTcp: Uint8Array;
}

const headerBytes = 7;

/**
 * Pairs requests with answers.
 *
 * @param given the request that every frame answers; null: requests are in the capture.
 */
export function exchangesOf(
  frames: readonly CapturedFrame[],
  { given, tolerances }: { given: GivenRequest | null; tolerances: Tolerances },
): { exchanges: Exchange[]; problems: ExchangeProblem[] } {
  const exchanges: Exchange[] = [];
  const problems: ExchangeProblem[] = [];
  const open: Asked[] = [];
  for (const captured of frames) {
    const frame = readFrame(captured.bytes);
    if (typeof frame === 'string') {
      problems.push({ line: captured.line, message: frame });
      const last = captured.direction === 'REQUEST' ? undefined : open.pop();
      if (last !== undefined)
        answer(last.exchange, captured, { kind: 'REFUSED', isLength: false, message: frame });
      continue;
    }
    if (given !== null) {
      exchanges.push(lone(captured, frame, { given, tolerances }));
      continue;
    }
    if (isRequest(captured, frame, open.length > 0)) {
      const request = readRequest(frame);
      if (typeof request === 'string') problems.push({ line: captured.line, message: request });
      else {
        const exchange = asked(captured, request);
        exchanges.push(exchange);
        open.push({ exchange, frame });
      }
      continue;
    }
    // Clients that give all requests one id ask again when nothing came: the newest request counts.
    const index = open.findLastIndex((one) => isPair(one.frame, frame));
    const at = index >= 0 ? index : open.length - 1;
    const pair = open[at];
    if (pair === undefined)
      problems.push({
        line: captured.line,
        message:
          'is an answer without a request before it: give --function, --address and --count if the request is not in the file',
      });
    else {
      const result = judged(frame, pair, tolerances);
      answer(pair.exchange, captured, result);
      // The right answer may still follow one that somebody else asked for.
      if (index >= 0 || result.kind !== 'REFUSED') open.splice(at, 1);
    }
  }
  return { exchanges, problems };
}

function asked(captured: CapturedFrame, request: Omit<FrameRequest, 'transactionId'>): Exchange {
  const { line, atMs, marks } = captured;
  return {
    ...request,
    requestLine: line,
    answerLine: null,
    atMs,
    marks,
    result: { kind: 'NOT_ANSWERED' },
  };
}

function answer(
  exchange: Exchange,
  { line, atMs }: CapturedFrame,
  result: Exchange['result'],
): void {
  exchange.answerLine = line;
  exchange.atMs = atMs ?? exchange.atMs;
  exchange.result = result;
}

function isPair(request: Frame, frame: Frame): boolean {
  if (request.framing !== frame.framing) return false;
  return request.framing === 'RTU' || request.transactionId === frame.transactionId;
}

const requestPduBytes = 5;

/** What the line says counts; else what the bytes look like. @param isAsked whether a request waits for its answer. */
function isRequest({ direction }: CapturedFrame, { pdu }: Frame, isAsked: boolean): boolean {
  if (direction !== null) return direction === 'REQUEST';
  const [code = 0, byteCount = 0] = pdu;
  const looksLikeAnswer = code >= 0x80 || byteCount === pdu.length - 2;
  const looksLikeRequest = pdu.length === requestPduBytes && code < 0x80;
  return isAsked ? looksLikeRequest && !looksLikeAnswer : looksLikeRequest || !looksLikeAnswer;
}

function readRequest({ unitId, pdu }: Frame): Omit<FrameRequest, 'transactionId'> | string {
  const code = pdu[0] ?? 0;
  if (code !== 1 && code !== 2 && code !== 3 && code !== 4)
    return `is a request with function ${code}, which does not read registers or coils: it is left out`;
  if (pdu.length !== requestPduBytes)
    return `is a request of ${pdu.length} bytes after the unit, expected ${requestPduBytes}: it is left out`;
  const address = ((pdu[1] ?? 0) << 8) | (pdu[2] ?? 0);
  const count = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0);
  const most = code <= 2 ? 2_000 : 125;
  if (count < 1 || count > most)
    return `is a request for ${count} values: from 1 to ${most} are allowed`;
  return { unitId, function: code, address, count };
}

function lone(
  captured: CapturedFrame,
  frame: Frame,
  { given, tolerances }: { given: GivenRequest; tolerances: Tolerances },
): Exchange {
  const code = (frame.pdu[0] ?? 0) & 0x7f;
  const own = given.function ?? (code >= 1 && code <= 4 ? (code as ReadFunction) : 3);
  const inAnswer = own <= 2 ? (frame.pdu[1] ?? 0) * 8 : (frame.pdu[1] ?? 0) >> 1;
  const count = given.count ?? Math.max(1, inAnswer);
  const request = { unitId: given.unitId, function: own, address: given.address, count };
  const exchange = { ...asked(captured, request), requestLine: null };
  answer(exchange, captured, judged(frame, { exchange, frame }, tolerances));
  return exchange;
}

function judged(
  frame: Frame,
  { exchange, frame: request }: Asked,
  tolerances: Tolerances,
): Exchange['result'] {
  const isAsAsked = request.framing === frame.framing;
  if (!isAsAsked && frame.framing === 'TCP')
    return {
      kind: 'REFUSED',
      isLength: false,
      message: 'the answer is a frame of Modbus TCP, but the request is Modbus RTU',
    };
  if (!isAsAsked)
    return {
      kind: 'REFUSED',
      isLength: false,
      message:
        'the answer is a Modbus RTU frame, but the request is Modbus TCP: set the gateway to Modbus TCP, not to transparent',
    };
  const bytes = frame.asTcp;
  const verdict = judgeAnswer(bytes, bytes.length, {
    request: { ...exchange, transactionId: request.transactionId },
    tolerances,
  });
  if (verdict.kind === 'PROBLEM')
    return { kind: 'REFUSED', isLength: verdict.of === 'LENGTH', message: verdict.message };
  if (verdict.kind === 'EXCEPTION')
    return { kind: 'EXCEPTION', code: verdict.code, message: exceptionText(verdict.code) };
  const whole = headerBytes + 2 + valueBytes(exchange);
  if (verdict.kind === 'MORE')
    return {
      kind: 'REFUSED',
      isLength: true,
      message: `the answer ends after ${bytes.length} bytes: its length asks for ${whole}`,
    };
  return { kind: 'ANSWER', bytes: bytes.slice(headerBytes + 2, whole) };
}

/** A frame of Modbus TCP or RTU; a sentence if it is neither. */
function readFrame(bytes: Uint8Array): Frame | string {
  // GoodWe's sticks put AA55 in front of answers on UDP.
  const plain = bytes[0] === 0xaa && bytes[1] === 0x55 ? bytes.subarray(2) : bytes;
  if (!isWhole(bytes) && hasCrc(plain)) {
    const body = plain.subarray(0, -2);
    const asTcp = Uint8Array.from([0, 0, 0, 0, 0, body.length, ...body]);
    return { framing: 'RTU', transactionId: 0, unitId: body[0] ?? 0, pdu: body.subarray(1), asTcp };
  }
  if (bytes[0] === 0xa5 && bytes.at(-1) === 0x15)
    return 'is a frame of Solarman V5 (A5 … 15), not of Modbus TCP: record behind a gateway that speaks Modbus TCP';
  if (bytes.length < headerBytes + 2)
    return `has ${bytes.length} bytes: a frame of Modbus TCP has at least ${headerBytes + 2}`;
  const protocolId = ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
  if (protocolId !== 0)
    return `the protocol id is ${protocolId} instead of 0: it is no frame of Modbus TCP, nor of RTU (its checksum does not fit)`;
  return {
    framing: 'TCP',
    transactionId: ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0),
    unitId: bytes[6] ?? 0,
    pdu: bytes.subarray(headerBytes),
    asTcp: bytes,
  };
}

const rtuBytesMin = 5;

/** Whether the last two bytes are the checksum of a serial line (CRC-16/MODBUS). */
function hasCrc(bytes: Uint8Array): boolean {
  if (bytes.length < rtuBytesMin) return false;
  let crc = 0xffff;
  for (const byte of bytes.subarray(0, -2)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return bytes.at(-2) === (crc & 0xff) && bytes.at(-1) === crc >> 8;
}
