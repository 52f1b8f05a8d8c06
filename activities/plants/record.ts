import { applyAlertChanges } from '../../db/alerts.ts';
import {
  type AlertsFence,
  plantSubject,
  readAlertsBefore,
  writePlantChanges,
} from '../../db/plants/alerts.ts';
import {
  findCredentials,
  lockAccount,
  recordRefusal,
  type RefusedAccount,
} from '../../db/plants/credentials.ts';
import { type Db, instant } from '../../db/database.ts';
import { findPlant, lockPlant, pauseAccount, type PlantRow } from '../../db/plants/plants.ts';
import { insertPollLog } from '../../db/plants/poll-logs.ts';
import { findClaims, readDayBefore, writeLiveDay } from '../../db/plants/snapshots.ts';
import { accountRefusal, decideAlerts, outcomeOf } from '../../domain/plants/alerts.ts';
import type { AlertsChanges, BookedPoll } from '../../domain/plants/changes.ts';
import type { AlertsBefore, PollResult } from '../../domain/plants/facts.ts';
import { refusesAccount } from '../../domain/plants/failure.ts';
import { decideDay } from '../../domain/plants/day.ts';
import type {
  EvaluateArgs,
  MissedArgs,
  PlantStanding,
  PollLogArgs,
  ReconcileArgs,
  ReconcileResult,
  SnapshotArgs,
  SnapshotResult,
} from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';
import { PlainError } from '../../domain/plain-error.ts';
import { sentenceOf } from '../../domain/wording.ts';
import { pollLogRow, writeOff } from './poll-log.ts';
import { giveLockBack } from './plant-lock.ts';
import { bookedPoll, gone } from './stored-plant.ts';

/** The steps that record a poll. Each claims its slot in the transaction that makes its changes. */
export function createRecord(deps: ActivityDeps, context: () => CallContext) {
  return {
    async upsertSnapshot(args: SnapshotArgs): Promise<SnapshotResult> {
      const before = await readDayBefore(deps.db, args.plantId, args.nowMs);
      if (before === null) throw gone(args.plantId);
      const { booked, row, gaps } = decideDay(before, args.reading.summary, args.nowMs);
      if (row !== null) {
        const claim = { nowMs: args.nowMs, reading: args.reading, booked };
        const written = await writeLiveDay(deps.db, args.plantId, args.slotMs, { row, claim });
        await deps.checkpoint('after snapshot commit');
        if (!written) {
          const { plantId, slotMs } = args;
          const [stored] = await findClaims(deps.db, plantId, { fromMs: slotMs, toMs: slotMs });
          return { booked: stored?.claim.booked ?? booked, gaps: [] };
        }
      }
      return { booked, gaps };
    },

    async reconcileAlerts(args: ReconcileArgs): Promise<ReconcileResult> {
      const result = await reconcile(deps, args);
      await deps.checkpoint('after alerts commit');
      return withCourse(deps, result);
    },

    async evaluatePlant(args: EvaluateArgs): Promise<PlantStanding> {
      return withCourse(deps, await evaluate(deps, args));
    },

    async writePollLog(args: PollLogArgs): Promise<void> {
      const call = context();
      await insertPollLog(deps.db, pollLogRow(args, call));
      await deps.checkpoint('after ledger commit');
      if (args.jobType === 'POLL') endPoll(deps, call, args);
    },

    async writeMissed(args: MissedArgs): Promise<void> {
      const { workflowId, runId } = context();
      await writeOff(deps.db, { ...args, workflowId, runId });
    },
  };
}

/**
 * The alert step. A poll that changes no alert is one guarded statement; any other takes the plant's lock, reads again and
 * applies everything in one transaction.
 */
