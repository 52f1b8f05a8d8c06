/** Which requests bring the points of a gateway: few, none larger than the unit bears, none across what it refuses. */

import type { Quirks } from './gateway.ts';
import type { ReadFunction, UnitPoint } from './point.ts';

/** A point whose registers are known: as given, or found by SunSpec discovery. */
export interface ResolvedPoint extends UnitPoint {
  /** As sent. */
  address: number;
  /** Of its SunSpec scale factor (one register, int16), as sent; null: it has none. Same unit, same function. */
  scaleFactorAddress: number | null;
}

/** Registers, or coils for functions 1 and 2, of one unit: `count` from `address`. */
export interface ReadRange {
  unitId: number;
  function: ReadFunction;
  /** As sent. */
  address: number;
  count: number;
}

/**
 * A range that a unit refused with an exception. With code 1 the unit refuses the function: the range is then all of its
 * addresses.
 */
export interface Refusal extends ReadRange {
  /** 1, 2 or 3. */
  code: number;
  /** How often it was refused. From two on it is learned: the plan keeps away from it. One is a suspicion, not worth storing. */
  times: number;
  /** When it was refused last, ms since the epoch. A day later it is asked for again. */
  atMs: number;
}

/** What polls of one host and port learned about its units. A value: it is replaced, never changed. */
export interface Learned {
  refusals: readonly Refusal[];
}

export const nothingLearned: Learned = { refusals: [] };

/** What is taken out of the answer to a request. */
export interface RequestPart {
  /** Index of the point in the list that was planned. */
  point: number;
  /** First register, or coil, of the value. */
  address: number;
  /** Registers, or coils, of the value. */
  count: number;
  /** Register of the scale factor, where the same answer brings it. */
  scaleFactorAddress: number | null;
}

/**
 * One request. VALUES brings values, with their scale factors where they fit. Where they do not, the same factors are read
 * before and after the values: their parts then name the factor's register as `address`.
 */
export interface ReadRequest extends ReadRange {
  role: 'VALUES' | 'FACTORS_BEFORE' | 'FACTORS_AFTER';
  parts: readonly RequestPart[];
}

export interface ReadPlan {
  /** In the order in which they are sent, unit by unit. */
  requests: readonly ReadRequest[];
  /** Points that are not asked for, because the unit is known to refuse them. */
  refused: readonly { point: number; code: number }[];
  /** Points that no request can bring: longer than the most registers of one request, or beyond address 65535. */
  unreadable: readonly number[];
  /** When the next refusal is a day old and the plan must be made again, ms since the epoch; Infinity: never. */
  validUntilMs: number;
}

export type QuirksOf = (unitId: number) => Quirks;

/** Of one request. */
export const registersMax = 125;
const coilsPerRegister = 16;
const addresses = 65_536;
/** A refused range is asked for again after this time: devices get new firmware. */
export const refusalMs = 86_400_000;
/** Refused this often, a range is learned. */
const timesLearned = 2;
/** Two points that are refused together and not alone must not share a request. More may just be too many registers. */
const pairOfAtoms = 2;

/** Registers that one request must bring together: of one value, with its scale factor where that fits. */
interface Atom {
  start: number;
  /** After the last register. */
  end: number;
  parts: RequestPart[];
  /** Asked for by itself, because the unit refused it a day ago. */
  isAlone: boolean;
}

/** What bounds the requests of one unit and function. */
interface Bounds {
  max: number;
  maxHole: number;
  barriers: readonly number[];
  isOnePerPoint: boolean;
  /** Learned, and less than a day old. */
  refusals: readonly Refusal[];
  /** Learned, a day old or more. */
  expired: readonly Refusal[];
}

/**
 * Plans the requests for points of one host and port.
 *
 * Points that lie next to each other share a request, over holes that the quirks allow. No request covers a barrier between
 * two points, or a range that the unit is known to refuse; no value is cut.
 *
 * @param points in the order of the map.
 * @param nowMs ms since the epoch: refusals of a day ago are tried again.
 */
