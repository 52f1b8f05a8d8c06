import type { RefusedField } from '../../../../domain/plants/reading.ts';
import type { AdapterError } from '../../adapter-error.ts';
import { partOf, refusedPart } from '../../parts.ts';

/** The parts of one summary that are asked for one by one: a part that is refused costs itself and a sentence. */
export class Parts {
  readonly refused: RefusedField[] = [];
  #firstRefusal: AdapterError | null = null;
  #unanswered = 0;

  get firstRefusal(): AdapterError | null {
    return this.#firstRefusal;
  }

  /**
   * The answer; null where it is refused.
   *
   * @param field What is missing then.
   * @throws what concerns more than this part: a login or a session that is refused, a limit, a cloud that does not answer,
   * a plant that is not there, an energy that cannot be.
   */
  async ask<T>(field: RefusedField['field'], request: () => Promise<T>): Promise<T | null> {
    const part = await partOf(request);
    if ('answer' in part) return part.answer;
    const { error } = part;
    if (!this.#concernsOnePath(error)) throw error;
    this.#firstRefusal ??= error;
    if (!this.refused.some((one) => one.field === field)) {
      this.refused.push(refusedPart(field, costs[field], error));
    }
    return null;
  }

  /**
   * Whether the next path may well answer. With a session that stays refused after a new login it may not, nor after a
   * second request that nothing came back for: each costs the whole time of a request.
   */
  #concernsOnePath({ type, scope, certain, cause }: AdapterError): boolean {
    switch (type) {
      case 'AUTH_FAILED':
        return scope === 'REQUEST' || (!certain && cause === undefined);
      case 'NETWORK_TIMEOUT':
        this.#unanswered += 1;
        return this.#unanswered < 2;
      default:
        return type === 'VENDOR_ERROR' || type === 'INVALID_DATA_FORMAT' || type === 'UNKNOWN';
    }
  }
}

const costs: Readonly<Record<RefusedField['field'], string>> = {
  power_w: 'The power is not known',
  today_energy_kwh: "Today's energy is not known",
  lifetime_energy_kwh: 'The lifetime energy is not known',
  last_seen_at: 'The measurement time is not known',
  devices: 'The inverters and the lifetime energy are not known',
};
