import type { DayCurve, Generation } from './day-curve.ts';

/** The registers of a simulated device: fields at addresses, some of which move with the clock. */

export type FieldType = 'u16' | 'i16' | 'u32' | 'i32' | 'u64' | 'i64' | 'f32' | 'text';

/** What moving fields are computed from. */
export interface Moment extends Generation {
  nowMs: number;
}

export interface Field {
  /** As sent, from 0. */
  address: number;
  type: FieldType;
  /** Of a text, registers; other types have their own length. */
  registers?: number;
  /** In the device's own steps: a fraction is rounded, unless the type is `f32`. */
  value: number | bigint | string | ((moment: Moment) => number);
}

/** A range of registers that the device has; what no field names reads as `fill`. */
export interface Range {
  function: 3 | 4;
  address: number;
  registers: number;
  /** Default: 0. */
  fill?: number;
  fields: readonly Field[];
}

/** Coils or discrete inputs. */
export interface BitRange {
  function: 1 | 2;
  address: number;
  bits: readonly (boolean | ((moment: Moment) => boolean))[];
}

export interface DeviceModel {
  ranges: readonly Range[];
  bits?: readonly BitRange[];
  /** Most registers of one request, with exception 2 beyond; default 125. */
  registersMax?: number;
}

/** Modbus's exception codes that devices answer here. */
export const exceptions = {
  illegalFunction: 1,
  illegalAddress: 2,
  illegalValue: 3,
  busy: 6,
  noPath: 10,
  targetSilent: 11,
} as const;

/** What a device answers: the data of the PDU behind its byte count, or an exception's code. */
export type Answer = Buffer | number;

const registersOf: Readonly<Record<Exclude<FieldType, 'text'>, number>> = {
  u16: 1,
  i16: 1,
  u32: 2,
  i32: 2,
  f32: 2,
  u64: 4,
  i64: 4,
};
const registersAtMost = 125;
const bitsAtMost = 2_000;
/** With less a generator sleeps. */
const wakeW = 1;
/** Devices measure once a second. */
const refreshMs = 1_000;

interface Block {
  range: Range;
  bytes: Buffer;
  moving: readonly Field[];
}

/** One device behind a gateway: answers reads from registers that it renews at most once a second. */
export class Device {
  readonly #blocks: readonly Block[];
  readonly #bits: readonly BitRange[];
  readonly #curve: DayCurve;
  readonly #registersMax: number;
  #refreshedAt = -Infinity;
  #isSwapped = false;
  #moment: Moment = { nowMs: 0, powerW: 0, todayKwh: 0, lifetimeKwh: 0 };

