import type { DeviceModel, Field, Moment } from './registers.ts';

/** A three-phase inverter and its meter as SunSpec lays them out: models 1, 103, 160 and 203 from register 40000. */

export interface SunSpecOptions {
  serial: string;
  /** Rated power, kW. */
  capacityKw: number;
}

/** SunSpec's marks for "not implemented". */
const none = { int16: 0x8000, uint16: 0xffff, acc32: 0 } as const;

const base = 40_000;
const lengths = { common: 66, inverter: 50, strings: 48, meter: 105 } as const;
const at = {
  common: base + 2,
  inverter: base + 4 + lengths.common,
  strings: base + 6 + lengths.common + lengths.inverter,
  meter: base + 8 + lengths.common + lengths.inverter + lengths.strings,
  end: base + 10 + lengths.common + lengths.inverter + lengths.strings + lengths.meter,
} as const;
const stringLength = 20;

const gridHz = 50;
const gridV = 231;
const efficiency = 0.978;
/** What a meter at the generator draws by night, W. */
const standbyW = 4;
const operating = { mppt: 4, sleeping: 2 } as const;

/** The registers of the device; both counters are in Wh. */
export function sunSpecInverter(options: SunSpecOptions): DeviceModel {
  return {
    ranges: [
      {
        function: 3,
        address: base,
        registers: at.end + 2 - base,
        fields: [
          { address: base, type: 'text', registers: 2, value: 'SunS' },
          ...common(options.serial),
          ...inverter(options.capacityKw),
          ...strings(options.capacityKw),
          ...meter(),
          { address: at.end, type: 'u16', value: 0xffff },
          { address: at.end + 1, type: 'u16', value: 0 },
        ],
      },
    ],
  };
}

function header(address: number, model: number, length: number): Field[] {
  return [
    { address, type: 'u16', value: model },
    { address: address + 1, type: 'u16', value: length },
  ];
}

const u16 = (address: number, value: Field['value']): Field => ({ address, type: 'u16', value });
const i16 = (address: number, value: Field['value']): Field => ({ address, type: 'i16', value });
const u32 = (address: number, value: Field['value']): Field => ({ address, type: 'u32', value });

function common(serial: string): Field[] {
  const text = (offset: number, registers: number, value: string): Field => ({
    address: at.common + offset,
    type: 'text',
    registers,
    value,
  });
  return [
    ...header(at.common, 1, lengths.common),
    text(2, 16, 'Heliograph'),
    text(18, 16, 'Simulated inverter'),
    text(42, 8, '1.0.0'),
    text(50, 16, serial),
    u16(at.common + 66, 1),
    u16(at.common + 67, none.int16),
  ];
}

function inverter(capacityKw: number): Field[] {
  const o = at.inverter;
  const phaseA = ({ powerW }: Moment) => (powerW / 3 / gridV) * 100;
  const heat = ({ powerW }: Moment) => 2_200 + (powerW / capacityKw) * 3;
  return [
    ...header(o, 103, lengths.inverter),
    u16(o + 2, (moment) => 3 * phaseA(moment)),
    u16(o + 3, phaseA),
    u16(o + 4, phaseA),
    u16(o + 5, phaseA),
    i16(o + 6, -2),
    ...[7, 8, 9].map((offset) => u16(o + offset, gridV * Math.sqrt(3) * 10)),
    ...[10, 11, 12].map((offset) => u16(o + offset, gridV * 10)),
    i16(o + 13, -1),
    i16(o + 14, ({ powerW }) => powerW),
    i16(o + 15, 0),
    u16(o + 16, gridHz * 100),
    i16(o + 17, -2),
    i16(o + 18, ({ powerW }) => powerW),
    i16(o + 19, 0),
    i16(o + 20, 0),
    i16(o + 21, 0),
    i16(o + 22, 1_000),
    i16(o + 23, -1),
    u32(o + 24, ({ lifetimeKwh }) => lifetimeKwh * 1_000),
    i16(o + 26, 0),
    u16(o + 27, none.uint16),
    u16(o + 28, none.int16),
    u16(o + 29, none.uint16),
    u16(o + 30, none.int16),
    i16(o + 31, ({ powerW }) => powerW / efficiency),
    i16(o + 32, 0),
    i16(o + 33, heat),
    ...[34, 35, 36].map((offset) => u16(o + offset, none.int16)),
    i16(o + 37, -2),
    u16(o + 38, ({ powerW }) => (powerW > 0 ? operating.mppt : operating.sleeping)),
    u16(o + 39, none.uint16),
    ...[40, 42, 44, 46, 48, 50].map((offset) => u32(o + offset, 0)),
  ];
}

