import { noQuirks, type Quirks } from '../../domain/gateways/gateway.ts';
import type { DataPoint, ReadFunction } from '../../domain/gateways/point.ts';
import type { Preset } from '../../domain/gateways/preset.ts';
import type { PollFailure } from '../../domain/gateways/reading.ts';
import { decodePoint } from '../../domain/gateways/decode.ts';
import {
  discoverSunSpec,
  resolvePoints,
  sunSpecBases,
  type SunSpecLayout,
} from '../../domain/gateways/sunspec.ts';
import { guessOrder, type OrderGuess } from '../../domain/gateways/word-order.ts';
import { exceptionText } from '../../domain/gateways/exceptions.ts';
import type { ModbusSite, SiteReadResult } from './site.ts';

/** Finds out what is behind a gateway: units that answer, their functions, SunSpec models, and which preset fits. */

export interface DiscoverOptions {
  presets: ReadonlyMap<string, Preset>;
  quirks?: Quirks;
  /** Of one read, ms. */
  deadlineMs?: number;
  /** Addresses at which "SunS" is looked for. */
  bases?: readonly number[];
  /** Ends it at once: what was not asked yet fails with CLOSED. */
  signal?: AbortSignal | undefined;
}

export interface FunctionFound {
  function: ReadFunction;
  /** Null: it did not answer. */
  isSupported: boolean | null;
  /** What the unit said. */
  said: string;
}

export interface UnitFound {
  unitId: number;
  answers: boolean;
  functions: FunctionFound[];
  sunspec: SunSpecLayout | null;
  /** Why there is no SunSpec device; empty if there is one. */
  noSunspec: string[];
  /** Texts of SunSpec's model 1: manufacturer, model, firmware, serial. */
  identity: Record<string, string>;
  wordOrder: OrderGuess | null;
  /** Presets whose values are in their ranges, the best first. */
  presets: { name: string; fits: number; of: number }[];
  /** Why the unit does not answer; null: it does. */
  failure: PollFailure | null;
}

const defaultDeadlineMs = 3_000;
const functions = [1, 2, 3, 4] as const;
/** A preset needs this many values in their ranges to be named. */
const presetFitsMin = 2;

type Read = (code: ReadFunction, address: number, count: number) => Promise<SiteReadResult>;

/** Asks one unit. It reads only, a few registers at a time. */
export async function discoverUnit(
  site: ModbusSite,
  unitId: number,
  options: DiscoverOptions,
): Promise<UnitFound> {
  const { quirks = noQuirks, deadlineMs = defaultDeadlineMs, bases = sunSpecBases } = options;
  const { signal } = options;
  const read: Read = (code, address, count) => {
    const range = { unitId, function: code, address, count };
    return site.read({ ...range, quirks, deadlineMs, ...(signal !== undefined && { signal }) });
  };
  const found: FunctionFound[] = [];
  for (const code of functions) {
    const answer = await read(code, 0, 1);
    // Without a connection the other functions would fail in the same way, one time-out after the other.
    if (answer.kind === 'FAILED' && unreachable.has(answer.failure.reason))
      return nothingFound(unitId, answer.failure);
    found.push(functionFound(code, answer));
  }
  const sunspec = await discoverSunSpec((address, count) => read(3, address, count), bases);
  const layout = 'base' in sunspec ? sunspec : null;
  const answers = layout !== null || found.some(({ isSupported }) => isSupported !== null);
  const unit: UnitFound = {
    unitId,
    answers,
    functions:
      layout === null
        ? found
        : found.map((one) => (one.function === 3 ? { ...one, isSupported: true } : one)),
    sunspec: layout,
    noSunspec: 'base' in sunspec ? [] : sunspec.problems,
    identity: {},
    wordOrder: null,
    presets: [],
    failure: 'base' in sunspec || answers ? null : sunspec.failure,
  };
  if (!answers) return unit;
  return layout !== null && layout.models.length > 0
    ? { ...unit, ...(await sunSpecFound(read, unitId, { layout, presets: options.presets })) }
    : { ...unit, ...(await presetsFound(read, unit.functions, options.presets)) };
}

/** Failures of the connection. */
const unreachable: ReadonlySet<string> = new Set([
  'CONNECTION_REFUSED',
  'NO_ROUTE',
  'NAME_NOT_FOUND',
  'ADDRESS_REFUSED',
  'CONNECT_TIMEOUT',
]);

