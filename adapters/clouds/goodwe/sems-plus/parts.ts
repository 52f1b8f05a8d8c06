import type { RefusedField } from '../../../../domain/plants/reading.ts';
import { AdapterError } from '../../adapter-error.ts';
import type { SessionStore } from '../../session.ts';

/** The parts of one summary that are asked for one by one: a part that is refused costs itself and a sentence. */
export class Parts {
  readonly refused: RefusedField[] = [];
  readonly #session: SessionStore;
  #firstRefusal: AdapterError | null = null;

  constructor(session: SessionStore) {
    this.#session = session;
  }

  get firstRefusal(): AdapterError | null {
    return this.#firstRefusal;
  }

  /**
   * The answer; null where it is refused.
   *
   * @param field What is missing then; null where something else stands in.
   * @throws what concerns more than this part: a login or a session that is refused, a limit, a cloud that does not answer.
   */
  async ask<T>(field: RefusedField['field'] | null, request: () => Promise<T>): Promise<T | null> {
    try {
      return await request();
    } catch (error) {
      // Without a session it was the login that failed: it must not be tried again for every part.
      if (this.#session.current === null) throw error;
      if (!(error instanceof AdapterError && concernsOnePath(error))) throw error;
      this.#firstRefusal ??= error;
      if (field !== null && !this.refused.some((one) => one.field === field)) {
        this.refused.push({ field, sentence: `${names[field]} is missing: ${error.message}.` });
      }
      return null;
    }
  }
}

const names: Readonly<Record<RefusedField['field'], string>> = {
  power_w: 'The power',
  lifetime_energy_kwh: 'The lifetime energy',
  last_seen_at: 'The measurement time',
};

/** Whether the next path may well answer. With a session that stays refused after a new login it may not. */
function concernsOnePath({ type, scope, certain, cause }: AdapterError): boolean {
  if (type === 'AUTH_FAILED') return scope === 'REQUEST' || (!certain && cause === undefined);
  return type === 'VENDOR_ERROR' || type === 'INVALID_DATA_FORMAT' || type === 'UNKNOWN';
}