function strings(capacityKw: number): Field[] {
  const o = at.strings;
  const ofString = (n: number): Field[] => {
    const s = o + 10 + n * stringLength;
    const dcV = ({ powerW }: Moment) => (powerW > 0 ? 620 + (40 * powerW) / capacityKw / 1_000 : 0);
    const dcW = ({ powerW }: Moment) => powerW / efficiency / 2;
    return [
      u16(s, n + 1),
      { address: s + 1, type: 'text', registers: 8, value: `String ${n + 1}` },
      u16(s + 9, (moment) => (dcV(moment) === 0 ? 0 : (dcW(moment) / dcV(moment)) * 100)),
      u16(s + 10, (moment) => dcV(moment) * 10),
      u16(s + 11, dcW),
      u32(s + 12, ({ lifetimeKwh }) => (lifetimeKwh * 1_000) / efficiency / 2),
      u32(s + 14, 0xffffffff),
      u16(s + 16, none.int16),
      u16(s + 17, ({ powerW }) => (powerW > 0 ? operating.mppt : operating.sleeping)),
      u32(s + 18, 0),
    ];
  };
  return [
    ...header(o, 160, lengths.strings),
    i16(o + 2, -2),
    i16(o + 3, -1),
    i16(o + 4, 0),
    i16(o + 5, 0),
    u32(o + 6, 0),
    u16(o + 8, 2),
    u16(o + 9, none.uint16),
    ...ofString(0),
    ...ofString(1),
  ];
}

function meter(): Field[] {
  const o = at.meter;
  const sinceMs = Date.UTC(2020, 0, 1);
  const amperes = ({ powerW }: Moment) => (powerW / 3 / gridV) * 100;
  const perPhase = (offset: number, value: (moment: Moment) => number) =>
    [1, 2, 3].map((n) => i16(o + offset + n, value));
  const absent = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, n) => u16(o + from + n, 0));
  return [
    ...header(o, 203, lengths.meter),
    i16(o + 2, (moment) => 3 * amperes(moment)),
    ...perPhase(2, amperes),
    i16(o + 6, -2),
    i16(o + 7, gridV * 10),
    ...perPhase(7, () => gridV * 10),
    i16(o + 11, gridV * Math.sqrt(3) * 10),
    ...perPhase(11, () => gridV * Math.sqrt(3) * 10),
    i16(o + 15, -1),
    i16(o + 16, gridHz * 100),
    i16(o + 17, -2),
    // What the generator delivers leaves the site: negative, by SunSpec's rule that import is positive.
    i16(o + 18, ({ powerW }) => standbyW - powerW),
    ...perPhase(18, ({ powerW }) => (standbyW - powerW) / 3),
    i16(o + 22, 0),
    ...[23, 24, 25, 26, 28, 29, 30, 31, 33, 34, 35, 36].map((n) => u16(o + n, none.int16)),
    ...[27, 32, 37].map((n) => u16(o + n, none.int16)),
    u32(o + 38, ({ lifetimeKwh }) => lifetimeKwh * 1_000),
    ...[40, 42, 44].map((n) => u32(o + n, none.acc32)),
    u32(o + 46, ({ nowMs }) => ((nowMs - sinceMs) / 3_600_000) * standbyW),
    ...[48, 50, 52].map((n) => u32(o + n, none.acc32)),
    i16(o + 54, 0),
    ...absent(55, 103),
    u16(o + 71, none.int16),
    u16(o + 104, none.int16),
    u32(o + 105, 0),
  ];
}
