import { ApplicationFailure } from '@temporalio/common';

import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import { takeProbe } from '../../db/plants/incidents.ts';
import { type FetchBefore, readFetchBefore } from '../../db/plants/polls.ts';
import type { LockAnswer } from '../../db/lock.ts';
import { plantFacts } from '../../db/plants/plants.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import type { VendorFailure } from '../../domain/plants/reading.ts';
import type { FetchArgs, FetchResult } from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';
import { takeRegular } from '../failure.ts';
import { takeLock } from './plant-lock.ts';
import { credentialsHeld, vendorFailure, vendorPlant } from './vendor.ts';
import { readPlant } from './vendor-reading.ts';

/** A regular fetch ends itself before its start-to-close time-out of 60 s, so that the vendor's slowness is a value. */
const regularFetchMsMax = 55_000;

/**
 * `fetchReadings`: lock, plant and credentials, the vendor's summary, and its alarms where their time has come.
 *
 * @returns vendor errors as values; a slot that was claimed before is answered from the database, without the vendor.
 * @throws ApplicationFailure TAKE_REGULAR from a local call while the brand's breaker is open; else as `failure.ts` says.
 */
export function createFetch(deps: ActivityDeps, context: () => CallContext) {
  return async function fetchReadings(args: FetchArgs): Promise<FetchResult> {
    const call = context();
    const nowMs = Math.max(args.nowMs, deps.clock());
    const [lock, before] = await Promise.all([
      takeLock(deps, call, args),
      readFetchBefore(deps.db, args.plantId, args.slotMs),
    ]);
    if (before === null) return unknownPlant(lock, nowMs);
    const known = await answerWithoutVendor(deps, call, { args, nowMs, lock, before });
    return known ?? askVendor(deps, call, before, nowMs);
  };
}

/** The answer for a plant that the database does not know. */
export function unknownPlant(lock: LockAnswer, nowMs: number): FetchResult {
  return { kind: lock === 'TAKEN' ? 'SKIPPED_LOCKED' : 'SKIPPED_INACTIVE', nowMs };
}

/**
 * What answers the fetch before any vendor is asked: somebody else's lock, a plant that is not polled, a slot that was
 * claimed before a crash, credentials that an incident holds back. null: the vendor is to be asked.
 *
 * @throws ApplicationFailure TAKE_REGULAR from a local call while the brand's breaker is open.
 */
export async function answerWithoutVendor(
  deps: ActivityDeps,
  call: CallContext,
  known: { args: FetchArgs; nowMs: number; lock: LockAnswer; before: FetchBefore },
): Promise<FetchResult | null> {
  const { args, nowMs, lock, before } = known;
  const { plant, claim, credentials } = before;
  if (lock === 'TAKEN') return { kind: 'SKIPPED_LOCKED', nowMs };
  if (plant.integration_status !== 'ACTIVE') return { kind: 'SKIPPED_INACTIVE', nowMs };
  if (
    plant.last_slot !== null &&
    plant.last_slot.getTime() >= args.slotMs &&
    plant.last_poll !== null
  ) {
    return { kind: 'ALREADY_BOOKED', poll: plant.last_poll };
  }
  if (claim !== null) {
    return {
      kind: 'READING',
      nowMs: claim.nowMs,
      durationMs: 0,
      reading: claim.reading,
      credentialsVersion: credentials?.version ?? 0,
    };
  }
  refuseWhileSlow(deps, call, plant.brand);
  return heldBack(deps, before, args.slotMs, nowMs);
}

/** A local call ends here while the brand's breaker is open. @throws ApplicationFailure TAKE_REGULAR */
export function refuseWhileSlow({ breaker }: ActivityDeps, call: CallContext, brand: Brand): void {
  if (!call.isLocal || !breaker.isOpen(brand)) return;
  throw ApplicationFailure.nonRetryable(
    `the ${brand} cloud is slow: not asked on the local path`,
    takeRegular,
  );
}

/** Refused credentials of an incident are tried by one plant an hour; what the others are answered with, without a request. */
async function heldBack(
  deps: ActivityDeps,
  { plant, heldByIncident }: FetchBefore,
  slotMs: number,
  nowMs: number,
): Promise<FetchResult | null> {
  if (heldByIncident === null) return null;
  if (await takeProbe(deps.db, heldByIncident, plant.id, { slotMs, nowMs })) return null;
  return {
    kind: 'VENDOR_FAILURE',
    nowMs,
    durationMs: 0,
    failure: { type: 'AUTH_FAILED', message: credentialsHeld(plant.brand) },
    // It speaks of no credentials, and so can pause nobody, whatever becomes of the incident meanwhile.
    credentialsVersion: null,
    asked: false,
  };
}

/** Asks the vendor; its errors are values. `call.signal` ends a local call, and a regular one ends itself. */
export async function askVendor(
  deps: ActivityDeps,
  call: CallContext,
  before: FetchBefore,
  nowMs: number,
): Promise<FetchResult> {
  const { plant, credentials } = before;
  const beganAt = performance.now();
  const limit = AbortSignal.timeout(regularFetchMsMax);
  const signal = call.isLocal ? call.signal : AbortSignal.any([call.signal, limit]);
  const version = credentials?.version ?? null;
  const durationMs = () => Math.round(performance.now() - beganAt);
  const failed = (failure: VendorFailure, asked = true): FetchResult => ({
    kind: 'VENDOR_FAILURE',
    nowMs,
    durationMs: durationMs(),
    failure,
    credentialsVersion: version,
    asked,
  });
  try {
    await deps.checkpoint('before vendor call');
    const reading = await deps.vendors.withVendor(
      vendorPlant(plant),
      credentials,
      { nowMs, signal },
      (adapter) =>
        readPlant(
          adapter,
          { vendorPlantId: plant.vendor_plant_id, timezone: plant.timezone },
          plantFacts(plant),
          before.oldestVendorAlertMs,
          nowMs,
        ),
    );
    await deps.checkpoint('after vendor answer');
    if ('type' in reading) return failed(reading);
    return {
      kind: 'READING',
      nowMs,
      durationMs: durationMs(),
      reading,
      credentialsVersion: version ?? 0,
    };
  } catch (error) {
    if (call.signal.aborted) {
      if (call.isLocal) deps.breaker.localCut(plant.brand);
      throw error;
    }
    if (limit.aborted) {
      return failed({
        type: 'NETWORK_TIMEOUT',
        message: `the vendor's answers took longer than ${regularFetchMsMax / 1000} s in all`,
      });
    }
    const failure = vendorFailure(error);
    if (failure === null) throw error;
    return failed(failure, error instanceof AdapterError);
  } finally {
    if (!call.signal.aborted) {
      if (call.isLocal) deps.breaker.localAnswered(plant.brand);
      else deps.breaker.regularAnswered(plant.brand, durationMs());
    }
  }
}
