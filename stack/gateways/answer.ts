import type { Behaviour, Temper } from './behaviour.ts';
import { type Answer, type Device, exceptions } from './registers.ts';

/** Modbus TCP as a server speaks it: requests from a stream, answers as frames, and how each behaviour spoils them. */

/** Transaction, protocol, length (of what follows), unit. */
const headerBytes = 7;
/** Of a request to read: header, function, address, count. */
const requestBytes = 12;
/** The longest frame that the protocol allows. */
const frameBytesMax = 260;

export interface Request {
  transaction: number;
  unitId: number;
  function: number;
  address: number;
  count: number;
}

/**
 * Takes whole requests from the front of what a connection has received.
 *
 * @returns them and the rest; null if the peer does not speak Modbus TCP.
 */
export function takeRequests(received: Buffer): { requests: Request[]; rest: Buffer } | null {
  const requests: Request[] = [];
  let from = 0;
  while (received.length - from >= headerBytes - 1) {
    const isModbus = received.readUInt16BE(from + 2) === 0;
    const length = received.readUInt16BE(from + 4);
    if (!isModbus || length < 2 || length + headerBytes - 1 > frameBytesMax) return null;
    const end = from + headerBytes - 1 + length;
    if (received.length < end) break;
    const isRead = end - from === requestBytes;
    requests.push({
      transaction: received.readUInt16BE(from),
      unitId: received.readUInt8(from + 6),
      function: received.readUInt8(from + 7),
      address: isRead ? received.readUInt16BE(from + 8) : 0,
      count: isRead ? received.readUInt16BE(from + 10) : 0,
    });
    from = end;
  }
  return { requests, rest: received.subarray(from) };
}

/** The frame of an answer. An exception's code makes an exception. */
export function frameOf(
  { transaction, unitId, function: code }: Pick<Request, 'transaction' | 'unitId' | 'function'>,
  answer: Answer,
): Buffer {
  const isException = typeof answer === 'number';
  const data = isException ? Buffer.of(answer) : answer;
  const frame = Buffer.allocUnsafe(headerBytes + (isException ? 1 : 2) + data.length);
  frame.writeUInt16BE(transaction, 0);
  frame.writeUInt16BE(0, 2);
  frame.writeUInt16BE(frame.length - headerBytes + 1, 4);
  frame.writeUInt8(unitId, 6);
  frame.writeUInt8(isException ? code | 0x80 : code, 7);
  if (!isException) frame.writeUInt8(data.length, 8);
  data.copy(frame, isException ? 8 : 9);
  return frame;
}

/** What a gateway does with a request. */
export type Reaction =
  | { kind: 'ANSWER'; frame: Buffer; afterMs: number; isDribbled: boolean }
  | { kind: 'SILENCE' }
  | { kind: 'CLOSE' };

/** Longer than any client waits for one answer. */
const lateMs = 3_000;

/** @param device of the unit; undefined: the gateway has no such unit behind it. */
export function reactTo(
  request: Request,
  device: Device | undefined,
  how: { behaviour: Behaviour; refused: Temper['refused']; nowMs: number },
): Reaction {
  const { behaviour, refused, nowMs } = how;
  const reply = (answer: Answer, as: Partial<Request> = {}, afterMs = 0): Reaction => ({
    kind: 'ANSWER',
    frame: frameOf({ ...request, ...as }, answer),
    afterMs,
    isDribbled: behaviour === 'DRIBBLES',
  });
  if (behaviour === 'SILENT') return { kind: 'SILENCE' };
  if (behaviour === 'CLOSES') return { kind: 'CLOSE' };
  if (behaviour === 'BUSY') return reply(exceptions.busy);
  if (behaviour === 'TARGET_SILENT' || device === undefined) return reply(exceptions.targetSilent);
  const isRefused =
    behaviour === 'REFUSES_RANGE' &&
    refused !== undefined &&
    request.address <= refused.to &&
    request.address + request.count > refused.from;
  if (isRefused) return reply(exceptions.illegalAddress);
  const answer = device.read(request, nowMs, behaviour === 'WORD_ORDER');
  switch (behaviour) {
    case 'WRONG_UNIT':
      return reply(answer, { unitId: (request.unitId + 1) & 0xff });
    case 'FOREIGN_ID':
      return reply(answer, { transaction: (request.transaction + 0x1111) & 0xffff });
    case 'LATE':
      return reply(answer, {}, lateMs);
    case 'SHORT':
      return reply(typeof answer === 'number' ? answer : answer.subarray(0, answer.length - 2));
    case 'WRONG_LENGTH': {
      const reaction = reply(answer);
      if (reaction.kind === 'ANSWER' && typeof answer !== 'number')
        reaction.frame.writeUInt8((answer.length + 2) & 0xff, 8);
      return reaction;
    }
    default:
      return reply(answer);
  }
}