async function reconcile(deps: ActivityDeps, args: ReconcileArgs): Promise<ReconcileResult> {
  const refused = isRefused(args);
  if (!refused) {
    const step = await decide(deps.db, args);
    if ('done' in step) return step.done;
    if (step.changes.alerts.length === 0) {
      const fence = { ...step.fence, seenRevision: step.row.revision };
      const written = await writePlantChanges(deps.db, args.plantId, step.changes.plant, fence);
      if (written) {
        tellChange(deps, step.row, step.changes);
        return { ...decidedStanding(step.row, step.changes, step.before), poll: step.poll };
      }
    }
  }
  return inTransaction(deps, async (trx, tell): Promise<ReconcileResult> => {
    const accountId = refused ? (await findPlant(trx, args.plantId))?.vendor_account_id : undefined;
    // The account first, so that two of its plants that are refused at once take their locks in the same order.
    if (accountId !== undefined) await lockAccount(trx, accountId);
    if ((await lockPlant(trx, args.plantId)) === undefined) throw gone(args.plantId);
    const step = await decide(trx, args);
    if ('done' in step) return step.done;
    const { changes, row, before, poll } = step;
    if (!(await writePlantChanges(trx, args.plantId, changes.plant, step.fence))) {
      throw new PlainError(`plant ${args.plantId} could not be written under its own lock`);
    }
    const { nowMs } = args;
    await applyAlertChanges(trx, plantSubject(args.plantId), changes.alerts, { ...before, nowMs });
    if (changes.pauseAccount) {
      const refusal = refusedAccount(args);
      await recordRefusal(trx, row.vendor_account_id, refusal);
      const paused = await pauseAccount(trx, row.vendor_account_id);
      deps.log.warn(
        { accountId: row.vendor_account_id, plants: paused.length, refusal: refusal.refusal },
        'credentials refused: the plants of the account are paused',
      );
    }
    const after = changes.pauseAccount ? await findPlant(trx, args.plantId) : undefined;
    tell(row, changes);
    const revision = after?.revision ?? row.revision;
    return { ...decidedStanding(row, changes, before), revision, poll };
  });
}

/** Runs `work` in a transaction. `work` calls `tell` with what it changed, which is logged after the commit. */
async function inTransaction<Result>(
  deps: ActivityDeps,
  work: (trx: Db, tell: (row: PlantRow, changes: AlertsChanges) => void) => Promise<Result>,
): Promise<Result> {
  const told: [PlantRow, AlertsChanges][] = [];
  const result = await deps.db
    .transaction()
    .execute((trx) => work(trx, (...change) => told.push(change)));
  for (const change of told) tellChange(deps, ...change);
  return result;
}

/** After the commit of a poll's row: logs the end of a requested poll, and starts to give the lock back. */
export function endPoll(
  deps: ActivityDeps,
  call: Pick<CallContext, 'workflowId'>,
  { plantId, outcome, requestId }: Pick<PollLogArgs, 'plantId' | 'outcome' | 'requestId'>,
): void {
  if (requestId !== undefined)
    deps.log.info({ plantId, outcome, request_id: requestId }, 'requested poll ended');
  giveLockBack(deps, call, plantId);
}

/** Logs a new status. Call it after the commit. */
export function tellChange(deps: ActivityDeps, row: PlantRow, changes: AlertsChanges): void {
  const { status, statusReason } = changes.plant;
  if (status === row.status) return;
  deps.log.info(
    { plantId: row.id, from: row.status, to: status, reason: statusReason },
    'plant status changed',
  );
}

/** Alerts and status without a reading, if the plant still has the revision that the caller saw; null: any revision. */
export async function evaluate(
  deps: ActivityDeps,
  args: Omit<EvaluateArgs, 'revision'> & { revision: number | null },
): Promise<PlantStanding> {
  const { plantId, nowMs } = args;
  return inTransaction(deps, async (trx, tell): Promise<PlantStanding> => {
    const locked = await lockPlant(trx, plantId);
    if (locked === undefined) throw gone(plantId);
    const read = await readAlertsBefore(trx, plantId, { nowMs });
    if (read === null) throw gone(plantId);
    const changes = decideAlerts(read.before, { nowMs, closing: args.closing, result: null });
    const fence = { kind: 'REVISION', revision: args.revision ?? locked.revision } as const;
    const written = await writePlantChanges(trx, plantId, changes.plant, fence);
    // Another revision: a person changed the plant meanwhile. The loop looks again and evaluates anew.
    if (!written) return standing(read.row, read.before.active.length);
    await applyAlertChanges(trx, plantSubject(plantId), changes.alerts, { ...read.before, nowMs });
    tell(read.row, changes);
    return decidedStanding(read.row, changes, read.before);
  });
}

