/**
 * A data point: one value that a unit offers in its registers, and how the registers become the value. Addresses are as sent,
 * counted from 0.
 */

/** Which of Modbus's reading functions fetches the point: 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers. */
export type ReadFunction = 1 | 2 | 3 | 4;

export const pointTypes = [
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'acc16',
  'acc32',
  'acc64',
  'enum16',
  'enum32',
  'bitfield16',
  'bitfield32',
  'bitfield64',
  'sunssf',
  'bcd',
  'string',
  'ipaddr',
  'ipv6addr',
  'eui48',
  'bit',
] as const;
/** `acc…`, `enum…`, `bitfield…`, `sunssf`, the addresses and `eui48` are SunSpec's. */
export type PointType = (typeof pointTypes)[number];

/** Whose values are texts: `string` and the addresses of networks. */
export const textTypes: ReadonlySet<PointType> = new Set(['string', 'ipaddr', 'ipv6addr', 'eui48']);

/** How many registers a type takes; null where the point says it. */
export function registersOf(type: PointType): number | null {
  if (type === 'string' || type === 'bcd') return null;
  if (type === 'bit' || type === 'sunssf' || type.endsWith('16')) return 1;
  if (type === 'ipaddr' || type.endsWith('32')) return 2;
  return type === 'ipv6addr' ? 8 : 4;
}

/**
 * In which order the bytes of a value arrive, as letters: A is the most significant byte of a 32-bit value. The four orders
 * hold for 64 bits by the same rule (CDAB: the lowest word first); the last two are for 64 bits only.
 */
export const byteOrders = ['ABCD', 'CDAB', 'BADC', 'DCBA', 'CDABGHEF', 'EFGHABCD'] as const;
export type ByteOrder = (typeof byteOrders)[number];

/** How a data sheet counts: `sent` from 0, `1-based`, or with the table's digit in front, in five or six digits. */
export const addressNotations = ['sent', '1-based', '4xxxx', '4xxxxx'] as const;
export type AddressNotation = (typeof addressNotations)[number];

/** GAUGE moves freely; COUNTER only rises; DAILY is a counter that starts again each day, by the device's clock. */
export type PointKind = 'GAUGE' | 'COUNTER' | 'DAILY';

/** Where SunSpec puts a point: the same offset in each of these models, counted from the register with the model's id. */
export interface SunSpecPlace {
  /** The unit has one of them. */
  models: readonly number[];
  /** Which of the unit's models of this kind, from 0, where one unit has several, such as two meters. */
  occurrence: number;
  /** Offset of the value, registers. */
  offset: number;
  /** Offset of its scale factor (sunssf) in the same model; null: none. */
  scaleFactorOffset: number | null;
  /**
   * For repeating blocks (the inputs of model 160): the length of a block, registers, and which of them, from 0. Offset then
   * counts as in block 0.
   */
  block: { length: number; index: number } | null;
  /** The type in these models; null: the point's. */
  type: PointType | null;
}

export interface DataPoint {
  /** Lower case with underscores and the unit at its end: `ac_power_w`. Unique in its gateway together with the unit. */
  key: string;
  /** For people: "AC power". */
  name: string;
  function: ReadFunction;
  /** As sent; null where SunSpec discovery finds it. */
  address: number | null;
  /** The address as its source gives it, and in which notation; null where it is given as sent. */
  documented: { address: string; notation: AddressNotation } | null;
  /** Where SunSpec discovery finds it: the first of the places that the unit has; null: it has an address. */
  sunspec: readonly SunSpecPlace[] | null;
  /** Register of its scale factor where the address is given, as sent, read by the same function; absent or null: none. */
  scaleFactorAddress?: number | null;
  type: PointType;
  order: ByteOrder;
  /** How many registers it takes: given for `string` and `bcd`, follows from the type for the others; a bit takes one. */
  registers: number;
  /** For `bit` in a register: 0 is the least significant; null for coils and other types. */
  bit: number | null;
  /** value = raw × scale + offset, in `unit`. */
  scale: number;
  offset: number;
  /** As people write it: W, kWh, V, A, Hz, °C, %; null: a pure number or a text. */
  unit: string | null;
  kind: PointKind;
  /** Values outside are BAD(RANGE); a null end is open. In `unit`. */
  range: { min: number | null; max: number | null };
  /** Raw values that mean "no value"; see `Sentinel`. */
  sentinels: readonly Sentinel[];
  /** COUNTER and DAILY: the most that it may rise, in `unit` per hour; null: from the capacity of the unit, or not judged. */
  maxRatePerHour: number | null;
}

/**
 * Raw bits that mean "not available", over all bits of the value in its order ABCD, such as 0x7FFFFFFF; with a mask only the
 * bits under it are compared, for devices that mark one half of a value.
 */
export interface Sentinel {
  bits: bigint;
  /** Null: all bits. */
  mask: bigint | null;
}

/** A point of one unit of a gateway: what the walker reads and the list of points (`map`) holds. */
export interface UnitPoint extends DataPoint {
  unitId: number;
}
