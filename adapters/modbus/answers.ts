/** From the answers of a poll to the bits of each point, with scale factors that belong to their values. */

import type { ReadRequest, RequestPart, ResolvedPoint } from '../../domain/gateways/read-plan.ts';
import type { RawPoint } from '../../domain/gateways/reading.ts';

/** A value whose scale factor comes from other requests: one before it, one after. */
interface Apart {
  bytes: Uint8Array | null;
  before: number | null;
  after: number | null;
}

export class Answers {
  readonly results: RawPoint[];
  readonly #points: readonly ResolvedPoint[];
  /** By index of the point. */
  readonly #apart = new Map<number, Apart>();
  readonly #excepted = new Set<number>();

  /** @param initial what each point is until it is answered. */
  constructor(points: readonly ResolvedPoint[], initial: readonly RawPoint[]) {
    this.#points = points;
    this.results = initial.slice();
  }

  take({ role, parts, address: start, function: code }: ReadRequest, bytes: Uint8Array): void {
    for (const part of parts) {
      const { point, scaleFactorAddress } = part;
      if (role !== 'VALUES') {
        const apart = this.#apartOf(point);
        const factor = factorAt(bytes, part.address - start);
        if (role === 'FACTORS_BEFORE') apart.before = factor;
        else apart.after = factor;
      } else if (code <= 2) this.results[point] = bitsOf(coilAt(bytes, part.address - start), null);
      else {
        const own = registersAt(bytes, part, start);
        if (scaleFactorAddress !== null)
          this.results[point] = bitsOf(own, factorAt(bytes, scaleFactorAddress - start));
        else if (this.#points[point]?.scaleFactorAddress == null)
          this.results[point] = bitsOf(own, null);
        else this.#apartOf(point).bytes = own;
      }
    }
  }

  /** The point has no value, whatever else is answered. */
  except(point: number, as: RawPoint): void {
    this.results[point] = as;
    this.#excepted.add(point);
  }

  #apartOf(point: number): Apart {
    const known = this.#apart.get(point);
    if (known !== undefined) return known;
    const apart = { bytes: null, before: null, after: null };
    this.#apart.set(point, apart);
    return apart;
  }

  /**
   * What must be asked again because a scale factor changed around its values: the values, then the factors. What was the
   * factor after becomes the factor before.
   *
   * @param done requests that were answered.
   */
  torn(done: readonly ReadRequest[]): ReadRequest[] {
    const points = new Set<number>();
    for (const [point, apart] of this.#apart)
      if (apart.bytes !== null && apart.before !== apart.after && apart.after !== null) {
        points.add(point);
        Object.assign(apart, { bytes: null, before: apart.after, after: null });
      }
    const ofRole = (role: ReadRequest['role']): ReadRequest[] =>
      done.flatMap((request) => {
        const parts = request.parts.filter(({ point }) => points.has(point));
        return request.role === role && parts.length > 0 ? [{ ...request, parts }] : [];
      });
    return points.size === 0 ? [] : [...ofRole('VALUES'), ...ofRole('FACTORS_AFTER')];
  }

  /** Gives the values with scale factors from other requests: those whose factor was the same before and after. */
  settle(): void {
    for (const [point, { bytes, before, after }] of this.#apart)
      if (bytes !== null && before !== null && before === after && !this.#excepted.has(point))
        this.results[point] = bitsOf(bytes, before);
  }
}

function bitsOf(bytes: Uint8Array, scaleFactor: number | null): RawPoint {
  return { kind: 'BITS', bytes, scaleFactor };
}

function registersAt(
  bytes: Uint8Array,
  { address, count }: RequestPart,
  start: number,
): Uint8Array {
  return bytes.subarray((address - start) * 2, (address - start + count) * 2);
}

/** One byte, 0 or 1. */
function coilAt(bytes: Uint8Array, place: number): Uint8Array {
  return Uint8Array.of(((bytes[place >> 3] as number) >> (place & 7)) & 1);
}

/** A register as int16. */
function factorAt(bytes: Uint8Array, place: number): number {
  return (((bytes[place * 2] as number) << 24) >> 16) | (bytes[place * 2 + 1] as number);
}
