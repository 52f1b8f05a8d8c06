import { hiddenCharacters } from '../hidden-characters.ts';
import { decimalValue } from './decimal.ts';
import { type ByteOrder, type DataPoint, registersOf, textTypes } from './point.ts';
import type { PointValue } from './reading.ts';

/** From the bits of a point to its value: raw, sentinel, scale and offset, range. Nothing that is in doubt becomes a number. */

/** What the bits say before scale and offset; null if they are no number of the type (a digit above 9 in `bcd`). */
export type RawValue = bigint | number | string | null;

/** The powers of ten that SunSpec allows as scale factor. */
export const scaleFactorMax = 10;

const missing: PointValue = { value: null, quality: { quality: 'MISSING', why: 'SENTINEL' } };
const badRange: PointValue = { value: null, quality: { quality: 'BAD', why: 'RANGE' } };
const badLength: PointValue = { value: null, quality: { quality: 'BAD', why: 'LENGTH' } };

/**
 * The value of a point.
 *
 * @param bytes the point's registers as they arrived, two bytes each; of a coil one byte, 0 or 1.
 * @param scaleFactor the power of ten from the point's SunSpec scale factor; null: it has none. −32768 means that the device
 *   offers no value.
 */
export function decodePoint(
  point: DataPoint,
  bytes: Uint8Array,
  scaleFactor: number | null,
): PointValue {
  if (bytes.length !== byteLengthOf(point)) return badLength;
  if (textTypes.has(point.type)) {
    const text = isSentinel(point, bytes) ? '' : String(rawValue(point, bytes));
    return text === '' ? missing : { value: text, quality: { quality: 'GOOD' } };
  }
  if (isSentinel(point, bytes) || scaleFactor === notImplementedScaleFactor) return missing;
  const raw = rawValue(point, bytes);
  if (Number.isNaN(raw)) return missing;
  if (raw === null || typeof raw === 'string') return badRange;
  if (scaleFactor !== null && Math.abs(scaleFactor) > scaleFactorMax) return badRange;
  const value = decimalValue(raw, point.scale, point.offset, scaleFactor ?? 0);
  const { min, max } = point.range;
  if (!Number.isFinite(value) || (min !== null && value < min) || (max !== null && value > max))
    return badRange;
  return { value, quality: { quality: 'GOOD' } };
}

const notImplementedScaleFactor = -0x8000;

/** How many bytes of an answer belong to the point. */
export function byteLengthOf(point: Pick<DataPoint, 'function' | 'type' | 'registers'>): number {
  return point.function <= 2 ? 1 : 2 * (registersOf(point.type) ?? point.registers);
}

/** What the bits say. @param bytes as many as `byteLengthOf` says. */
export function rawValue(point: DataPoint, bytes: Uint8Array): RawValue {
  const { type, order } = point;
  if (type === 'bit') return bitOf(point, bytes);
  if (type === 'string') return textOf(bytes, order);
  const ordered = inOrder(bytes, order);
  const view = new DataView(ordered.buffer, ordered.byteOffset, ordered.length);
  if (type === 'float32') return view.getFloat32(0);
  if (type === 'float64') return view.getFloat64(0);
  if (type === 'bcd') return digitsOf(ordered);
  if (type === 'ipaddr' || type === 'ipv6addr' || type === 'eui48')
    return networkAddress(type, ordered);
  const isSigned = type.startsWith('int') || type === 'sunssf';
  if (ordered.length === 2) return isSigned ? view.getInt16(0) : view.getUint16(0);
  if (ordered.length === 4) return isSigned ? view.getInt32(0) : view.getUint32(0);
  return isSigned ? view.getBigInt64(0) : view.getBigUint64(0);
}

/** All bits of a value as one number, the most significant byte first. */
export function bitsOf(point: DataPoint, bytes: Uint8Array): bigint {
  let bits = 0n;
  const ordered = point.function <= 2 ? bytes : inOrder(bytes, point.order);
  for (const byte of ordered) bits = (bits << 8n) | BigInt(byte);
  return bits;
}

