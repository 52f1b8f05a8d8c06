import { decodePoint } from './decode.ts';
import type { ByteOrder, DataPoint } from './point.ts';

/** Guesses in which order a device sends the words of its 32-bit values, from registers whose meaning is known or not. */

export interface OrderGuess {
  order: ByteOrder;
  /** Why, in a sentence. */
  reason: string;
}

const orders = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const satisfies readonly ByteOrder[];
/** Fewer values prove nothing. */
const valuesMin = 2;

const meaning: Readonly<Record<(typeof orders)[number], string>> = {
  ABCD: 'the high word comes first',
  CDAB: 'the low word comes first',
  BADC: 'the high word comes first, with its bytes swapped',
  DCBA: 'the lowest byte comes first',
};

/** Guesses from values whose ranges are known. @returns null if no order or several fit best. */
export function guessOrder(
  samples: readonly { point: DataPoint; bytes: Uint8Array }[],
): OrderGuess | null {
  // Zeros read the same in every order.
  const telling = samples.filter(
    ({ point, bytes }) =>
      point.registers === 2 && bytes.length === 4 && bytes.some((byte) => byte !== 0),
  );
  if (telling.length < valuesMin) return null;
  const counts = orders.map((order) => ({
    order,
    fits: telling.filter(({ point, bytes }) => fits({ ...point, order }, bytes)).length,
  }));
  const best = counts.toSorted((one, other) => other.fits - one.fits);
  const [first, second] = best;
  if (first === undefined || second === undefined || first.fits === second.fits) return null;
  return {
    order: first.order,
    reason: `${meaning[first.order]}: ${first.fits} of ${telling.length} values are in their ranges so, ${second.fits} in the next best order (${second.order})`,
  };
}

/** A value in its range that is not next to nothing: a float with swapped words is mostly near 0. */
function fits(point: DataPoint, bytes: Uint8Array): boolean {
  const { value } = decodePoint({ ...point, sentinels: [] }, bytes, null);
  return typeof value === 'number' && (point.type !== 'float32' || Math.abs(value) >= 1e-3);
}
