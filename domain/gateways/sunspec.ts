import { byteLengthOf } from './decode.ts';
import type { SunSpecPlace, UnitPoint } from './point.ts';
import type { PollFailure } from './reading.ts';

/** SunSpec: which models a unit has and where, and the addresses of points that are given by model and offset. */

/** Where SunSpec lets a device begin, in the order in which they are tried, as sent. */
export const sunSpecBases = [40_000, 0, 50_000] as const;

/** A block of registers of one model. Offsets count from the register with its id. */
export interface SunSpecModel {
  id: number;
  /** Of the register with the model's id, as sent. */
  address: number;
  /** Registers after id and length. */
  length: number;
}

/** What discovery found in one unit. Plain JSON. */
export interface SunSpecLayout {
  /** The address of "SunS". */
  base: number;
  /** In the order of the device; several devices in one unit follow each other, each with its model 1. */
  models: SunSpecModel[];
  /** Sentences about what does not fit the standard; the models before it are kept. */
  problems: string[];
}

/** The answer of a read, two bytes for each register. */
export type RegistersRead =
  | { kind: 'ANSWER'; bytes: Uint8Array }
  | { kind: 'EXCEPTION'; code: number }
  | { kind: 'FAILED'; failure: PollFailure };

/** Reads holding registers of one unit. */
export type ReadRegisters = (address: number, count: number) => Promise<RegistersRead>;

/** What was read where there is no SunSpec device. */
export interface NoSunSpec {
  /** One sentence for each base. */
  problems: string[];
  /** Set if the unit did not answer at all. */
  failure: PollFailure | null;
}

/** "SunS". */
const mark = [0x53, 0x75, 0x6e, 0x53];
const endId = 0xffff;
const addressEnd = 0x1_0000;
/** More models than any device has: a walk that finds more goes round in circles. */
const modelsMax = 250;

/** The lengths that the standard gives to models. The others vary. */
const lengthsOf: Readonly<Record<number, readonly number[]>> = {
  1: [65, 66],
  ...everyModel([101, 102, 103], 50),
  ...everyModel([111, 112, 113], 60),
  ...everyModel([201, 202, 203, 204], 105),
  ...everyModel([211, 212, 213, 214], 124),
};

function everyModel(ids: readonly number[], length: number): Record<number, readonly number[]> {
  return Object.fromEntries(ids.map((id) => [id, [length]]));
}

/**
 * Finds a unit's SunSpec models.
 *
 * @param bases addresses to look for "SunS" at.
 * @returns the layout, perhaps with problems and without models; or why there is none.
 */
export async function discoverSunSpec(
  read: ReadRegisters,
  bases: readonly number[] = sunSpecBases,
): Promise<SunSpecLayout | NoSunSpec> {
  const problems: string[] = [];
  for (const base of bases) {
    const answer = await read(base, 2);
    if (answer.kind === 'ANSWER' && mark.every((byte, index) => answer.bytes[index] === byte)) {
      const walk = await walkModels(read, base + 2);
      return { base, ...walk };
    }
    problems.push(`${base}: ${noMark(answer)}`);
    // A unit that is silent at one address is silent at all: asking on would only take time.
    if (answer.kind === 'FAILED') return { problems, failure: answer.failure };
  }
  return { problems, failure: null };
}

function noMark(answer: RegistersRead): string {
  if (answer.kind === 'FAILED') return answer.failure.message;
  if (answer.kind === 'EXCEPTION') return `the device refuses it (exception ${answer.code})`;
  return `there is ${hexText(answer.bytes)} instead of "SunS" (5375 6E53)`;
}

function hexText(bytes: Uint8Array): string {
  const words = Array.from({ length: bytes.length >> 1 }, (_, index) =>
    wordAt(bytes, index).toString(16).toUpperCase().padStart(4, '0'),
  );
  return words.join(' ');
}

function wordAt(bytes: Uint8Array, index: number): number {
  return ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0);
}

/** @param start the address after "SunS". */
async function walkModels(
  read: ReadRegisters,
  start: number,
): Promise<Pick<SunSpecLayout, 'models' | 'problems'>> {
  const models: SunSpecModel[] = [];
  const problems: string[] = [];
  let address = start;
  for (;;) {
    const header = await readHeader(read, address, models.length > 0);
    if ('id' in header && header.id === endId) return { models, problems };
    const problem = 'problem' in header ? header.problem : stopBefore(header, models);
    if (problem !== null) return { models, problems: [...problems, problem] };
    const model = header as SunSpecModel;
    problems.push(...oddities(model, models.length === 0));
    models.push(model);
    address = model.address + 2 + model.length;
    if (address >= addressEnd) {
      problems.push(`model ${model.id} at ${model.address} ends at 65535: there is no end model`);
      return { models, problems };
    }
  }
}

/** @param hasModels whether a refusal may be the end of a device that has no end model. */
async function readHeader(
  read: ReadRegisters,
  address: number,
  hasModels: boolean,
): Promise<SunSpecModel | { problem: string }> {
  // The end model may be the last register of the address space: it has no length then.
  const count = address === addressEnd - 1 ? 1 : 2;
  const answer = await read(address, count);
  if (answer.kind === 'ANSWER' && answer.bytes.length >= 2 * count)
    return { id: wordAt(answer.bytes, 0), address, length: wordAt(answer.bytes, 1) };
  if (answer.kind === 'EXCEPTION' && count === 2) {
    // Some devices end with the id alone, and refuse a read that goes beyond it.
    const alone = await read(address, 1);
    if (alone.kind === 'ANSWER' && wordAt(alone.bytes, 0) === endId)
      return { id: endId, address, length: 0 };
  }
  if (answer.kind === 'FAILED')
    return { problem: `the models could not be read on at ${address}: ${answer.failure.message}` };
  if (answer.kind === 'ANSWER')
    return { problem: `the answer at ${address} is too short for a model's id and length` };
  return {
    problem: hasModels
      ? `the device refuses ${address} (exception ${answer.code}) and has no end model (id 65535) before it: the models end there`
      : `the device refuses ${address} (exception ${answer.code}), where its first model begins`,
  };
}

