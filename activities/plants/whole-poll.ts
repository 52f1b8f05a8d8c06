import { ApplicationFailure } from '@temporalio/common';

import {
  type ComingPoll,
  markedLateMsMax,
  readWholePolls,
  type WholePollBefore,
} from '../../db/plants/polls.ts';
import { type WholePoll, writeWholePolls } from '../../db/plants/whole-polls.ts';
import { outcomeOf } from '../../domain/plants/alerts.ts';
import type { AlertsChanges, BookedPoll } from '../../domain/plants/changes.ts';
import { totalsAtTime } from '../../domain/plants/closing.ts';
import { decideOrdinaryPoll } from '../../domain/plants/poll.ts';
import type { FetchResult, PlantStanding, WholePollArgs, WholePollResult } from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';
import { takeRegular } from '../failure.ts';
import { answerWithoutVendor, askVendor, refuseWhileSlow, unknownPlant } from './fetch.ts';
import { grouped } from '../grouped.ts';
import { pollLogRow } from './ledger.ts';
import { takeLock } from './plant-lock.ts';
import { decidedStanding, endPoll, tellChange, withCourse } from './record.ts';
import { waitAtLeast } from '../wait.ts';

/** As many plants as one statement takes: more would only delay the first of them. */
const groupSizeMax = 100;
/** While so many statements are out, the next polls gather: a busy database is asked less often, not more. */
const groupsOutMax = 2;
/** A poll that was woken before its slot reads in company, and has this long before the slot for whatever goes slowly. */
const readyBeforeSlotMs = 100;
const readLingerMs = 5;
/** The vendor has answered: nobody waits for the row. */
const writeLingerMs = 100;
/** As long as the single steps' fetch may take on the local path. */
const vendorMsMax = 2_000;

/**
 * `pollWhole`: a poll in one local step, for many plants with one statement before the vendors are asked and one after. What
 * is out of the ordinary (a failure, gaps, any change of an alert, a refused fence) is left to the single steps, together
 * with what the vendor said.
 *
 * @throws ApplicationFailure TAKE_REGULAR while the brand's breaker is open, or where the vendor takes longer than 2 s; else
 * as `failure.ts` says.
 */
export function createWholePoll(deps: ActivityDeps, context: () => CallContext) {
  const limits = { sizeMax: groupSizeMax, flightsMax: groupsOutMax };
  const read = grouped((polls: readonly ComingPoll[]) => readWholePolls(deps.db, polls), limits);
  const write = grouped(async (polls: readonly WholePoll[]) => {
    const written = await writeTogether(deps, polls);
    return polls.map(({ plantId }) => written.has(plantId));
  }, limits);

  return async function pollWhole(args: WholePollArgs): Promise<WholePollResult> {
    const call = context();
    const { plantId, slotMs } = args;
    if (args.postpone === true) return { kind: 'LATER' };
    // Where somebody waits, or one poll follows the other, nobody else would come.
    const isAlone = args.trigger === 'MANUAL' || !call.isLocal;
    const spareMs = untilSlotMs(args, deps.clock()) - readyBeforeSlotMs;
    const beforeSlotMs = Math.max(args.nowMs, deps.clock());
    const [lock, before] = await Promise.all([
      takeLock(deps, call, args),
      read(
        { plantId, slotMs, nowMs: beforeSlotMs, missedFromMs: missedFromMs(args) },
        isAlone ? 0 : Math.max(readLingerMs, spareMs),
      ),
    ]);
    if (before === null) return fetched(unknownPlant(lock, beforeSlotMs));
    if (before.isMissedBooked) return { kind: 'STEPS' };
    const known = { args, nowMs: beforeSlotMs, lock, before: before.fetch };
    const answer = await answerWithoutVendor(deps, call, known);
    if (answer !== null) return fetched(answer);
    // Ends a call that waited for the database for too long: it has been given up, and the regular path asks.
    await waitAtLeast(untilSlotMs(args, deps.clock()), call.signal);
    // It may have opened meanwhile.
    refuseWhileSlow(deps, call, before.fetch.plant.brand);
    const nowMs = Math.max(args.nowMs, deps.clock());
    const result = await askInTime(deps, call, before, nowMs);
    const ordinary = decideOrdinary(args, call, before, result);
    if (ordinary === null || !(await write(ordinary.whole, isAlone ? 0 : writeLingerMs)))
      return fetched(result);
    const { whole, standing, changes } = ordinary;
    await deps.checkpoint('after snapshot commit');
    await deps.checkpoint('after alerts commit');
    await deps.checkpoint('after ledger commit');
    tellChange(deps, before.fetch.plant, changes);
    endPoll(deps, call, { ...args, outcome: whole.poll.outcome });
    return { kind: 'ENDED', poll: whole.poll, standing: withCourse(deps, standing) };
  };
}

