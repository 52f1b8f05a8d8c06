import type { ReadFunction, UnitPoint } from '../../domain/gateways/point.ts';
import type { ResolvedPoint } from '../../domain/gateways/read-plan.ts';
import type { RawPoint } from '../../domain/gateways/reading.ts';
import {
  discoverSunSpec,
  modelsFrom,
  type ReadRegisters,
  sunSpecBases,
  type SunSpecLayout,
  type SunSpecModel,
} from '../../domain/gateways/sunspec.ts';
import type { Exchange } from './exchanges.ts';

/** What the points of a unit have in recorded exchanges: poll by poll, as the walker would have got it. */

export interface RecordedPoll {
  exchanges: Exchange[];
  /** When the last answer came; null: the capture has no times. */
  atMs: number | null;
}

/**
 * Cuts exchanges into polls: at lines that hold only a time, and where a request comes again that was answered before.
 */
export function pollsOf(exchanges: readonly Exchange[]): RecordedPoll[] {
  const polls: RecordedPoll[] = [];
  let answered = new Set<string>();
  let marks = -1;
  for (const exchange of exchanges) {
    const { unitId, function: code, address, count, result } = exchange;
    const request = `${unitId}/${code}/${address}/${count}`;
    let poll = polls.at(-1);
    if (poll === undefined || exchange.marks !== marks || answered.has(request)) {
      poll = { exchanges: [], atMs: null };
      polls.push(poll);
      answered = new Set();
      marks = exchange.marks;
    }
    poll.exchanges.push(exchange);
    poll.atMs = exchange.atMs ?? poll.atMs;
    // A busy device is asked again within a poll.
    if (result.kind === 'ANSWER') answered.add(request);
  }
  return polls;
}

/** What a poll brought for points, in their order. ABSENT: no request asked for the point. */
export function rawPointsOf(
  points: readonly ResolvedPoint[],
  exchanges: readonly Exchange[],
): RawPoint[] {
  return points.map((point) => {
    const width = point.function <= 2 ? 1 : point.registers;
    const touching = exchanges.filter(
      (one) =>
        one.unitId === point.unitId &&
        one.function === point.function &&
        one.address < point.address + width &&
        point.address < one.address + one.count,
    );
    const of = touching.filter(
      (one) => one.address <= point.address && point.address + width <= one.address + one.count,
    );
    const exchange = of.findLast(({ result }) => result.kind === 'ANSWER') ?? of.at(-1);
    // A value that two requests cut may have changed between them.
    if (exchange === undefined) return { kind: touching.length > 0 ? 'NOT_ANSWERED' : 'ABSENT' };
    const { result } = exchange;
    if (result.kind === 'EXCEPTION') return { kind: 'EXCEPTION', code: result.code };
    if (result.kind === 'REFUSED' && result.isLength) return { kind: 'WRONG_LENGTH' };
    if (result.kind !== 'ANSWER') return { kind: 'NOT_ANSWERED' };
    return bitsIn(point, exchange, { bytes: result.bytes, exchanges });
  });
}

function bitsIn(
  point: ResolvedPoint,
  exchange: Exchange,
  { bytes, exchanges }: { bytes: Uint8Array; exchanges: readonly Exchange[] },
): RawPoint {
  const at = point.address - exchange.address;
  if (point.function <= 2) {
    const bit = ((bytes[at >> 3] ?? 0) >> (at & 7)) & 1;
    return { kind: 'BITS', bytes: Uint8Array.of(bit), scaleFactor: null };
  }
  const own = bytes.slice(2 * at, 2 * (at + point.registers));
  const { scaleFactorAddress } = point;
  if (scaleFactorAddress === null) return { kind: 'BITS', bytes: own, scaleFactor: null };
  const same = registerIn(exchange, scaleFactorAddress);
  const factors =
    same === null
      ? exchanges
          .filter((one) => one.unitId === point.unitId && one.function === point.function)
          .map((one) => registerIn(one, scaleFactorAddress))
          .filter((factor) => factor !== null)
      : [same];
  const [factor] = factors;
  // Between two different factors nobody knows which one belongs to the value.
  if (factor === undefined || factors.some((one) => one !== factor))
    return { kind: 'NOT_ANSWERED' };
  return { kind: 'BITS', bytes: own, scaleFactor: (factor << 16) >> 16 };
}

/** One register of an answer; null if it is not in it. */
function registerIn({ address, count, result }: Exchange, register: number): number | null {
  if (result.kind !== 'ANSWER' || register < address || register >= address + count) return null;
  const at = 2 * (register - address);
  return ((result.bytes[at] ?? 0) << 8) | (result.bytes[at + 1] ?? 0);
}

/**
 * The SunSpec models of a unit, from what was recorded: discovery walks over all answers. Where the walk is not in the
 * capture, an answer that begins with the id and the length of a model tells where that is.
 *
 * @param places models whose addresses are known from elsewhere.
 */
export async function recordedLayout(
  exchanges: readonly Exchange[],
  { points, places }: { points: readonly UnitPoint[]; places: readonly SunSpecModel[] },
): Promise<SunSpecLayout> {
  const read = imageOf(exchanges);
  const bases = [...sunSpecBases, ...exchanges.map(({ address }) => address)];
  const found = await discoverSunSpec(read, [...new Set(bases)]);
  const walked = 'base' in found ? found : null;
  const wanted = new Set(
    points.flatMap(({ sunspec }) => sunspec ?? []).flatMap(({ models }) => models),
  );
  const models = new Map<number, SunSpecModel>();
  for (const { address } of exchanges)
    for (const model of await modelsFrom(read, address, wanted)) models.set(model.address, model);
  for (const model of walked?.models ?? []) models.set(model.address, model);
  for (const place of places) models.set(place.address, place);
  return {
    base: walked?.base ?? -1,
    models: [...models.values()].toSorted((one, other) => one.address - other.address),
    problems: walked?.problems ?? [],
  };
}

/** Reads out of recorded answers to function 3. */
function imageOf(exchanges: readonly Exchange[]): ReadRegisters {
  const holding: ReadFunction = 3;
  const answers = exchanges.filter(
    (one) => one.function === holding && one.result.kind === 'ANSWER',
  );
  return async (address, count) => {
    const bytes: number[] = [];
    for (let register = address; register < address + count; register += 1) {
      const word = answers.map((one) => registerIn(one, register)).findLast((one) => one !== null);
      if (word === undefined || word === null)
        return {
          kind: 'FAILED',
          failure: { reason: 'NO_POINTS', message: 'it is not in the capture' },
        };
      bytes.push(word >> 8, word & 0xff);
    }
    return { kind: 'ANSWER', bytes: Uint8Array.from(bytes) };
  };
}
