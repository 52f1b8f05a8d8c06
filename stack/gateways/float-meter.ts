import type { DeviceModel, Field, Moment } from './registers.ts';

/** A three-phase meter that keeps floats in input registers, as the SDM630 does. It stands at a generator: delivery counts as import. */

const gridV = 231;
const gridHz = 50;
/** Drawn by the generator by night, W. */
const standbyW = 4;
const sinceMs = Date.UTC(2020, 0, 1);

export interface FloatMeterOptions {
  /** Most registers of one request; default 125. */
  registersMax?: number;
}

export function floatMeter({ registersMax }: FloatMeterOptions = {}): DeviceModel {
  const float = (address: number, value: (moment: Moment) => number): Field => ({
    address,
    type: 'f32',
    value,
  });
  const perPhase = (address: number, value: (moment: Moment, phase: number) => number) =>
    [0, 1, 2].map((n) => float(address + 2 * n, (moment) => value(moment, n)));
  const phaseW = ({ powerW }: Moment) => powerW / 3;
  const exportKwh = ({ nowMs }: Moment) => ((nowMs - sinceMs) / 3.6e9) * standbyW;
  return {
    ...(registersMax === undefined ? {} : { registersMax }),
    ranges: [
      {
        function: 4,
        address: 0,
        registers: 0x60,
        fields: [
          ...perPhase(0x00, (_, phase) => gridV + phase * 0.4),
          ...perPhase(0x06, (moment) => phaseW(moment) / gridV),
          ...perPhase(0x0c, phaseW),
          ...perPhase(0x12, phaseW),
          ...perPhase(0x1e, () => 1),
          float(0x30, ({ powerW }) => powerW / gridV),
          float(0x34, ({ powerW }) => powerW),
          float(0x38, ({ powerW }) => powerW),
          float(0x3e, () => 1),
          float(0x46, () => gridHz),
          float(0x48, ({ lifetimeKwh }) => lifetimeKwh),
          float(0x4a, exportKwh),
        ],
      },
      {
        function: 4,
        address: 0x156,
        registers: 0x30,
        fields: [float(0x156, (moment) => moment.lifetimeKwh + exportKwh(moment))],
      },
    ],
  };
}