export function planReads(
  points: readonly ResolvedPoint[],
  { quirksOf, learned, nowMs }: { quirksOf: QuirksOf; learned: Learned; nowMs: number },
): ReadPlan {
  const plan = { requests: [], refused: [], unreadable: [] };
  const units = [...new Set(points.map(({ unitId }) => unitId))];
  for (const unitId of units) {
    const own = [...points.keys()].filter((index) => points[index]?.unitId === unitId);
    const places = Map.groupBy(own, (index) => (points[index] as ResolvedPoint).function);
    for (const [code, indices] of places) {
      const place = { unitId, function: code };
      const bounds = boundsOf(place, { quirks: quirksOf(unitId), learned, nowMs });
      planPlace({ points, indices, place, bounds }, plan);
    }
  }
  return { ...plan, validUntilMs: validUntil(learned, nowMs) };
}

type Place = Pick<ReadRange, 'unitId' | 'function'>;

/** Plans the points of one unit and function. */
function planPlace(
  of: { points: readonly ResolvedPoint[]; indices: number[]; place: Place; bounds: Bounds },
  plan: {
    requests: ReadRequest[];
    refused: { point: number; code: number }[];
    unreadable: number[];
  },
): void {
  const { points, indices, place, bounds } = of;
  const whole = bounds.refusals.find(isOfFunction);
  const values: Atom[] = [];
  const factors: Atom[] = [];
  for (const point of indices) {
    const atoms = whole ?? atomsOf(points[point] as ResolvedPoint, point, bounds);
    if (atoms === null) plan.unreadable.push(point);
    else if ('code' in atoms) plan.refused.push({ point, code: atoms.code });
    else {
      values.push(atoms.value);
      if (atoms.factor !== null) factors.push(atoms.factor);
    }
  }
  const around = grouped(factors, bounds);
  for (const group of around) plan.requests.push(requestOf(place, 'FACTORS_BEFORE', group));
  for (const group of grouped(values, bounds))
    plan.requests.push(requestOf(place, 'VALUES', group));
  for (const group of around) plan.requests.push(requestOf(place, 'FACTORS_AFTER', group));
}

function isOfFunction({ count }: ReadRange): boolean {
  return count === addresses;
}

function isSamePlace(one: ReadRange, other: ReadRange): boolean {
  return one.unitId === other.unitId && one.function === other.function;
}

/** Whether a refusal keeps the plan away from its range. */
export function isLearned({ times }: Refusal): boolean {
  return times >= timesLearned;
}

function boundsOf(
  { unitId, function: code }: Place,
  { quirks, learned, nowMs }: { quirks: Quirks; learned: Learned; nowMs: number },
): Bounds {
  const scale = code <= 2 ? coilsPerRegister : 1;
  const known = learned.refusals.filter(
    (one) => isLearned(one) && one.unitId === unitId && one.function === code,
  );
  return {
    max: Math.min(Math.max(quirks.maxRegisters, 1), registersMax) * scale,
    maxHole: quirks.maxHole * scale,
    barriers: quirks.barriers,
    isOnePerPoint: quirks.oneRequestPerPoint,
    refusals: known.filter(({ atMs }) => nowMs - atMs < refusalMs),
    expired: known.filter(({ atMs }) => nowMs - atMs >= refusalMs),
  };
}

function validUntil({ refusals }: Learned, nowMs: number): number {
  const ends = refusals.filter(isLearned).map(({ atMs }) => atMs + refusalMs);
  return Math.min(Infinity, ...ends.filter((end) => end > nowMs));
}

/** What brings one point; null if no request can, a code if the unit is known to refuse it. */
function atomsOf(
  { address, registers, function: code, scaleFactorAddress }: ResolvedPoint,
  point: number,
  bounds: Bounds,
): { value: Atom; factor: Atom | null } | { code: number } | null {
  const count = code <= 2 ? 1 : registers;
  if (!isReadable(address, count, bounds)) return null;
  const alone = atomOf({ point, address, count, scaleFactorAddress: null });
  if (scaleFactorAddress === null || code <= 2) return judged(alone, null, bounds);
  if (!isReadable(scaleFactorAddress, 1, bounds)) return null;
  const together = atomOf({ point, address, count, scaleFactorAddress });
  const factor = atomOf({
    point,
    address: scaleFactorAddress,
    count: 1,
    scaleFactorAddress: null,
  });
  const [low, high] = address < scaleFactorAddress ? [alone, factor] : [factor, alone];
  const fits =
    together.end - together.start <= bounds.max &&
    !hasBarrier(low.end, high.start, bounds) &&
    refusalIn(together, bounds) === undefined;
  return fits ? judged(together, null, bounds) : judged(alone, factor, bounds);
}

