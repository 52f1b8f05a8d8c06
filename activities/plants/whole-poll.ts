import { ApplicationFailure } from '@temporalio/common';

import {
  type ComingPoll,
  markedLateMsMax,
  readWholePolls,
  type WholePollBefore,
} from '../../db/plants/polls.ts';
import { type WholePoll, writeWholePolls } from '../../db/plants/whole-polls.ts';
import { codeOf } from '../../db/service-error.ts';
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
import { pollLogRow } from './poll-log.ts';
import { takeLock } from './plant-lock.ts';
import { decidedStanding, endPoll, tellChange, withCourse } from './record.ts';
import { waitAtLeast } from '../wait.ts';

/** Maximum number of plants in one statement; more would delay the first of them. */
const groupSizeMax = 100;
/** Maximum number of statements at once. The next polls wait and share one, so that a busy database gets fewer statements. */
const groupsOutMax = 2;
/** A poll that wakes before its slot shares a statement with others, and has read its plant this long before the slot. */
const readyBeforeSlotMs = 100;
const readLingerMs = 5;
/** How long a written poll may wait for others: the vendor has answered, and nobody waits for the row. */
const writeLingerMs = 100;
/** Time limit of the vendor on the local path, the same as that of the single steps' fetch. */
const vendorMsMax = 2_000;

/**
 * `pollWhole`: a poll in one local step. Many plants share one statement before their vendors are asked and one after. A poll
 * that is not ordinary (a failure, gaps, any change of an alert, a refused fence) continues in the single steps with the
 * vendor's answer.
 *
 * @throws ApplicationFailure TAKE_REGULAR while the brand's breaker is open, or if the vendor takes longer than 2 s; else as
 * `failure.ts` says.
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
    // A person waits, or one poll follows another: no other poll would share the statement.
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
    // Throws if the call was cancelled while it waited for the database; the regular path then asks.
    await waitAtLeast(untilSlotMs(args, deps.clock()), call.signal);
    // The breaker may have opened meanwhile.
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

/** The plants whose poll was written; none if PostgreSQL is away, or refuses one of them. */
async function writeTogether(
  deps: ActivityDeps,
  polls: readonly WholePoll[],
): Promise<ReadonlySet<string>> {
  try {
    return await writeWholePolls(deps.db, polls);
  } catch (error) {
    // The single steps write the vendors' answers, wait for a database that is away, and name a plant that is at fault. If the
    // statement was committed all the same, they find its claims.
    deps.log.warn(
      { polls: polls.length, code: codeOf(error) },
      'polls could not be written together',
    );
    return new Set();
  }
}

function missedFromMs({ missed }: WholePollArgs): number | null {
  return missed === null ? null : (missed.overflow?.slotMs ?? missed.rows?.fromMs ?? null);
}

function fetched(result: FetchResult): WholePollResult {
  return { kind: 'FETCHED', fetched: result };
}

/** Time until the slot, ms, by the later of the worker's clock and the loop's time. */
function untilSlotMs({ slotMs, nowMs }: WholePollArgs, clockMs: number): number {
  return Math.max(0, slotMs - Math.max(nowMs, clockMs));
}

/** Asks the vendor; a local step for 2 s at most, because it holds a workflow task and a regular step does not. */
async function askInTime(
  deps: ActivityDeps,
  call: CallContext,
  { fetch }: WholePollBefore,
  nowMs: number,
): Promise<FetchResult> {
  if (!call.isLocal) return askVendor(deps, call, fetch, nowMs);
  const limit = AbortSignal.timeout(vendorMsMax);
  const signal = AbortSignal.any([call.signal, limit]);
  try {
    return await askVendor(deps, { ...call, signal }, fetch, nowMs);
  } catch (error) {
    if (limit.aborted && !call.signal.aborted) {
      throw ApplicationFailure.nonRetryable(
        `the ${fetch.plant.brand} cloud takes longer than ${vendorMsMax / 1_000} s: asked again on the regular path`,
        takeRegular,
      );
    }
    throw error;
  }
}

/** What an ordinary poll writes; null for any other poll. */
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
  const outcome = outcomeOf({ kind: 'READING', reading });
  const poll: BookedPoll = { ...outcome, booked, startedAtMs: nowMs, durationMs, attempts: 1 };
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
