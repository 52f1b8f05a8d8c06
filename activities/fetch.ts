import { ApplicationFailure } from '@temporalio/common';

import { AdapterError } from '../adapters/contract.ts';
import { takeProbe } from '../db/incidents.ts';
import { type FetchBefore, readFetchBefore } from '../db/polls.ts';
import { plantFacts } from '../db/plants.ts';
import type { VendorFailure } from '../domain/reading.ts';
import type { FetchArgs, FetchResult } from './contract.ts';
import type { ActivityDeps, CallContext } from './deps.ts';
import { takeRegular } from './failure.ts';
import { credentialsHeld, vendorFailure, vendorPlant } from './vendor.ts';
import { readPlant } from './vendor-reading.ts';

/** A regular fetch ends itself before its start-to-close time-out of 60 s, so that the vendor's slowness is a value. */
const regularFetchMsMax = 55_000;
/** The lock outlives two intervals: a poll that is longer has its slot fenced by the database. */
const lockIntervals = 2;

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
    const owner = `${deps.lockDomain}/${call.workflowId}`;
    const [lock, before] = await Promise.all([
      deps.locks.acquire(args.plantId, owner, lockIntervals * args.intervalMs),
      readFetchBefore(deps.db, args.plantId, args.slotMs),
    ]);
    if (lock === 'TAKEN') return { kind: 'SKIPPED_LOCKED', nowMs };
    if (before === null || before.plant.integration_status !== 'ACTIVE')
      return { kind: 'SKIPPED_INACTIVE', nowMs };
    const { plant, claim, credentials } = before;
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
    if (call.isLocal && deps.breaker.isOpen(plant.brand)) {
      throw ApplicationFailure.nonRetryable(
        `the ${plant.brand} cloud is slow: not asked on the local path`,
        takeRegular,
      );
    }
    const held = await heldBack(deps, before, args.slotMs, nowMs);
    return held ?? ask(deps, call, before, nowMs);
  };
}

/** Refused credentials of an incident are tried by one plant an hour; what the others are answered with, without a request. */
async function heldBack(
  deps: ActivityDeps,
  { plant, heldByIncident }: FetchBefore,
  slotMs: number,
  nowMs: number,
): Promise<FetchResult | null> {
  if (heldByIncident === null) return null;
  if (await takeProbe(deps.db, heldByIncident, plant.id, slotMs, nowMs)) return null;
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

async function ask(
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