/** The plants whose poll was written; none where PostgreSQL is away, or does not take one of them. */
async function writeTogether(
  deps: ActivityDeps,
  polls: readonly WholePoll[],
): Promise<ReadonlySet<string>> {
  try {
    return await writeWholePolls(deps.db, polls);
  } catch (error) {
    // The single steps write what the vendors said, wait for a database that is away, and tell of a plant that is at fault.
    // Should the statement have been committed all the same, they find its claims.
    const { code } = error as { code?: unknown };
    deps.log.warn({ polls: polls.length, code }, 'polls could not be written together');
    return new Set();
  }
}

function missedFromMs({ missed }: WholePollArgs): number | null {
  return missed === null ? null : (missed.overflow?.slotMs ?? missed.rows?.fromMs ?? null);
}

function fetched(result: FetchResult): WholePollResult {
  return { kind: 'FETCHED', fetched: result };
}

/** How long the poll was woken before its slot: by the worker's clock, but never longer than the loop's own says. */
function untilSlotMs({ slotMs, nowMs }: WholePollArgs, clockMs: number): number {
  return Math.max(0, slotMs - Math.max(nowMs, clockMs));
}

/** Asks the vendor, a local step for 2 s at most: what takes longer belongs to a regular one, which holds no workflow task. */
async function askInTime(
  deps: ActivityDeps,
  call: CallContext,
  { fetch }: WholePollBefore,
  nowMs: number,
): Promise<FetchResult> {
  if (!call.isLocal) return askVendor(deps, call, fetch, nowMs);
  const limit = new AbortController();
  const end = () => limit.abort(call.signal.reason);
  call.signal.addEventListener('abort', end);
  const timer = setTimeout(() => limit.abort(), vendorMsMax);
  try {
    return await askVendor(deps, { ...call, signal: limit.signal }, fetch, nowMs);
  } catch (error) {
    if (limit.signal.aborted && !call.signal.aborted) {
      throw ApplicationFailure.nonRetryable(
        `the ${fetch.plant.brand} cloud takes longer than ${vendorMsMax / 1_000} s: asked again on the regular path`,
        takeRegular,
      );
    }
    throw error;
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener('abort', end);
  }
}

/** All that an ordinary poll writes; null for any other poll. */
function decideOrdinary(
  args: WholePollArgs,
  call: CallContext,
  before: WholePollBefore,
  result: FetchResult,
): { whole: WholePoll; changes: AlertsChanges; standing: PlantStanding } | null {
  if (result.kind !== 'READING') return null;
  const { plantId, slotMs } = args;
  const { nowMs, durationMs, reading } = result;
  const { rules, markedDays, fetch } = before;
  if (nowMs - slotMs > markedLateMsMax) return null;
  const decided = decideOrdinaryPoll(before, reading, { slotMs, nowMs }, (measuredAtMs) =>
    totalsAtTime(markedDays, measuredAtMs, rules.plant.timezone),
  );
  if (decided === null) return null;
  const { day, alerts } = decided;
  const { row, booked } = day;
  const poll: BookedPoll = {
    ...outcomeOf({ kind: 'READING', reading }),
    booked,
    startedAtMs: nowMs,
    durationMs,
    attempts: 1,
  };
  const whole: WholePoll = {
    plantId,
    slotMs,
    revision: fetch.plant.revision,
    plant: alerts.plant,
    poll,
    day: row === null ? null : { row, claim: { nowMs, reading, booked } },
    log: pollLogRow({ ...args, ...poll, jobType: 'POLL' }, call),
    missed: args.missed === null ? null : { ...args.missed, intervalMs: args.intervalMs },
  };
  return { whole, changes: alerts, standing: decidedStanding(fetch.plant, alerts, rules) };
}
