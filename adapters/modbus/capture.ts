/**
 * Frames out of a text that somebody recorded: lines of hexadecimal digits in the ways in which tools print them. It knows
 * nothing of what the bytes mean, except where a frame of Modbus TCP ends.
 */

export interface CapturedFrame {
  /** The line that it begins in, from 1. */
  line: number;
  bytes: Uint8Array;
  /** What the line says of itself; null: nothing. */
  direction: 'REQUEST' | 'ANSWER' | null;
  /** The line's time, else that of the last line which was a time only; null: none was given. */
  atMs: number | null;
  /** How many lines with a time only came before: each begins a poll. */
  marks: number;
}

export interface CaptureProblem {
  line: number;
  message: string;
}

export interface Capture {
  frames: CapturedFrame[];
  /** Lines that are not understood. */
  problems: CaptureProblem[];
}

interface Line {
  atMs: number | null;
  direction: CapturedFrame['direction'];
  /** Null: the line has none. */
  bytes: number[] | null;
  /** A dump goes on with this line: it belongs to the frame before. */
  goesOn: boolean;
  /** Whether the line has nothing but a time. */
  isMark: boolean;
  problem: string | null;
}

const headerBytes = 6;
const dayMs = 86_400_000;

/** Reads a capture. */
export function parseCapture(text: string): Capture {
  const frames: CapturedFrame[] = [];
  const problems: CaptureProblem[] = [];
  const open: CapturedFrame[] = [];
  let marks = 0;
  let markMs: number | null = null;
  let clockMs: number | null = null;
  const close = () => frames.push(...open.splice(0).flatMap(splitFrame));
  for (const [index, source] of text.split(/\r\n|\n|\r/).entries()) {
    const line = index + 1;
    const read = readLine(source, clockMs);
    clockMs = read.atMs ?? clockMs;
    if (read.problem !== null) problems.push({ line, message: read.problem });
    if (read.isMark) {
      close();
      marks += 1;
      markMs = read.atMs;
    } else if (read.bytes === null) {
      if (source.trim() === '') close();
    } else if (open[0] !== undefined && continues(open[0], read)) {
      open[0].bytes = Uint8Array.from([...open[0].bytes, ...read.bytes]);
    } else {
      close();
      const { direction, bytes } = read;
      const atMs = read.atMs ?? markMs;
      open.push({ line, bytes: Uint8Array.from(bytes), direction, atMs, marks });
    }
  }
  close();
  return { frames, problems };
}

/** Whether a line holds the rest of the frame before: it fits into what is missing, and is no frame itself. */
function continues({ bytes }: CapturedFrame, line: Line): boolean {
  if (line.goesOn) return true;
  if (line.direction !== null || line.atMs !== null || line.bytes === null) return false;
  const missing = frameLength(bytes) - bytes.length;
  return missing > 0 && line.bytes.length <= missing && !isWhole(Uint8Array.from(line.bytes));
}