function nothingFound(unitId: number, failure: PollFailure): UnitFound {
  return {
    unitId,
    answers: false,
    functions: [],
    sunspec: null,
    noSunspec: [],
    identity: {},
    wordOrder: null,
    presets: [],
    failure,
  };
}

function functionFound(code: ReadFunction, result: SiteReadResult): FunctionFound {
  if (result.kind === 'ANSWER') return { function: code, isSupported: true, said: 'answers' };
  if (result.kind === 'FAILED')
    return { function: code, isSupported: null, said: result.failure.message };
  // A unit that refuses the address knows the function. 10 and 11 come from the gateway: the unit is silent.
  const isSilent = result.code === 10 || result.code === 11;
  return {
    function: code,
    isSupported: isSilent ? null : result.code !== 1,
    said: exceptionText(result.code),
  };
}

async function sunSpecFound(
  read: Read,
  unitId: number,
  { layout, presets }: { layout: SunSpecLayout; presets: ReadonlyMap<string, Preset> },
): Promise<Pick<UnitFound, 'identity' | 'wordOrder' | 'presets'>> {
  const ofSunSpec = [...presets.values()].filter(({ points }) =>
    points.some(({ sunspec }) => sunspec),
  );
  const identity: Record<string, string> = {};
  const fits = ofSunSpec.map(({ name, points }) => {
    const all = points.map((point) => ({ ...point, unitId }));
    const { points: placed } = resolvePoints(all, new Map([[unitId, layout]]));
    const own = placed.filter(({ sunspec }) => sunspec?.some(({ models }) => !models.includes(1)));
    return { name, fits: own.length, of: own.length === 0 ? 0 : points.length, placed };
  });
  for (const point of fits[0]?.placed ?? []) {
    if (point.type !== 'string') continue;
    const answer = await read(3, point.address, point.registers);
    if (answer.kind !== 'ANSWER') continue;
    const { value } = decodePoint(point, answer.bytes, null);
    if (typeof value === 'string') identity[point.key] = value;
  }
  return {
    identity,
    wordOrder: { order: 'ABCD', reason: 'the high word comes first: SunSpec prescribes it' },
    presets: fits
      .filter((one) => one.fits > 0)
      .toSorted((one, other) => other.fits - one.fits)
      .map(({ name, fits: count, of }) => ({ name, fits: count, of })),
  };
}

/** Reads what the presets know, value by value, and counts what is in its range. */
async function presetsFound(
  read: Read,
  supported: readonly FunctionFound[],
  presets: ReadonlyMap<string, Preset>,
): Promise<Pick<UnitFound, 'identity' | 'wordOrder' | 'presets'>> {
  const usable = new Set(
    supported.filter((one) => one.isSupported === true).map((one) => one.function),
  );
  const samples: { point: DataPoint; bytes: Uint8Array }[] = [];
  const ranked: UnitFound['presets'] = [];
  const answers = new Map<string, SiteReadResult>();
  for (const { name, points } of presets.values()) {
    const telling = points.filter(
      ({ address, function: code, range }) =>
        address !== null && usable.has(code) && range.min !== null,
    );
    let fits = 0;
    for (const point of telling) {
      const place = `${point.function}/${point.address}/${point.registers}`;
      const answer =
        answers.get(place) ?? (await read(point.function, point.address ?? 0, point.registers));
      answers.set(place, answer);
      if (answer.kind !== 'ANSWER') continue;
      samples.push({ point, bytes: answer.bytes });
      // Devices show 0 in registers that they do not use: it proves nothing.
      const isZero = answer.bytes.every((byte) => byte === 0);
      if (!isZero && decodePoint(point, answer.bytes, null).quality.quality === 'GOOD') fits += 1;
    }
    ranked.push({ name, fits, of: telling.length });
  }
  const best = ranked
    .filter(({ fits, of }) => fits >= presetFitsMin && 2 * fits > of)
    .toSorted((one, other) => other.fits / other.of - one.fits / one.of || other.fits - one.fits);
  const known = presets.get(best[0]?.name ?? '');
  const own =
    known === undefined ? samples : samples.filter(({ point }) => known.points.includes(point));
  return { identity: {}, wordOrder: guessOrder(own), presets: best };
}
