import {
  fieldsOf,
  listOf,
  named,
  natural,
  type Place,
  type Problem,
  type Read,
  refuse,
  text,
} from './fields.ts';
import type { GatewayDraft, GatewayUnit } from './gateway.ts';
import type { DataPoint, ReadFunction, UnitPoint } from './point.ts';
import { pointDefaults, pointsOf } from './point-json.ts';

/** Presets: named lists of data points for a device family. They are data files; this is their form. */

export interface Preset {
  /** Lower case letters, digits and hyphens: the name of its file. */
  name: string;
  /** For people: the devices that it fits. */
  title: string;
  /** Where the addresses come from. */
  source: string;
  /** What a technician should know: usual unit id, pauses that some devices need; null: nothing. */
  notes: string | null;
  points: readonly DataPoint[];
  samples: readonly PresetSample[];
}

/** Registers as a device answers them, with the right values: the preset's test. */
export interface PresetSample {
  title: string;
  registers: readonly SampleRegisters[];
  /** By the points' keys; null: the point has no value there. */
  values: Readonly<Record<string, number | string | null>>;
}

export interface SampleRegisters {
  function: ReadFunction;
  /** Of the first, as sent. */
  address: number;
  bytes: Uint8Array;
}

/** Reads a preset's file. @throws Error that lists all problems: presets are part of the product. */
export function parsePreset(json: unknown): Preset {
  const problems: Problem[] = [];
  const preset = readPreset(json, { path: '', problems });
  if (preset === undefined || problems.length > 0)
    throw new Error(problems.map(({ path, message }) => `${path} ${message}`).join('; '));
  return preset;
}

function readPreset(json: unknown, place: Place): Preset | undefined {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const defaults = fields.take('defaults', pointDefaults, {});
  const preset = {
    name: fields.need('name', text),
    title: fields.need('title', text),
    source: fields.need('source', paragraph),
    notes: fields.take('notes', paragraph, null),
    points: fields.need('points', pointsOf(defaults ?? {})),
    samples: fields.need('samples', listOf(readSample)),
  };
  fields.end();
  return preset as Preset;
}

const paragraph: Read<string> = (json, place) =>
  typeof json === 'string' && json !== ''
    ? json
    : refuse(place, `must be a text, not ${named(json)}`);

const readSample: Read<PresetSample> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const sample = {
    title: fields.need('title', text),
    registers: fields.need('registers', listOf(readRegisters)),
    values: fields.need('values', (values) => values as PresetSample['values']),
  };
  fields.end();
  return sample as PresetSample;
};

const readRegisters: Read<SampleRegisters> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const code = fields.need('function', natural);
  const address = fields.need('address', natural);
  const bytes = fields.need('hex', readHex);
  fields.end();
  if (code === undefined || address === undefined || bytes === undefined) return undefined;
  return { function: code as ReadFunction, address, bytes };
};

/** Registers in hexadecimal digits, with spaces between them. */
const readHex: Read<Uint8Array> = (json, place) => {
  const digits = typeof json === 'string' ? json.replaceAll(/\s/g, '') : '';
  if (!/^([\da-f]{4})+$/i.test(digits)) return refuse(place, 'must be words of four hex digits');
  return Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
};

/**
 * The points of a gateway, unit by unit: those of the unit's preset, and its own, which replace the preset's of the same key.
 * Where a unit's capacity is known it limits what its energies may rise.
 *
 * @throws RangeError if a preset is unknown: `validateGateway` says so before.
 */
export function pointsOfGateway(
  { units }: Pick<GatewayDraft, 'units'>,
  presets: ReadonlyMap<string, Preset>,
): UnitPoint[] {
  return units.flatMap((unit) => pointsOfUnit(unit, presets));
}

function pointsOfUnit(unit: GatewayUnit, presets: ReadonlyMap<string, Preset>): UnitPoint[] {
  const { unitId, preset, capacityKw, points: own } = unit;
  const basis = preset === null ? undefined : presets.get(preset);
  if (preset !== null && basis === undefined) throw new RangeError(`no preset is named ${preset}`);
  const owned = new Map(own.map((point) => [point.key, point]));
  const fromPreset = (basis?.points ?? []).map((point): DataPoint => {
    const replacement = owned.get(point.key);
    owned.delete(point.key);
    return {
      ...(replacement ?? point),
      maxRatePerHour: replacement?.maxRatePerHour ?? rateOf(replacement ?? point, capacityKw),
    };
  });
  const added = [...owned.values()].map((point) => ({
    ...point,
    maxRatePerHour: point.maxRatePerHour ?? rateOf(point, capacityKw),
  }));
  return [...fromPreset, ...added].map((point) => ({ ...point, unitId }));
}

/** How much of an energy's unit one kWh is. */
const perKwh: Readonly<Record<string, number>> = { Wh: 1_000, kWh: 1, MWh: 0.001 };

/** The smaller of what the point and what the unit's capacity allows; a replaced point that names its rate keeps it. */
function rateOf(point: DataPoint, capacityKw: number | null): number | null {
  const factor = perKwh[point.unit ?? ''];
  if (point.kind === 'GAUGE' || capacityKw === null || factor === undefined)
    return point.maxRatePerHour;
  return Math.min(point.maxRatePerHour ?? Infinity, capacityKw * factor);
}