/** What a frame of Modbus TCP should have by its header; 0 if the bytes do not begin with one. */
function frameLength(bytes: Uint8Array): number {
  if (bytes.length < headerBytes || bytes[2] !== 0 || bytes[3] !== 0) return 0;
  return headerBytes + (((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0));
}

/** Whether the bytes are one frame of Modbus TCP, by its header. */
export function isWhole(bytes: Uint8Array): boolean {
  return frameLength(bytes) === bytes.length;
}

/** Several frames in one run of bytes, where each ends as its header says; else the run is one frame. */
function splitFrame(run: CapturedFrame): CapturedFrame[] {
  const frames: CapturedFrame[] = [];
  let { bytes } = run;
  for (;;) {
    const length = frameLength(bytes);
    const rest = bytes.subarray(length);
    const ends =
      length >= headerBytes + 3 && length < bytes.length && frameLength(rest) >= headerBytes + 3;
    if (!ends) return [...frames, { ...run, bytes }];
    frames.push({ ...run, bytes: bytes.slice(0, length) });
    bytes = rest.slice();
  }
}

const nothing: Line = {
  atMs: null,
  direction: null,
  bytes: null,
  goesOn: false,
  isMark: false,
  problem: null,
};

/** @param beforeMs the time of the lines before, for clocks without a date. */
function readLine(source: string, beforeMs: number | null): Line {
  const literal = pythonBytes(source);
  const mark = timeOf(source.replace(/^\s*(?:#|\/\/|;|=+|-{2,})\s*/, ''), beforeMs);
  if (mark !== null && mark.rest.replaceAll(/[\s=:\-\])#]/g, '') === '')
    return { ...nothing, atMs: mark.atMs, isMark: true };
  const line = source.replace(/(?:#|\/\/|;).*$/, '').trim();
  if (line === '') return nothing;
  const time = timeOf(line, beforeMs);
  const body = time === null ? line : time.rest;
  const atMs = time?.atMs ?? null;
  if (literal !== null)
    return { ...nothing, atMs, direction: directionOf(literal.before), bytes: literal.bytes };
  const bracketed = bracketedBytes(body);
  if (bracketed !== null) return { ...nothing, atMs, ...bracketed };
  const dump = dumpBytes(body);
  if (dump !== null) return { ...nothing, atMs, bytes: dump.bytes, goesOn: dump.offset > 0 };
  if (/^:[\da-f]{8,}$/i.test(body))
    return {
      ...nothing,
      problem: 'is a frame of Modbus ASCII: only Modbus TCP and RTU are decoded',
    };
  return { ...nothing, atMs, ...hexTail(body) };
}

const isoTime =
  /^(?:@|\[|\(|(?:poll|time|at|t)\b[\s\d]*?[:=]?)?\s*\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?\s?(Z|UTC|[+-]\d\d:?\d\d)?[\])]?(?=[\s,;:|-]|$)/i;
const clockTime = /^(?:@|\[|\()?\s*(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?[\])]?(?=[\s,;|]|$)/;
const epochTime = /^(?:@|\[)?\s*(1\d{9})(\.\d+|\d{3})?\]?(?=[\s,;|]|$)/;

/** The time at the beginning of a line, and what follows it. Without a zone it is UTC. */
function timeOf(line: string, beforeMs: number | null): { atMs: number; rest: string } | null {
  const text = line.trim();
  const iso = isoTime.exec(text);
  if (iso !== null) {
    const [whole, date, minutes, seconds = ':00', fraction = '0', zone = 'Z'] = iso;
    const offset = zone.toUpperCase() === 'UTC' ? 'Z' : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2');
    const atMs = Date.parse(
      `${date}T${minutes}${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${offset.toUpperCase()}`,
    );
    return Number.isNaN(atMs) ? null : { atMs, rest: text.slice(whole.length) };
  }
  const clock = clockTime.exec(text);
  if (clock !== null) {
    const [whole, hours, minutes, seconds, fraction = '0'] = clock;
    const ofDayMs =
      ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000 +
      Number(fraction.slice(0, 3).padEnd(3, '0'));
    const day = Math.floor((beforeMs ?? 0) / dayMs) * dayMs;
    // A clock that goes back has passed midnight.
    const atMs = day + ofDayMs < (beforeMs ?? 0) ? day + dayMs + ofDayMs : day + ofDayMs;
    return { atMs, rest: text.slice(whole.length) };
  }
  const epoch = epochTime.exec(text);
  if (epoch === null) return null;
  const [whole, seconds, more = ''] = epoch;
  const atMs = more.startsWith('.')
    ? Math.round(Number(`${seconds}${more}`) * 1_000)
    : Number(`${seconds}${more || '000'}`);
  return { atMs, rest: text.slice(whole.length) };
}

/** `b'\x00\x01'` as Python prints bytes. */
function pythonBytes(line: string): { before: string; bytes: number[] } | null {
  const [, before = '', , body = ''] = /^(.*?)\bb(['"])(.*)\2/.exec(line) ?? [];
  if (body === '') return null;
  const escapes: Readonly<Record<string, number>> = {
    n: 10,
    r: 13,
    t: 9,
    '\\': 92,
    "'": 39,
    '"': 34,
  };
  const bytes: number[] = [];
  for (const [, hex, escape, plain] of body.matchAll(/\\x([\da-f]{2})|\\(.)|([^\\])/gi))
    bytes.push(
      hex === undefined
        ? (escapes[escape ?? ''] ?? (escape ?? plain ?? '').charCodeAt(0))
        : Number.parseInt(hex, 16),
    );
  return { before, bytes };
}

/** `[00][01]` is what libmodbus prints for a request, `<00><01>` for an answer. */
function bracketedBytes(body: string): Pick<Line, 'bytes' | 'direction'> | null {
  const compact = body.replaceAll(/\s/g, '');
  const isRequest = /^(\[[\da-f]{2}\]){4,}$/i.test(compact);
  if (!isRequest && !/^(<[\da-f]{2}>){4,}$/i.test(compact)) return null;
  const bytes = (compact.match(/[\da-f]{2}/gi) ?? []).map((byte) => Number.parseInt(byte, 16));
  return { bytes, direction: isRequest ? 'REQUEST' : 'ANSWER' };
}

/** A line of xxd, hexdump or Wireshark: an offset, up to 16 bytes, and what they are as characters. */
function dumpBytes(body: string): { offset: number; bytes: number[] } | null {
  const [, offset, separator = '', rest = ''] =
    /^(?:0x)?([\da-f]{4}|[\da-f]{7,8})(:\s+|\s{2,})(\S.*)$/i.exec(body) ?? [];
  if (offset === undefined) return null;
  const columns = /\|.*\|$/.test(rest)
    ? rest.replace(/\|.*\|$/, '')
    : (rest.split(separator.startsWith(':') ? /\s{2,}/ : /\s{3,}/)[0] ?? '');
  const digits = columns.trim();
  if (!/^([\da-f]{2}|[\da-f]{4})(\s+([\da-f]{2}|[\da-f]{4}))*$/i.test(digits)) return null;
  const bytes = (digits.match(/[\da-f]{2}/gi) ?? []).map((byte) => Number.parseInt(byte, 16));
  const at = Number.parseInt(offset, 16);
  return bytes.length > 16 || at % 16 !== 0 ? null : { offset: at, bytes };
}

const requestWords = /^(tx|req|request|query|send|sent|sending|out|outgoing|master|client|q|c)$/i;
const answerWords =
  /^(rx|res|resp|response|respond|ans|answer|reply|recv|received|receive|receiving|in|incoming|slave|server|device|gateway|a|r)$/i;

/** What stands in front of the bytes says who sends: the first word that is known, else an arrow. */
function directionOf(before: string): CapturedFrame['direction'] {
  for (const word of before.match(/[a-z]+/gi) ?? []) {
    if (requestWords.test(word)) return 'REQUEST';
    if (answerWords.test(word)) return 'ANSWER';
  }
  if (/<|←/.test(before)) return 'ANSWER';
  return />|→/.test(before) ? 'REQUEST' : null;
}

const byteToken = /^(?:0x|\\x|%|\$)?([\da-f]+)h?$/i;

/** The bytes at the end of a line; what stands before them says who sends. */
function hexTail(body: string): Pick<Line, 'bytes' | 'direction' | 'problem'> {
  // Modbus Poll counts its lines: "Tx:000123-00 01", "000123-Tx:00 01".
  const plain = body.replace(/(^|:|\s)\d{6}-(?=\S)/, '$1').replaceAll(/\\x/g, ' 0x');
  const tokens = [...plain.matchAll(/[^\s,:\-[\]{}()<>|"'→←=]+/g)];
  let first = tokens.length;
  while (first > 0 && byteToken.test(tokens[first - 1]?.[0] ?? '')) first -= 1;
  const start = tokens[first]?.index ?? plain.length;
  // A word such as "a" or "c" before a colon names who sends.
  const isNamed = /^[acqr]\s*[:=]/i.test(plain) && first === 0;
  const from = isNamed ? 1 : first;
  const before = plain.slice(0, isNamed ? (tokens[1]?.index ?? 0) : start);
  const direction = directionOf(before);
  const bytes = bytesOf(tokens.slice(from).map(([token]) => token));
  if (typeof bytes === 'string') return { bytes: null, direction, problem: bytes };
  if (bytes.length > 0) return { bytes, direction, problem: null };
  return {
    bytes: null,
    direction,
    problem: `has no bytes in hexadecimal digits: ${shortened(body)}`,
  };
}

function bytesOf(tokens: readonly string[]): number[] | string {
  const digits = tokens.map((token) => byteToken.exec(token)?.[1] ?? '');
  const areSingle = digits.every((one) => one.length <= 2);
  const odd = digits.find((one) => one.length % 2 === 1 && !(areSingle && one.length === 1));
  if (odd !== undefined)
    return `has an odd number of hexadecimal digits in ${shortened(odd)}: write two for each byte`;
  return digits.flatMap((one) =>
    (one.padStart(2, '0').match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)),
  );
}

function shortened(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}