function isSentinel(point: DataPoint, bytes: Uint8Array): boolean {
  if (point.sentinels.length === 0) return false;
  const bits = bitsOf(point, bytes);
  return point.sentinels.some(({ bits: none, mask }) =>
    mask === null ? bits === none : (bits & mask) === (none & mask),
  );
}

/**
 * The bytes from the most significant to the least. The four orders of 32 bits hold for any number of registers: CDAB turns
 * the words around, BADC the bytes of each word, DCBA both.
 */
export function inOrder(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  if (order === 'ABCD') return bytes;
  if (order === 'DCBA') return bytes.toReversed();
  const { length } = bytes;
  const from = (index: number): number => {
    if (order === 'BADC') return index ^ 1;
    if (order === 'CDAB') return length - 2 - (index & ~1) + (index & 1);
    // Values of 64 bits only; shorter ones have one long word, in which nothing or all is turned around.
    if (order === 'CDABGHEF') return length < 4 ? index : index ^ 2;
    return length < 8 ? index : index ^ 4;
  };
  return Uint8Array.from(bytes, (_, index) => bytes[from(index)] ?? 0);
}

function bitOf(point: DataPoint, bytes: Uint8Array): number {
  if (point.function <= 2) return (bytes[0] ?? 0) & 1;
  const ordered = inOrder(bytes, point.order);
  const register = ((ordered[0] ?? 0) << 8) | (ordered[1] ?? 0);
  return (register >> (point.bit ?? 0)) & 1;
}

/** Packed decimal digits; null if one is above 9. */
function digitsOf(bytes: Uint8Array): bigint | null {
  let value = 0n;
  for (const byte of bytes)
    for (const digit of [byte >> 4, byte & 15]) {
      if (digit > 9) return null;
      value = value * 10n + BigInt(digit);
    }
  return value;
}

const hidden = new RegExp(`[${hiddenCharacters}]`, 'gu');

/** Registers hold a text in reading order whatever the order of words is; only the bytes of a register may be swapped. */
function textOf(bytes: Uint8Array, order: ByteOrder): string {
  const isSwapped = order === 'BADC' || order === 'DCBA';
  const read = isSwapped ? inOrder(bytes, 'BADC') : bytes;
  const end = read.indexOf(0);
  let length = end === -1 ? read.length : end;
  while (length > 0 && (read[length - 1] === 0xff || read[length - 1] === 0x20)) length -= 1;
  return decodeText(read.subarray(0, length)).replaceAll(hidden, '').trimEnd();
}

/** UTF-8 where the bytes are that, else Latin-1, which has a character for every byte. */
function decodeText(bytes: Uint8Array): string {
  const latin = String.fromCharCode(...bytes);
  if (!/[\u0080-\u00ff]/.test(latin)) return latin;
  try {
    return decodeURIComponent(latin.replaceAll(/[^\w]/g, percentEncoded));
  } catch {
    return latin;
  }
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** "" if the device has none: all bits 0, or all 1. */
function networkAddress(type: 'ipaddr' | 'ipv6addr' | 'eui48', bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0) || bytes.every((byte) => byte === 0xff)) return '';
  if (type === 'ipaddr') return bytes.join('.');
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  if (type === 'eui48') return hex.slice(2).join(':');
  return hex.join('').replaceAll(/(.{4})(?!$)/g, '$1:');
}

/** By how much a value may change at least, in the point's unit. @param value tells the precision of a float. */
export function resolutionOf(point: DataPoint, scaleFactor: number | null, value: number): number {
  if (point.type === 'float32' || point.type === 'float64') {
    const precision = point.type === 'float32' ? 2 ** -23 : Number.EPSILON;
    return 2 ** Math.floor(Math.log2(Math.max(Math.abs(value), Number.MIN_VALUE))) * precision;
  }
  return Math.abs(decimalValue(1, point.scale, 0, scaleFactor ?? 0));
}
