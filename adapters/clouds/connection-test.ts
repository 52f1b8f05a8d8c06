import { AdapterError } from './adapter-error.ts';
import type { ConnectionTest } from './contract.ts';

/**
 * Asks a vendor whether it accepts the account, and puts the answer into words.
 *
 * @param ask Resolves to the sentence of a success; throws AdapterError for a refusal. Any other error, such as the abort
 * of the caller's signal, is UNKNOWN.
 */
export async function testedConnection(ask: () => Promise<string>): Promise<ConnectionTest> {
  try {
    return { ok: true, errorType: null, message: await ask() };
  } catch (error) {
    return error instanceof AdapterError
      ? { ok: false, errorType: error.type, message: error.message }
      : { ok: false, errorType: 'UNKNOWN', message: 'the test was ended before an answer' };
  }
}
