import type { FailureScope } from './plant.ts';
import type { VendorFailure } from './reading.ts';

/** What follows from a vendor's failure. The functions `failure_scope`, `refuses_account` and `counts_for_incident` of the database say the same. */

type Failure = Pick<VendorFailure, 'type' | 'scope' | 'certain' | 'credentials'>;

/** The scope of a failure; for a failure that was stored without one, what its type meant then. */
export function scopeOf({ type, scope }: Pick<Failure, 'type' | 'scope'>): FailureScope {
  if (scope !== undefined) return scope;
  if (type === 'AUTH_FAILED') return 'ACCOUNT';
  return type === 'PLANT_NOT_FOUND' ? 'PLANT' : 'CLOUD';
}

/** Whether the vendor itself refuses the account. Only this pauses the account's plants and counts as a refused account. */
export function refusesAccount(failure: Failure): boolean {
  return (
    failure.type === 'AUTH_FAILED' && scopeOf(failure) === 'ACCOUNT' && failure.certain !== false
  );
}

/** Whether a plant with this failure counts towards "the brand does not answer". One path or one plant says nothing of the brand. */
export function countsForIncident(failure: Failure): boolean {
  // Credentials that the vendor was never shown say nothing of it.
  if (failure.credentials !== undefined) return false;
  const scope = scopeOf(failure);
  return scope === 'ACCOUNT' || scope === 'CLOUD';
}
