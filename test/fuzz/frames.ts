import { randomInt } from 'node:crypto';

import type { Quirks } from '../../domain/gateways/gateway.ts';
import { noQuirks } from '../../domain/gateways/gateway.ts';
import { type FrameRequest, judgeAnswer } from '../../adapters/modbus/frame.ts';
import type { SiteReadResult } from '../../adapters/modbus/site.ts';
import { startPeer } from '../support/modbus/peer.ts';
import { testSites } from '../support/modbus/sites.ts';

/** Frames that are almost right, against the client and against rules that are written a second time. */

export interface FuzzCount {
  frames: number;
  /** Frames that are the answer, or an exception, and were taken as that. */
  taken: number;
  /** Frames that were taken and must not be, or the other way round. */
  wrong: string[];
}

type Random = (below: number) => number;

/** The same numbers for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function anySeed(): number {
  return randomInt(2 ** 31);
}

function anyRequest(random: Random): FrameRequest {
  const code = (1 + random(4)) as FrameRequest['function'];
  return {
    transactionId: random(0x1_0000),
    unitId: random(256),
    function: code,
    address: random(60_000),
    count: 1 + random(code <= 2 ? 2_000 : 125),
  };
}

function anyQuirks(random: Random): Quirks {
  const lengthFault =
    ([null, null, 'COUNTS_HEADER', 'LEAVES_OUT_UNIT'] as const)[random(4)] ?? null;
  return { ...noQuirks, anyTransactionId: random(4) === 0, lengthFault };
}

const bytesOf = ({ function: code, count }: FrameRequest) =>
  code < 3 ? Math.floor((count + 7) / 8) : 2 * count;

/** What must be in the header of the right answer, for each length field that is allowed; −1: any byte. */
function rightHeaders(request: FrameRequest, quirks: Quirks, isException: boolean): number[][] {
  const body = isException ? 3 : 3 + bytesOf(request);
  const lengths = [body];
  if (quirks.lengthFault === 'COUNTS_HEADER') lengths.push(body + 6);
  if (quirks.lengthFault === 'LEAVES_OUT_UNIT') lengths.push(body - 1);
  const { transactionId: id, unitId, function: code } = request;
  const ids = quirks.anyTransactionId ? [-1, -1] : [id >> 8, id & 255];
  const last = isException ? [code + 128] : [code, bytesOf(request)];
  return lengths.map((length) => [...ids, 0, 0, length >> 8, length & 255, unitId, ...last]);
}

type Verdict = 'MORE' | 'ANSWER' | 'EXCEPTION' | 'PROBLEM';

/** The rules a second time: a frame is compared with all headers that are allowed. */
function verdictOf(frame: Uint8Array, request: FrameRequest, quirks: Quirks): Verdict {
  const starts = (header: readonly number[]): boolean =>
    header.every((byte, place) => byte < 0 || place >= frame.length || frame[place] === byte);
  let isBeginning = false;
  for (const isException of [false, true]) {
    const whole = isException ? 9 : 9 + bytesOf(request);
    for (const header of rightHeaders(request, quirks, isException))
      if (starts(header)) {
        if (isException && frame.length >= 9 && frame[8] === 0) continue;
        if (frame.length === whole) return isException ? 'EXCEPTION' : 'ANSWER';
        isBeginning ||= frame.length < whole;
      }
  }
  return isBeginning ? 'MORE' : 'PROBLEM';
}

function rightFrame(request: FrameRequest, quirks: Quirks, random: Random): number[] {
  const isException = random(5) === 0;
  const headers = rightHeaders(request, quirks, isException);
  const header = (headers[random(headers.length)] as number[]).map((byte) =>
    byte < 0 ? random(256) : byte,
  );
  const rest = isException ? 1 : bytesOf(request);
  return [...header, ...Array.from({ length: rest }, () => random(256))];
}

const interesting = [0, 1, 2, 3, 4, 6, 7, 0x7f, 0x80, 0x81, 0x83, 0xfa, 0xfe, 0xff];

