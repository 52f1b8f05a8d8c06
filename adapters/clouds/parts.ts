import type { RefusedField } from '../../domain/plants/reading.ts';
import { AdapterError, ImpossibleEnergy } from './adapter-error.ts';
import { cleanText } from './fields.ts';
import { isOfLogin } from './session.ts';

/** A summary is put together from parts. A part that fails costs that part and a sentence; the rest of the summary stands. */

export type Part<T> = { answer: T } | { error: AdapterError };

/**
 * Asks for a part; its failure is a value.
 *
 * @throws ImpossibleEnergy; the error of a login, which is about more than this part; what is no AdapterError, such as the
 * abort of the caller's signal.
 */
export async function partOf<T>(ask: () => Promise<T>): Promise<Part<T>> {
  try {
    return { answer: await ask() };
  } catch (error) {
    if (!(error instanceof AdapterError)) throw error;
    if (error instanceof ImpossibleEnergy || isOfLogin(error)) throw error;
    return { error };
  }
}

/** Readings travel through histories, so that a sentence stays short. */
const sentenceLengthMax = 200;

/**
 * What the failure of a part costs.
 *
 * @param what What is not known, as the beginning of a sentence: "Power is not known".
 */
export function refusedPart(
  field: RefusedField['field'],
  what: string,
  { type, message }: AdapterError,
): RefusedField {
  return { field, sentence: `${cleanText(`${what}: ${message}`, sentenceLengthMax - 1)}.`, type };
}
