import type { UnitPoint } from '../../domain/gateways/point.ts';
import type { PointKey } from './device.ts';

/** The points that every simulated gateway is read for: an inverter behind unit 1, a meter behind unit 2. */

const common = {
  function: 3,
  documented: null,
  sunspec: null,
  order: 'ABCD',
  bit: null,
  offset: 0,
  sentinels: [],
  name: '',
} as const;

function energy(unitId: number, key: PointKey, address: number): UnitPoint {
  return {
    ...common,
    unitId,
    key,
    address,
    type: 'uint32',
    registers: 2,
    scale: 0.01,
    unit: 'kWh',
    kind: key === 'daily_kwh' ? 'DAILY' : 'COUNTER',
    range: { min: 0, max: null },
    maxRatePerHour: 25,
  };
}

function gauge(unitId: number, key: PointKey, address: number, scale: number): UnitPoint {
  return {
    ...common,
    unitId,
    key,
    address,
    type: 'int32',
    registers: 2,
    scale,
    unit: key === 'power_w' ? 'W' : '°C',
    kind: 'GAUGE',
    range: { min: -100_000, max: 100_000 },
    maxRatePerHour: null,
  };
}

/** The points of a gateway. Their name tells the simulated socket whose they are. */
export function pointsOf(gatewayId: string): readonly UnitPoint[] {
  return [1, 2]
    .flatMap((unitId) => [
      gauge(unitId, 'power_w', 0, 1),
      energy(unitId, 'energy_kwh', 2),
      energy(unitId, 'daily_kwh', 4),
      ...(unitId === 1 ? [gauge(unitId, 'temperature_c', 20, 0.1)] : []),
    ])
    .map((point) => ({ ...point, name: gatewayId }));
}

/** As a device sends it. */
export function bytesOf(raw: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, raw | 0);
  return bytes;
}