/** Spoils a frame in place, most often in its header. */
function spoil(frame: number[], random: Random): void {
  const place = random(random(3) === 0 ? Math.max(1, frame.length) : 9);
  const changes: (() => void)[] = [
    () => (frame[place] = (frame[place] ?? 0) ^ (1 << random(8))),
    () => (frame[place] = interesting[random(interesting.length)] as number),
    () => (frame[place] = random(256)),
    () => (frame.length = random(frame.length + 1)),
    () => frame.push(...Array.from({ length: 1 + random(12) }, () => random(256))),
    () => frame.splice(place, 0, random(256)),
    () => frame.splice(place, 1),
    () => frame.push(...frame),
    () => frame.unshift(...frame.splice(0, 6).reverse()),
    () => frame.splice(0, 6),
  ];
  changes[random(changes.length)]?.();
}

function anyFrame(request: FrameRequest, quirks: Quirks, random: Random): Uint8Array {
  if (random(50) === 0) return Uint8Array.from({ length: random(300) }, () => random(256));
  const frame = rightFrame(request, quirks, random);
  for (let changes = random(4); changes > 0; changes -= 1) spoil(frame, random);
  return Uint8Array.from(frame, (byte) => byte ?? 0);
}

const inHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Judges so many frames. */
export function fuzzFrames(frames: number, random: Random): FuzzCount {
  const count: FuzzCount = { frames, taken: 0, wrong: [] };
  for (let done = 0; done < frames; done += 1) {
    const request = anyRequest(random);
    const quirks = anyQuirks(random);
    const frame = anyFrame(request, quirks, random);
    const is = judgeAnswer(frame, frame.length, { request, tolerances: quirks }).kind;
    const right = verdictOf(frame, request, quirks);
    if (is === 'ANSWER' || is === 'EXCEPTION') count.taken += 1;
    // A header that has begun may be waited for to its end.
    const isWaiting = is === 'MORE' && right === 'PROBLEM' && frame.length < 9;
    if (is !== right && !isWaiting && count.wrong.length < 20)
      count.wrong.push(`${is} instead of ${right}: ${inHex(frame)} to ${JSON.stringify(request)}`);
  }
  return count;
}

/** Sends so many frames over real connections, in pieces, and compares what the client makes of them. */
export async function fuzzClient(frames: number, random: Random): Promise<FuzzCount> {
  const count: FuzzCount = { frames, taken: 0, wrong: [] };
  let sent: Uint8Array = new Uint8Array();
  let asked: FrameRequest = anyRequest(random);
  let quirks = noQuirks;
  const peer = await startPeer((request, socket) => {
    asked = { ...asked, ...request, function: asked.function };
    sent = anyFrame(asked, quirks, random);
    const cut = random(sent.length + 1);
    // The end of the connection stands for what a frame lacks.
    // A turn of the loop between the pieces lets the client see the first alone.
    const rest = () => void socket.end(sent.subarray(cut));
    socket.write(sent.subarray(0, cut), () => setImmediate(() => setImmediate(rest)));
  });
  const sites = testSites({ requestTimeoutMs: 5_000 });
  const site = sites.of('127.0.0.1', peer.port);
  for (let done = 0; done < frames; done += 1) {
    asked = anyRequest(random);
    quirks = { ...anyQuirks(random), closeAfterPoll: true };
    const result = await site.read({ ...asked, quirks, deadlineMs: 10_000 });
    peer.requests.length = 0;
    if (result.kind !== 'FAILED') count.taken += 1;
    const problem = problemOf(result, sent, verdictOf(sent, asked, quirks));
    if (problem !== null && count.wrong.length < 20)
      count.wrong.push(`${problem}: ${inHex(sent)} to ${JSON.stringify(asked)}`);
  }
  sites.close();
  await peer.close();
  return count;
}

/** What is wrong with a result; null: nothing. A frame that came with bytes after its end may be taken if they come apart. */
function problemOf(result: SiteReadResult, sent: Uint8Array, right: Verdict): string | null {
  if (result.kind === 'FAILED')
    return right === 'ANSWER' || right === 'EXCEPTION' ? `FAILED instead of ${right}` : null;
  const values = result.kind === 'ANSWER' ? result.bytes : Uint8Array.of(result.code);
  const begin = result.kind === 'ANSWER' ? 9 : 8;
  if (inHex(values) !== inHex(sent.subarray(begin, begin + values.length)))
    return `${result.kind} with other bytes`;
  return right === result.kind || right === 'PROBLEM' ? null : `${result.kind} instead of ${right}`;
}
