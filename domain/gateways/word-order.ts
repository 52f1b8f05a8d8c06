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

/** Guesses from values whose ranges are known. @returns null if no order fits, or if both orders of words fit alike. */
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
  const most = Math.max(...counts.map(({ fits: count }) => count));
  const best = counts.filter(({ fits: count }) => count === most).map(({ order }) => order);
  const [first] = best;
  if (first === undefined || most === 0 || (best.includes('ABCD') && best.includes('CDAB')))
    return null;
  const also =
    best.length > 1
      ? `; ${best.slice(1).join(' and ')} would fit too, but hardly any device swaps bytes`
      : '';
  return {
    order: first,
    reason: `${meaning[first]}: ${most} of ${telling.length} values are in their ranges so${also}`,
  };
}

/** A value in its range that is not next to nothing: a float with swapped words is mostly near 0. */
function fits(point: DataPoint, bytes: Uint8Array): boolean {
  const { value } = decodePoint({ ...point, sentinels: [] }, bytes, null);
  return typeof value === 'number' && (point.type !== 'float32' || Math.abs(value) >= 1e-3);
}
