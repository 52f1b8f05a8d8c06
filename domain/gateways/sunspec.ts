import {
  type PointType,
  registersOf,
  type Sentinel,
  type SunSpecPlace,
  type UnitPoint,
} from './point.ts';
import type { ResolvedPoint } from './read-plan.ts';
import type { PollFailure, RawPoint } from './reading.ts';

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
/** No model whose length varies is shorter: a smaller number after an id is a value. */
const lengthMin = 8;
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
  let failure: PollFailure | null = null;
  let hasAnswered = false;
  for (const base of bases) {
    const answer = await read(base, 2);
    if (answer.kind === 'ANSWER' && mark.every((byte, index) => answer.bytes[index] === byte)) {
      const walk = await walkModels(read, base + 2);
      return { base, ...walk };
    }
    problems.push(`${base}: ${noMark(answer)}`);
    failure = answer.kind === 'FAILED' ? answer.failure : failure;
    hasAnswered ||= answer.kind !== 'FAILED';
  }
  return { problems, failure: hasAnswered ? null : failure };
}

/**
 * The models that follow each other from an address, if one of a wanted kind begins there. For reads that begin at a model
 * whose place is known: there is no "SunS" and no walk up to it.
 */
export async function modelsFrom(
  read: ReadRegisters,
  address: number,
  wanted: ReadonlySet<number>,
): Promise<SunSpecModel[]> {
  const header = await readHeader(read, address, false);
  if ('problem' in header || !wanted.has(header.id)) return [];
  const lengths = lengthsOf[header.id];
  if (lengths === undefined ? header.length < lengthMin : !lengths.includes(header.length))
    return [];
  const { models } = await walkModels(read, address);
  return models;
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

/** A point with its address, and its place in the gateway's list of points. */
export interface PlacedPoint extends ResolvedPoint {
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

/** Layouts by unit id; null: discovery found none there. */
export type Layouts = ReadonlyMap<number, SunSpecLayout | null>;

/**
 * Gives points their addresses, and those by SunSpec also the type that they have in the unit's models.
 *
 * @returns `points` to read, `missing` ones, and the whole list with the types that `judgePoll` needs.
 */
export function resolvePoints(
  points: readonly UnitPoint[],
  layouts: Layouts,
): { points: PlacedPoint[]; missing: MissingPoint[]; list: UnitPoint[] } {
  const placed: PlacedPoint[] = [];
  const missing: MissingPoint[] = [];
  for (const [index, point] of points.entries()) {
    const found = placeOf(point, layouts);
    if ('message' in found) missing.push({ index, unitId: point.unitId, key: point.key, ...found });
    else placed.push({ ...found, index });
  }
  const list = [...points];
  for (const { index, scaleFactorAddress: _, ...point } of placed) list[index] = point;
  return { points: placed, missing, list };
}

type NotFound = Pick<MissingPoint, 'reason' | 'message'>;

function placeOf(point: UnitPoint, layouts: Layouts): ResolvedPoint | NotFound {
  const { unitId, sunspec, address } = point;
  if (address !== null)
    return { ...point, address, scaleFactorAddress: point.scaleFactorAddress ?? null };
  const layout = layouts.get(unitId);
  if (layout === undefined)
    return {
      reason: 'NOT_DISCOVERED',
      message: `the SunSpec models of unit ${unitId} are not known yet`,
    };
  if (layout === null)
    return { reason: 'NO_MODEL', message: `unit ${unitId} is no SunSpec device` };
  const reasons: string[] = [];
  for (const place of sunspec ?? []) {
    const typed = typedAt(point, place);
    const found = addressesIn(layout, place, typed);
    if (typeof found !== 'string') return { ...typed, ...found };
    reasons.push(found);
  }
  return { reason: 'NO_MODEL', message: reasons.join('; ') };
}

function typedAt(point: UnitPoint, { type }: SunSpecPlace): UnitPoint {
  if (type === null || type === point.type) return point;
  const registers = registersOf(type) ?? point.registers;
  return { ...point, type, registers, sentinels: sunSpecSentinels(type) };
}

/** The addresses of a point at a place; a sentence if the unit does not have it. */
function addressesIn(
  layout: SunSpecLayout,
  place: SunSpecPlace,
  point: UnitPoint,
): { address: number; scaleFactorAddress: number | null } | string {
  const names = place.models.join(', ');
  const ofKind = layout.models.filter(({ id }) => place.models.includes(id));
  const model = ofKind[place.occurrence];
  if (model === undefined)
    return ofKind.length === 0
      ? `the unit has no model ${names}`
      : `the unit has ${ofKind.length} of the models ${names}, and not one more`;
  const block = place.block === null ? 0 : place.block.length * place.block.index;
  const offset = place.offset + block;
  if (offset + point.registers > model.length + 2)
    return `model ${model.id} has length ${model.length} and ends before offset ${offset}`;
  const { scaleFactorOffset } = place;
  if (scaleFactorOffset !== null && scaleFactorOffset >= model.length + 2)
    return `model ${model.id} has length ${model.length} and ends before its scale factor at offset ${scaleFactorOffset}`;
  return {
    address: model.address + offset,
    scaleFactorAddress: scaleFactorOffset === null ? null : model.address + scaleFactorOffset,
  };
}

/**
 * What a poll brought for the whole list, from what it brought for the placed points.
 *
 * @param raws of `points`, in their order.
 */
export function inListOrder(
  { points, missing, list }: ReturnType<typeof resolvePoints>,
  raws: readonly RawPoint[],
): RawPoint[] {
  const all = list.map((): RawPoint => ({ kind: 'NOT_ANSWERED' }));
  for (const { index, reason } of missing)
    if (reason === 'NO_MODEL') all[index] = { kind: 'ABSENT' };
  for (const [place, { index }] of points.entries()) {
    const raw = raws[place];
    if (raw !== undefined) all[index] = raw;
  }
  return all;
}

const notImplemented: Readonly<Partial<Record<PointType, Sentinel>>> = {
  int16: { bits: 0x8000n, mask: null },
  sunssf: { bits: 0x8000n, mask: null },
  uint16: { bits: 0xffffn, mask: null },
  enum16: { bits: 0xffffn, mask: null },
  bitfield16: { bits: 0x8000n, mask: 0x8000n },
  acc16: { bits: 0n, mask: null },
  int32: { bits: 0x8000_0000n, mask: null },
  uint32: { bits: 0xffff_ffffn, mask: null },
  enum32: { bits: 0xffff_ffffn, mask: null },
  bitfield32: { bits: 0x8000_0000n, mask: 0x8000_0000n },
  acc32: { bits: 0n, mask: null },
  float32: { bits: 0x7fc0_0000n, mask: null },
  int64: { bits: 0x8000_0000_0000_0000n, mask: null },
  uint64: { bits: 0xffff_ffff_ffff_ffffn, mask: null },
  bitfield64: { bits: 0x8000_0000_0000_0000n, mask: 0x8000_0000_0000_0000n },
  acc64: { bits: 0n, mask: null },
  float64: { bits: 0x7ff8_0000_0000_0000n, mask: null },
};

/**
 * What SunSpec writes into values that a device does not have. A bitfield whose highest bit is set says nothing. Texts and
 * addresses need no sentinel: empty ones have no value.
 */
export function sunSpecSentinels(type: PointType): readonly Sentinel[] {
  const none = notImplemented[type];
  return none === undefined ? [] : [none];
}
