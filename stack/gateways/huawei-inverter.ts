import type { DeviceModel, Field, Moment } from './registers.ts';

/** A Huawei SUN2000 as its Modbus map shows it: holding registers in decimal, counters in 0.01 kWh. */

export interface HuaweiOptions {
  serial: string;
  /** Rated power, kW. */
  capacityKw: number;
}

const gridV = 231;
const efficiency = 0.983;
const state = { standby: 0x0000, onGrid: 0x0200 } as const;
/** By night the device shows this instead of a temperature. */
const noTemperature = 0x7fff;

/** The registers of the device. The meter's range (37100 …) is absent: none is connected. */
export function huaweiInverter({ serial, capacityKw }: HuaweiOptions): DeviceModel {
  return {
    ranges: [
      {
        function: 3,
        address: 30_000,
        registers: 90,
        fields: [
          { address: 30_000, type: 'text', registers: 15, value: 'SUN2000-10KTL-M1' },
          { address: 30_015, type: 'text', registers: 10, value: serial },
          { address: 30_025, type: 'text', registers: 10, value: '01074706-001' },
          { address: 30_070, type: 'u16', value: 424 },
          { address: 30_071, type: 'u16', value: 2 },
          { address: 30_072, type: 'u16', value: 2 },
          { address: 30_073, type: 'u32', value: capacityKw * 1_000 },
          { address: 30_075, type: 'u32', value: capacityKw * 1_100 },
        ],
      },
      { function: 3, address: 32_000, registers: 117, fields: measured(capacityKw) },
    ],
  };
}

const i32 = (address: number, value: Field['value']): Field => ({ address, type: 'i32', value });
const u32 = (address: number, value: Field['value']): Field => ({ address, type: 'u32', value });
const i16 = (address: number, value: Field['value']): Field => ({ address, type: 'i16', value });
const u16 = (address: number, value: Field['value']): Field => ({ address, type: 'u16', value });

function measured(capacityKw: number): Field[] {
  const isRunning = ({ powerW }: Moment) => powerW > 0;
  const dcW = ({ powerW }: Moment) => powerW / efficiency;
  const stringV = (moment: Moment) => (isRunning(moment) ? 610 : 0);
  const stringA = (moment: Moment) => (isRunning(moment) ? dcW(moment) / 2 / 610 : 0);
  const phaseA = ({ powerW }: Moment) => powerW / 3 / gridV;
  return [
    u16(32_000, (moment) => (isRunning(moment) ? 0x0006 : 0x0001)),
    ...[32_016, 32_018].map((address) => i16(address, (moment) => stringV(moment) * 10)),
    ...[32_017, 32_019].map((address) => i16(address, (moment) => stringA(moment) * 100)),
    i32(32_064, dcW),
    ...[32_066, 32_067, 32_068].map((address) => u16(address, gridV * Math.sqrt(3) * 10)),
    ...[32_069, 32_070, 32_071].map((address) => u16(address, gridV * 10)),
    ...[32_072, 32_074, 32_076].map((address) => i32(address, (moment) => phaseA(moment) * 1_000)),
    i32(32_078, capacityKw * 800),
    i32(32_080, ({ powerW }) => powerW),
    i32(32_082, 0),
    i16(32_084, (moment) => (isRunning(moment) ? 1_000 : 0)),
    u16(32_085, 5_000),
    u16(32_086, (moment) => (isRunning(moment) ? efficiency * 10_000 : 0)),
    i16(32_087, (moment) =>
      isRunning(moment) ? 220 + (moment.powerW / capacityKw) * 0.3 : noTemperature,
    ),
    u16(32_088, 3_000),
    u16(32_089, (moment) => (isRunning(moment) ? state.onGrid : state.standby)),
    u32(32_106, ({ lifetimeKwh }) => lifetimeKwh * 100),
    u32(32_114, ({ todayKwh }) => todayKwh * 100),
  ];
}
