import { clearDays, type CurvePlace, ofCapacity } from './day-curve.ts';
import type { FarmGateway } from './farm.ts';
import { evenTemper } from './behaviour.ts';
import { floatMeter } from './float-meter.ts';
import { Device } from './registers.ts';

/** Any number of gateways for benches: each a meter with float registers at a generator of 5 to 30 kW, on an address of its own. */

/** All of 127.0.0.0/8 belongs to the loopback interface on Linux. */
export const generatedMax = 62_500;

const places: readonly CurvePlace[] = [
  { latitude: 38.72, longitude: -9.14 },
  { latitude: 52.37, longitude: 4.9 },
  { latitude: -23.55, longitude: -46.63 },
  { latitude: 19.08, longitude: 72.88 },
  { latitude: -31.95, longitude: 115.86 },
  { latitude: 39.74, longitude: -104.99 },
];
const capacitiesKw = [5, 8, 10, 15, 20, 30];
/** The meter's unit id. */
export const generatedUnitId = 1;

export function generatedId(n: number): string {
  return `sim-${String(n).padStart(5, '0')}`;
}

/** The address of the n-th gateway, n from 0. */
export function generatedHost(n: number): string {
  return `127.${20 + Math.floor(n / 62_500)}.${Math.floor((n % 62_500) / 250)}.${(n % 250) + 1}`;
}

/** The gateways of a farm whose listening socket is shared. */
export function generatedGateways(count: number, port: number): FarmGateway[] {
  const curves = places.map(clearDays);
  const model = floatMeter();
  return Array.from({ length: count }, (_, n) => {
    const curve = curves[n % curves.length] as (typeof curves)[number];
    const capacityKw = capacitiesKw[n % capacitiesKw.length] ?? 10;
    return {
      id: generatedId(n),
      host: generatedHost(n),
      port,
      devices: new Map([[generatedUnitId, new Device(model, ofCapacity(curve, capacityKw))]]),
      temper: evenTemper,
    };
  });
}
