import type { DataPoint } from '../../domain/gateways/point.ts';

/** What the bench reads of each simulated meter: twelve points that fit two requests, since 38 unused registers lie between. */

const float = (
  key: string,
  address: number,
  unit: string,
  range: DataPoint['range'],
): DataPoint => ({
  key,
  name: key,
  function: 4,
  address,
  documented: null,
  sunspec: null,
  type: 'float32',
  order: 'ABCD',
  registers: 2,
  bit: null,
  scale: 1,
  offset: 0,
  unit,
  kind: 'GAUGE',
  range,
  sentinels: [],
  maxRatePerHour: null,
});

const mains = { min: 180, max: 280 };
const current = { min: -200, max: 200 };
const power = { min: -100_000, max: 100_000 };

/** More than any of the simulated generators delivers, kWh an hour. */
const risesMax = 40;
const counter = (key: string, address: number): DataPoint => ({
  ...float(key, address, 'kWh', { min: 0, max: 1e7 }),
  kind: 'COUNTER',
  maxRatePerHour: risesMax,
});

/** The requests of a poll. */
export const requestsPerPoll = 2;

export const benchPoints: readonly DataPoint[] = [
  float('voltage_l1_v', 0x00, 'V', mains),
  float('voltage_l2_v', 0x02, 'V', mains),
  float('voltage_l3_v', 0x04, 'V', mains),
  float('current_l1_a', 0x06, 'A', current),
  float('current_l2_a', 0x08, 'A', current),
  float('current_l3_a', 0x0a, 'A', current),
  float('power_l1_w', 0x0c, 'W', power),
  float('active_power_w', 0x34, 'W', power),
  float('apparent_power_va', 0x38, 'VA', power),
  float('frequency_hz', 0x46, 'Hz', { min: 45, max: 65 }),
  counter('import_energy_kwh', 0x48),
  counter('export_energy_kwh', 0x4a),
];