  constructor(model: DeviceModel, curve: DayCurve) {
    this.#curve = curve;
    this.#registersMax = model.registersMax ?? registersAtMost;
    this.#bits = model.bits ?? [];
    this.#blocks = model.ranges.map((range) => {
      const bytes = Buffer.alloc(2 * range.registers);
      for (let n = 0; n < range.registers; n += 1) bytes.writeUInt16BE(range.fill ?? 0, 2 * n);
      for (const field of range.fields) checkPlace(range, field);
      const isMoving = ({ value }: Field) => typeof value === 'function';
      const block = { range, bytes, moving: range.fields.filter(isMoving) };
      for (const field of range.fields)
        if (!isMoving(field)) writeField(block, field, this.#moment, false);
      return block;
    });
  }

  /**
   * Answers a read. `isSwapped`: with the words of each value in the reverse order, as after a change of the device's firmware.
   *
   * @param request `count` in registers, or in bits for functions 1 and 2.
   */
  read(
    request: { function: number; address: number; count: number },
    nowMs: number,
    isSwapped = false,
  ): Answer {
    const { function: code, address, count } = request;
    if (code === 1 || code === 2) return this.#readBits(request, nowMs);
    if (code !== 3 && code !== 4) return exceptions.illegalFunction;
    if (count < 1 || count > registersAtMost) return exceptions.illegalValue;
    if (count > this.#registersMax) return exceptions.illegalAddress;
    const block = this.#blocks.find(
      ({ range }) =>
        range.function === code &&
        address >= range.address &&
        address + count <= range.address + range.registers,
    );
    if (block === undefined) {
      const isKnown = this.#blocks.some(({ range }) => range.function === code);
      return isKnown ? exceptions.illegalAddress : exceptions.illegalFunction;
    }
    this.#refresh(nowMs, isSwapped);
    const from = 2 * (address - block.range.address);
    return block.bytes.subarray(from, from + 2 * count);
  }

  #readBits(
    { function: code, address, count }: { function: number; address: number; count: number },
    nowMs: number,
  ): Answer {
    if (count < 1 || count > bitsAtMost) return exceptions.illegalValue;
    const ranges = this.#bits.filter((range) => range.function === code);
    if (ranges.length === 0) return exceptions.illegalFunction;
    const range = ranges.find(
      (one) => address >= one.address && address + count <= one.address + one.bits.length,
    );
    if (range === undefined) return exceptions.illegalAddress;
    this.#refresh(nowMs, this.#isSwapped);
    const packed = Buffer.alloc(Math.ceil(count / 8));
    for (let n = 0; n < count; n += 1) {
      const bit = range.bits[address - range.address + n];
      const isSet = typeof bit === 'function' ? bit(this.#moment) : bit === true;
      if (isSet) packed[n >> 3] = (packed[n >> 3] ?? 0) | (1 << (n & 7));
    }
    return packed;
  }

  #refresh(nowMs: number, isSwapped: boolean): void {
    if (isSwapped !== this.#isSwapped) return this.#writeAll(nowMs, isSwapped);
    if (nowMs < this.#refreshedAt + refreshMs && nowMs >= this.#refreshedAt) return;
    this.#refreshedAt = nowMs;
    this.#moment = this.#momentAt(nowMs);
    for (const block of this.#blocks)
      for (const field of block.moving) writeField(block, field, this.#moment, isSwapped);
  }

  #momentAt(nowMs: number): Moment {
    const generation = this.#curve(nowMs);
    return { nowMs, ...generation, powerW: generation.powerW < wakeW ? 0 : generation.powerW };
  }

  #writeAll(nowMs: number, isSwapped: boolean): void {
    this.#refreshedAt = nowMs;
    this.#isSwapped = isSwapped;
    this.#moment = this.#momentAt(nowMs);
    for (const block of this.#blocks)
      for (const field of block.range.fields) writeField(block, field, this.#moment, isSwapped);
  }
}

function lengthOf(field: Field): number {
  if (field.type !== 'text') return registersOf[field.type];
  if (field.registers === undefined) throw new Error(`the text at ${field.address} has no length`);
  return field.registers;
}

function checkPlace(range: Range, field: Field): void {
  const isInside =
    field.address >= range.address &&
    field.address + lengthOf(field) <= range.address + range.registers;
  if (!isInside)
    throw new Error(
      `the field at ${field.address} is outside of ${range.address} … ${range.address + range.registers - 1}`,
    );
}

function writeField(block: Block, field: Field, moment: Moment, isSwapped: boolean): void {
  const { bytes } = block;
  const from = 2 * (field.address - block.range.address);
  const registers = lengthOf(field);
  const value = typeof field.value === 'function' ? field.value(moment) : field.value;
  if (field.type === 'text') {
    bytes.fill(0, from, from + 2 * registers);
    bytes.write(String(value).slice(0, 2 * registers), from, 'latin1');
    return;
  }
  writeNumber(bytes, from, field.type, value as number | bigint);
  if (isSwapped && registers > 1) swapWords(bytes.subarray(from, from + 2 * registers));
}

function writeNumber(
  bytes: Buffer,
  from: number,
  type: Exclude<FieldType, 'text'>,
  value: number | bigint,
): void {
  switch (type) {
    case 'u16':
      return void bytes.writeUInt16BE(Math.round(Number(value)) & 0xffff, from);
    case 'i16':
      return void bytes.writeInt16BE(Math.round(Number(value)), from);
    case 'u32':
      return void bytes.writeUInt32BE(Math.round(Number(value)) >>> 0, from);
    case 'i32':
      return void bytes.writeInt32BE(Math.round(Number(value)), from);
    case 'f32':
      return void bytes.writeFloatBE(Number(value), from);
    case 'u64':
      return void bytes.writeBigUInt64BE(whole(value), from);
    case 'i64':
      return void bytes.writeBigInt64BE(whole(value), from);
  }
}

function whole(value: number | bigint): bigint {
  return typeof value === 'bigint' ? value : BigInt(Math.round(value));
}

function swapWords(bytes: Buffer): void {
  bytes.swap16();
  bytes.reverse();
}