type Step =
  | { done: ReconcileResult }
  | {
      changes: AlertsChanges;
      fence: Extract<AlertsFence, { kind: 'SLOT' }>;
      row: PlantRow;
      before: AlertsBefore;
      poll: BookedPoll;
    };

async function decide(db: Db, args: ReconcileArgs): Promise<Step> {
  const { nowMs, slotMs, booked } = args;
  const alarms = args.result.kind === 'READING' ? args.result.reading.alarms : null;
  const read = await readAlertsBefore(db, args.plantId, {
    nowMs,
    measuredAtMs: booked?.seenAtMs ?? nowMs,
    endedSinceMs: alarms !== null && 'since' in alarms ? Date.parse(alarms.since) : nowMs,
  });
  if (read === null) throw gone(args.plantId);
  const { before, row } = read;
  const stored = bookedPoll(row, slotMs);
  if (stored !== null) return { done: { ...standing(row, before.active.length), poll: stored } };
  const result: PollResult =
    args.result.kind === 'READING'
      ? args.result
      : { ...args.result, credentialsCurrent: await areCurrent(db, args, row) };
  const changes = decideAlerts(before, { slotMs, nowMs, result, booked });
  const { startedAtMs, durationMs, attempts } = args;
  const poll: BookedPoll = { ...outcomeOf(result), booked, startedAtMs, durationMs, attempts };
  return { changes, fence: { kind: 'SLOT', slotMs, poll, seenRevision: null }, row, before, poll };
}

function isRefused({ result }: ReconcileArgs): boolean {
  return result.kind === 'FAILURE' && refusesAccount(result.failure);
}

function refusedAccount({ result, nowMs }: ReconcileArgs): RefusedAccount {
  if (result.kind !== 'FAILURE') throw new PlainError('an account is paused by a failure only');
  const { failure } = result;
  return {
    refusal: accountRefusal(failure),
    message: sentenceOf(failure.message),
    at: instant(nowMs),
  };
}

/** Whether the tried credentials are still the account's, and the account still the plant's. */
async function areCurrent(db: Db, args: ReconcileArgs, row: PlantRow): Promise<boolean> {
  if (!isRefused(args)) return true;
  if (args.accountId !== undefined && args.accountId !== row.vendor_account_id) return false;
  const stored = await findCredentials(db, row.vendor_account_id);
  return (stored?.version ?? null) === args.credentialsVersion;
}

/** Adds the worker's course of polls, for the loop's next run. */
export function withCourse<Told extends PlantStanding>(
  { pollCourse }: Pick<ActivityDeps, 'pollCourse'>,
  told: Told,
): Told {
  return pollCourse === 'STEPS' ? { ...told, course: 'STEPS' } : told;
}

/** The plant as it is stored. */
function standing(row: PlantRow, openAlerts: number): PlantStanding {
  return {
    status: row.status,
    statusReason: row.status_reason,
    statusSinceMs: row.status_since.getTime(),
    lastSeenAtMs: row.last_seen_at?.getTime() ?? null,
    openAlerts,
    revision: row.revision,
  };
}

/** The plant as it was decided and written. */
export function decidedStanding(
  row: PlantRow,
  changes: AlertsChanges,
  before: Pick<AlertsBefore, 'active'>,
): PlantStanding {
  const raised = changes.alerts.filter((change) => change.kind === 'RAISE').length;
  const resolved = changes.alerts.filter((change) => change.kind === 'RESOLVE').length;
  const { status, statusReason, statusSinceMs, lastSeenAtMs } = changes.plant;
  return {
    status,
    statusReason,
    statusSinceMs,
    lastSeenAtMs,
    openAlerts: before.active.length + raised - resolved,
    revision: row.revision,
  };
}
