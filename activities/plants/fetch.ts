import { ApplicationFailure } from '@temporalio/common';

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
import { credentialsHeld, Halted, NotAsked, vendorFailure, vendorPlant } from './vendor.ts';
import { bookedPoll } from './stored-plant.ts';
import { readPlant } from './vendor-reading.ts';

/** A regular fetch ends itself before its start-to-close time-out of 60 s, so that a slow vendor is a value and no time-out. */
const regularFetchMsMax = 55_000;

/**
 * `fetchReadings`: lock, plant and credentials, the vendor's summary, and its alarms if they are due.
 *
 * @returns vendor errors as values; for a slot that was claimed before, the stored reading.
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
 * The answer if no vendor must be asked: another cluster holds the lock, the plant is not polled, the slot was claimed before
 * a crash, all polling is stopped, or an incident holds the credentials back. null: ask the vendor.
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
  const poll = bookedPoll(plant, args.slotMs);
  if (poll !== null) return { kind: 'ALREADY_BOOKED', poll };
  if (claim !== null) {
    const { nowMs: claimedAtMs, reading } = claim;
    const credentialsVersion = credentials?.version ?? 0;
    return { kind: 'READING', nowMs: claimedAtMs, durationMs: 0, reading, credentialsVersion };
  }
  if (await deps.isHalted()) return { kind: 'SKIPPED_INACTIVE', nowMs };
  refuseWhileSlow(deps, call, plant.brand);
  if (await isHeldBack(deps, before, args.slotMs, nowMs))
    return {
      kind: 'VENDOR_FAILURE',
      nowMs,
      durationMs: 0,
      failure: { type: 'AUTH_FAILED', scope: 'ACCOUNT', message: credentialsHeld(plant.brand) },
      // No version of the credentials: this failure pauses no account, even if the incident ends meanwhile.
      credentialsVersion: null,
      asked: false,
    };
  return null;
}

/** Ends a local call while the brand's breaker is open. @throws ApplicationFailure TAKE_REGULAR */
export function refuseWhileSlow({ breaker }: ActivityDeps, call: CallContext, brand: Brand): void {
  if (!call.isLocal || !breaker.isOpen(brand)) return;
  throw ApplicationFailure.nonRetryable(
    `the ${brand} cloud is slow: not asked on the local path`,
    takeRegular,
  );
}

/** During an incident one plant an hour tries the refused credentials; the others make no request. */
async function isHeldBack(
  deps: ActivityDeps,
  { plant, heldByIncident }: FetchBefore,
  slotMs: number,
  nowMs: number,
): Promise<boolean> {
  if (heldByIncident === null) return false;
  return !(await takeProbe(deps.db, heldByIncident, plant.id, { slotMs, nowMs }));
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
  // A local call ends long before.
  const limit = call.isLocal ? null : AbortSignal.timeout(regularFetchMsMax);
  const signal = limit === null ? call.signal : AbortSignal.any([call.signal, limit]);
  const version = credentials?.version ?? null;
  const durationMs = () => Math.round(performance.now() - beganAt);
  const failed = (failure: VendorFailure, asked = true): FetchResult => ({
    kind: 'VENDOR_FAILURE',
    nowMs,
    durationMs: durationMs(),
    failure,
    credentialsVersion: version,
    accountId: plant.vendor_account_id,
    asked,
  });
  try {
    await deps.checkpoint('before vendor call');
    const ref = vendorPlant(plant);
    const { oldestVendorAlertMs } = before;
    const reading = await deps.vendors.withVendor(ref, credentials, { nowMs, signal }, (adapter) =>
      readPlant(adapter, ref, plantFacts(plant), { oldestVendorAlertMs, nowMs }),
    );
    await deps.checkpoint('after vendor answer');
    if ('type' in reading) return failed(reading);
    const credentialsVersion = version ?? 0;
    return { kind: 'READING', nowMs, durationMs: durationMs(), reading, credentialsVersion };
  } catch (error) {
    if (call.signal.aborted) {
      if (call.isLocal) deps.breaker.localCut(plant.brand);
      throw error;
    }
    if (limit?.aborted === true) {
      return failed({
        type: 'NETWORK_TIMEOUT',
        scope: 'CLOUD',
        message: `the vendor's answers took longer than ${regularFetchMsMax / 1000} s in all`,
      });
    }
    // It was stopped between two requests.
    if (error instanceof Halted) return { kind: 'SKIPPED_INACTIVE', nowMs };
    const failure = vendorFailure(error);
    if (failure === null) throw error;
    return failed(failure, !(error instanceof NotAsked) && failure.credentials === undefined);
  } finally {
    if (!call.signal.aborted) {
      if (call.isLocal) deps.breaker.localAnswered(plant.brand);
      else deps.breaker.regularAnswered(plant.brand, durationMs());
    }
  }
}