/** Why the walk cannot go on with this header; null: it can. */
function stopBefore(
  { id, address, length }: SunSpecModel,
  before: readonly SunSpecModel[],
): string | null {
  if (id === 0)
    return `there is model 0 at ${address}, which is none, and no end model (id 65535) before it: the models end there`;
  if (id === 1 && lengthsOf[1]?.includes(length) === false)
    return `model 1 length ${length} at ${address}, expected 65/66: what follows cannot be found`;
  const end = address + 2 + length;
  if (end > addressEnd)
    return `model ${id} at ${address} with length ${length} would end at ${end - 1}, beyond 65535: what is there is no model`;
  if (before.length >= modelsMax)
    return `there are more than ${modelsMax} models up to ${address}: the list has no end`;
  return null;
}

function oddities({ id, address, length }: SunSpecModel, isFirst: boolean): string[] {
  const problems: string[] = [];
  if (isFirst && id !== 1)
    problems.push(`the first model at ${address} is ${id}: the standard asks for model 1`);
  const lengths = lengthsOf[id];
  if (lengths !== undefined && !lengths.includes(length))
    problems.push(`model ${id} at ${address} has length ${length}, expected ${lengths.join('/')}`);
  if (lengths === undefined && length === 0)
    problems.push(`model ${id} at ${address} has length 0: it holds no values`);
  return problems;
}

/** A point with the address that its unit has for it. */
export interface ResolvedPoint extends UnitPoint {
  address: number;
  /** Where its scale factor is read, by the same function; null: it has none. */
  scaleFactorAddress: number | null;
  /** Its place in the gateway's list of points. */
  index: number;
}

/** A point that its unit does not have. */
export interface MissingPoint {
  index: number;
  unitId: number;
  key: string;
  /** NOT_DISCOVERED: nobody has looked for the unit's models yet. NO_MODEL: the unit has none of them. */
  reason: 'NOT_DISCOVERED' | 'NO_MODEL';
  /** Why, in a sentence. */
  message: string;
}

/**
 * Gives points their addresses: those by SunSpec from the layout of their unit.
 *
 * @param layouts by unit id; null: discovery found none there.
 */
export function resolvePoints(
  points: readonly UnitPoint[],
  layouts: ReadonlyMap<number, SunSpecLayout | null>,
): { points: ResolvedPoint[]; missing: MissingPoint[] } {
  const resolved: ResolvedPoint[] = [];
  const missing: MissingPoint[] = [];
  for (const [index, point] of points.entries()) {
    const { unitId, key, sunspec, address } = point;
    if (sunspec === null || address !== null) {
      if (address !== null) resolved.push({ ...point, address, scaleFactorAddress: null, index });
      continue;
    }
    const layout = layouts.get(unitId);
    const found = layout ? placeIn(layout, sunspec, point) : noLayout(layout, unitId);
    if ('message' in found) missing.push({ index, unitId, key, ...found });
    else resolved.push({ ...point, ...found, index });
  }
  return { points: resolved, missing };
}

type NotFound = Pick<MissingPoint, 'reason' | 'message'>;

function noLayout(layout: null | undefined, unitId: number): NotFound {
  return layout === null
    ? { reason: 'NO_MODEL', message: `unit ${unitId} is no SunSpec device` }
    : {
        reason: 'NOT_DISCOVERED',
        message: `the SunSpec models of unit ${unitId} are not known yet`,
      };
}

function placeIn(
  layout: SunSpecLayout,
  place: SunSpecPlace,
  point: UnitPoint,
): { address: number; scaleFactorAddress: number | null } | NotFound {
  const noModel = (message: string): NotFound => ({ reason: 'NO_MODEL', message });
  const ofKind = layout.models.filter(({ id }) => place.models.includes(id));
  const model = ofKind[place.occurrence ?? 0];
  if (model === undefined) {
    const names = place.models.join(', ');
    return noModel(
      ofKind.length === 0
        ? `the unit has no model ${names}`
        : `the unit has ${ofKind.length} of the models ${names}: there is no number ${(place.occurrence ?? 0) + 1}`,
    );
  }
  const offset = place.offset + (place.block === null ? 0 : place.block.length * place.block.index);
  const registers = Math.ceil(byteLengthOf(point) / 2);
  if (offset + registers > model.length + 2)
    return noModel(`model ${model.id} ends before offset ${offset}: its length is ${model.length}`);
  const { scaleFactorOffset } = place;
  if (scaleFactorOffset !== null && scaleFactorOffset >= model.length + 2)
    return noModel(`model ${model.id} ends before the scale factor at offset ${scaleFactorOffset}`);
  return {
    address: model.address + offset,
    scaleFactorAddress: scaleFactorOffset === null ? null : model.address + scaleFactorOffset,
  };
}

/** What the points of the whole list brought, from what the resolved ones did. @param length of the whole list. */
export function inListOrder<Raw>(
  resolved: readonly ResolvedPoint[],
  raws: readonly Raw[],
  length: number,
  none: Raw,
): Raw[] {
  const all = Array.from({ length }, () => none);
  for (const [place, { index }] of resolved.entries()) all[index] = raws[place] ?? none;
  return all;
}
