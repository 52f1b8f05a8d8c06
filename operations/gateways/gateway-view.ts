import type { GatewayView } from '../../db/gateways/gateways.ts';
import type { LastReading } from '../../db/gateways/tables.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import { type PointQuality, qualityOf } from '../../domain/gateways/reading.ts';
import { exceptionNames } from '../../domain/gateways/exceptions.ts';
import { energyText, powerText, sentenceOf } from '../../domain/wording.ts';

/** Gateways and their values as people see them: the same in API, pages and commands. */

/** One point of a reading, with its value in its unit; null unless its quality is GOOD. */
export interface PointReading {
  point: UnitPoint;
  value: number | null;
  quality: PointQuality;
}

/** The points of a reading in the order of its map; without a reading all are unanswered. */
export function pointReadings(
  points: readonly UnitPoint[],
  reading: LastReading | null,
): PointReading[] {
  return points.map((point, index) => {
    const quality = reading === null ? notAnswered : qualityOf(reading.quality?.[index] ?? 0);
    const value = quality.quality === 'GOOD' ? (reading?.values[index] ?? null) : null;
    return { point, value, quality };
  });
}

const notAnswered: PointQuality = { quality: 'MISSING', why: 'NOT_ANSWERED' };

/**
 * The one or two values that stand for a gateway in a list: its power, and its energy in total or today. Without them its
 * first two numbers.
 */
export function mainReadings(readings: readonly PointReading[]): PointReading[] {
  const numbers = readings.filter(({ point }) => point.type !== 'string');
  const power = numbers.find(({ point }) => point.unit === 'W' || point.unit === 'kW');
  const energy =
    numbers.find(({ point }) => point.kind === 'COUNTER' && isEnergy(point)) ??
    numbers.find(({ point }) => point.kind === 'DAILY' && isEnergy(point));
  const main = [power, energy].filter((one) => one !== undefined);
  return main.length > 0 ? main : numbers.slice(0, 2);
}

function isEnergy({ unit }: UnitPoint): boolean {
  return unit === 'kWh' || unit === 'Wh' || unit === 'MWh';
}

/** "41.2 kW", "88,214.0 kWh", "49.98 Hz", "3". */
export function valueText({ unit, type }: UnitPoint, value: number): string {
  if (unit === 'W') return powerText(value);
  if (unit === 'kW') return powerText(value * 1_000);
  if (unit === 'kWh') return energyText(value);
  if (unit === 'Wh') return energyText(value / 1_000);
  const digits = type === 'bit' || Number.isInteger(value) ? 0 : 2;
  const text = Math.abs(value) >= 1e15 ? value.toExponential(3) : value.toFixed(digits);
  return unit === null ? text : `${text} ${unit}`;
}

/** "good", "refused: illegal data address (2)", "out of range", "not answered". */
export function qualityText(quality: PointQuality): string {
  if (quality.quality === 'GOOD') return 'good';
  switch (quality.why) {
    case 'EXCEPTION':
      return `refused: ${exceptionNames[quality.code] ?? 'unknown exception'} (${quality.code})`;
    case 'RANGE':
      return 'bad: out of its range';
    case 'STEP':
      return 'bad: a step that its counter cannot make';
    case 'LENGTH':
      return 'bad: an answer of the wrong length';
    case 'SENTINEL':
      return 'the device has no value';
    case 'NOT_ANSWERED':
      return 'not answered';
  }
}

/** Why the gateway has its status, as sentences; an ONLINE one answers every poll. */
export function gatewaySentence(row: GatewayView): string {
  if (row.removed_at !== null) return 'Removed: nothing polls it any more.';
  if (row.halted) return 'The emergency stop holds all polling back.';
  if (row.status === 'PAUSED')
    return row.pause_reason === null ? 'Paused by people.' : `Paused: “${row.pause_reason}”.`;
  if (row.status_message !== null) return sentenceOf(row.status_message);
  if (row.status === 'WAITING') return 'Has not answered yet.';
  return row.status === 'ONLINE' ? 'Answers.' : sentenceOf(row.status_reason ?? row.status);
}

/** "10.4.3.20:502 u1, u2": where it is reached. */
export function placeText({ host, port, units }: GatewayView): string {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return [address, units.map(({ unit_id }) => `u${unit_id}`).join(', ')].join(' ').trim();
}