function isReadable(address: number, count: number, { max }: Bounds): boolean {
  return address >= 0 && count >= 1 && count <= max && address + count <= addresses;
}

function atomOf(part: RequestPart): Atom {
  const factor = part.scaleFactorAddress ?? part.address;
  const start = Math.min(part.address, factor);
  const end = Math.max(part.address + part.count, factor + 1);
  return { start, end, parts: [part], isAlone: false };
}

function judged(
  value: Atom,
  factor: Atom | null,
  bounds: Bounds,
): { value: Atom; factor: Atom | null } | { code: number } {
  const refusal = refusalIn(value, bounds) ?? (factor && refusalIn(factor, bounds));
  if (refusal) return { code: refusal.code };
  return {
    value: { ...value, isAlone: isRetried(value, bounds) },
    factor: factor && { ...factor, isAlone: isRetried(factor, bounds) },
  };
}

function isRetried(atom: Atom, { expired }: Bounds): boolean {
  return expired.some((one) => !isOfFunction(one) && covers(atom, one));
}

function covers({ start, end }: { start: number; end: number }, one: ReadRange): boolean {
  return start <= one.address && one.address + one.count <= end;
}

function refusalIn(range: { start: number; end: number }, { refusals }: Bounds) {
  return refusals.find((one) => covers(range, one));
}

/** Whether a barrier keeps registers that end before `end` from those that start at `start`. */
function hasBarrier(end: number, start: number, { barriers }: Bounds): boolean {
  return barriers.some((barrier) => end <= barrier && barrier <= start);
}

function byRange(one: Atom, other: Atom): number {
  return one.start - other.start || one.end - other.end;
}

/** Atoms in as few groups as the bounds allow; each becomes a request. */
function grouped(atoms: readonly Atom[], bounds: Bounds): Atom[][] {
  const sorted = merged(atoms.toSorted(byRange));
  // Ranges that no group may come to cover. A range of many points was too long, perhaps: it is halved below.
  const cuts = [...bounds.refusals, ...bounds.expired].filter(
    (one) =>
      !isOfFunction(one) && sorted.filter((atom) => isInside(atom, one)).length <= pairOfAtoms,
  );
  const groups: { start: number; end: number; atoms: Atom[] }[] = [];
  for (const atom of sorted) {
    const last = groups.at(-1);
    if (last === undefined || !isJoined(last, atom, { bounds, cuts }))
      groups.push({ start: atom.start, end: atom.end, atoms: [atom] });
    else {
      last.atoms.push(atom);
      last.end = Math.max(last.end, atom.end);
    }
  }
  return groups.flatMap((group) => halvedWhileRefused(group.atoms, bounds));
}

function isInside({ start, end }: Atom, { address, count }: ReadRange): boolean {
  return address <= start && end <= address + count;
}

/** One atom for several points of the same registers. */
function merged(sorted: readonly Atom[]): Atom[] {
  const atoms: Atom[] = [];
  for (const atom of sorted) {
    const last = atoms.at(-1);
    if (last !== undefined && byRange(last, atom) === 0)
      atoms[atoms.length - 1] = { ...last, parts: [...last.parts, ...atom.parts] };
    else atoms.push(atom);
  }
  return atoms;
}

function isJoined(
  group: { start: number; end: number; atoms: readonly Atom[] },
  atom: Atom,
  { bounds, cuts }: { bounds: Bounds; cuts: readonly Refusal[] },
): boolean {
  if (bounds.isOnePerPoint || atom.isAlone || group.atoms.some(({ isAlone }) => isAlone))
    return false;
  const joined = { start: group.start, end: Math.max(group.end, atom.end) };
  return (
    joined.end - joined.start <= bounds.max &&
    atom.start - group.end <= bounds.maxHole &&
    !hasBarrier(group.end, atom.start, bounds) &&
    !cuts.some((one) => covers(joined, one))
  );
}

function halvedWhileRefused(atoms: Atom[], bounds: Bounds): Atom[][] {
  if (atoms.length === 1 || refusalIn(rangeOf(atoms), bounds) === undefined) return [atoms];
  return halves(atoms).flatMap((half) => halvedWhileRefused(half, bounds));
}

function rangeOf(atoms: readonly Atom[]): { start: number; end: number } {
  return {
    start: Math.min(...atoms.map(({ start }) => start)),
    end: Math.max(...atoms.map(({ end }) => end)),
  };
}

/** Two or more atoms, sorted, cut where both sides are most alike in length. */
function halves(atoms: readonly Atom[]): [Atom[], Atom[]] {
  const { start, end } = rangeOf(atoms);
  const unlike = (cut: number): number =>
    Math.abs((atoms[cut - 1] as Atom).end - start - (end - (atoms[cut] as Atom).start));
  let best = 1;
  for (let cut = 2; cut < atoms.length; cut += 1) if (unlike(cut) < unlike(best)) best = cut;
  return [atoms.slice(0, best), atoms.slice(best)];
}

function requestOf(
  { unitId, function: code }: Place,
  role: ReadRequest['role'],
  atoms: readonly Atom[],
): ReadRequest {
  const { start, end } = rangeOf(atoms);
  const parts = atoms.flatMap((atom) => atom.parts);
  return { unitId, function: code, address: start, count: end - start, role, parts };
}

/**
 * What to ask instead of a request that was refused: its two halves, or a value and its scale factor apart. Empty: it asks
 * for one value and no less can be asked.
 */
export function splitRequest(request: ReadRequest): ReadRequest[] {
  const atoms = merged(request.parts.map(atomOf).toSorted(byRange));
  if (atoms.length > 1) return halves(atoms).map((half) => requestOf(request, request.role, half));
  const own = request.parts.map((part) => atomOf({ ...part, scaleFactorAddress: null }));
  const factors = request.parts.flatMap(({ point, scaleFactorAddress: address }) =>
    address === null ? [] : [atomOf({ point, address, count: 1, scaleFactorAddress: null })],
  );
  if (factors.length === 0) return [];
  return [
    requestOf(request, 'FACTORS_BEFORE', factors),
    requestOf(request, 'VALUES', own),
    requestOf(request, 'FACTORS_AFTER', factors),
  ];
}

/** The range of an exception: with code 1 the whole function, else what was asked for. */
function refusedRange({ unitId, function: code, address, count }: ReadRange, exception: number) {
  if (exception === 1) return { unitId, function: code, address: 0, count: addresses };
  return { unitId, function: code, address, count };
}

/**
 * Notes that a unit refused a request with exception 1, 2 or 3. Within one poll a range counts once. When a range is learned,
 * wider ranges that hold it say nothing more.
 *
 * @param atMs when the poll started.
 */
export function noteRefusal(
  learned: Learned,
  request: ReadRange,
  { code, atMs }: { code: number; atMs: number },
): Learned {
  const range = refusedRange(request, code);
  const isSame = (one: Refusal) =>
    isSamePlace(one, range) && one.address === range.address && one.count === range.count;
  const before = learned.refusals.find(isSame);
  if (before !== undefined && before.atMs >= atMs) return learned;
  const refusal = { ...range, code, times: (before?.times ?? 0) + 1, atMs };
  const asAtom = { start: range.address, end: range.address + range.count };
  const isWider = (one: Refusal) => {
    const isHeld = isInside({ ...asAtom, parts: [], isAlone: false }, one);
    return isLearned(refusal) && isSamePlace(one, range) && !isOfFunction(one) && isHeld;
  };
  const others = learned.refusals.filter((one) => !isSame(one) && !isWider(one));
  return { refusals: [...others, refusal] };
}

/** Notes that a unit answered a request: nothing within it is refused any more. */
export function noteAnswer(learned: Learned, request: ReadRange): Learned {
  const range = { start: request.address, end: request.address + request.count };
  const isOver = (one: Refusal) =>
    isSamePlace(one, request) && (isOfFunction(one) || covers(range, one));
  return learned.refusals.some(isOver)
    ? { refusals: learned.refusals.filter((one) => !isOver(one)) }
    : learned;
}
