import type {
  FetchArgs,
  FetchResult,
  MissedSlots,
  PlantActivities,
  PlantStanding,
  PollCourse,
  PollLogArgs,
  WholePollArgs,
  WholePollResult,
} from '../../activities/plants/contract.ts';
import type { Booked, BookedPoll } from '../../domain/plants/changes.ts';
import type { Trigger } from '../../domain/plants/plant.ts';
import { afterAttempt } from '../../domain/plants/retry.ts';
import { innermostMessage } from '../../domain/plain-error.ts';
import type { PollAnswer } from './messages.ts';
import type { StepPath } from '../steps.ts';

/**
 * The course of a poll, as steps over injected effects. The workflow runs it in Temporal; the player of past days, the
 * simulation and the bench of the rival run it without.
 */

export interface PollRequest {
  plantId: string;
  slotMs: number;
  trigger: Trigger;
  requestedAtMs: number | null;
  requestId: string | undefined;
  intervalMs: number;
  path: StepPath;
  course: PollCourse;
  /** Older slots that nobody polled: they become MISSED with this poll. null: none. */
  missed: MissedSlots | null;
  /** A poll in one step that the loop will begin later. */
  isPostponed: boolean;
  /** Attempts that an earlier run of this poll made; 0 unless said. */
  attemptsBefore?: number;
}

type PollStep =
  | 'writeMissed'
  | 'upsertSnapshot'
  | 'backfillDays'
  | 'reconcileAlerts'
  | 'writePollLog';

/** What a poll needs of the world. */
export interface PollEffects {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** The whole poll in one step. null: it did not finish, and the single steps find out what it did. */
  pollWhole(args: WholePollArgs): Promise<WholePollResult | null>;
  fetchReadings(args: FetchArgs, path: StepPath): Promise<FetchResult>;
  /** The other steps; those of one call share what time they may take while they are local. */
  steps(path: StepPath): Pick<PlantActivities, PollStep>;
  /** True for an error that ends the poll without a row: a cancellation. Any other makes a FAILED row. */
  endsPoll(error: unknown): boolean;
  log: {
    warn(message: string, fields: Record<string, unknown>): void;
    error(message: string, fields: Record<string, unknown>): void;
  };
}

/** What became of a poll. */
export interface PollEnd {
  answer: PollAnswer;
  /** null where the alert step did not run. */
  standing: PlantStanding | null;
  /** When the vendor's last answer was there, by the worker's clock; null where nobody was asked. */
  endedAtMs: number | null;
}

/** The answer of the vendor after all attempts, with what they took. */
interface Fetched {
  result: FetchResult;
  attempts: number;
  durationMs: number;
  /** What the snapshot step booked; it stays booked when a later step fails. */
  booked: Booked | null;
}

/** The older slots of a poll could not be written as MISSED: nothing was done, and its slot is still due. */
export class NotBegun extends Error {
  override readonly name = 'NotBegun';
}

/**
 * One poll: fetch, snapshot, gaps, alerts and status, and its row of the ledger, whatever happens.
 *
 * @returns null where it was postponed: nothing was done.
 * @throws NotBegun, what `endsPoll` names, and the error of a row that cannot be written.
 */
export async function pollPlant(
  request: PollRequest,
  effects: PollEffects,
): Promise<PollEnd | null> {
  const isWhole = request.course === 'WHOLE' && request.path === 'LOCAL_FIRST';
  const result = isWhole ? await effects.pollWhole(wholePollArgs(request, effects.nowMs())) : null;
  if (result?.kind === 'ENDED') return endOf(ledgerRow(request, result.poll), result.standing);
  if (result?.kind === 'LATER') return null;
  if (request.missed !== null) await writeMissed(request, request.missed, effects);
  return pollInSteps(request, effects, result?.kind === 'FETCHED' ? result.fetched : null);
}

async function writeMissed(
  { plantId, intervalMs }: PollRequest,
  missed: MissedSlots,
  effects: PollEffects,
): Promise<void> {
  try {
    await effects.steps('LOCAL_FIRST').writeMissed({ plantId, intervalMs, ...missed });
  } catch (error) {
    if (effects.endsPoll(error)) throw error;
    throw new NotBegun('missed slots could not be written', { cause: error });
  }
}

function wholePollArgs(request: PollRequest, nowMs: number): WholePollArgs {
  const { plantId, slotMs, intervalMs, trigger, requestedAtMs, requestId, missed } = request;
  return {
    plantId,
    slotMs,
    intervalMs,
    nowMs,
    trigger,
    requestedAtMs,
    missed,
    ...(request.isPostponed ? { postpone: true } : {}),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** @param begun what the vendor has said to the poll's one step; null where nobody was asked. */
async function pollInSteps(
  request: PollRequest,
  effects: PollEffects,
  begun: FetchResult | null,
): Promise<PollEnd> {
  const { plantId, slotMs, path } = request;
  // Woken early for one step that could not be: single steps begin on the slot.
  const earlyMs = slotMs - effects.nowMs();
  if (begun === null && earlyMs > 0) await effects.sleep(earlyMs);
  const startedAtMs = begun === null || !('nowMs' in begun) ? effects.nowMs() : begun.nowMs;
  let fetched: Fetched | null = null;
  let poll: BookedPoll | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE';
  let standing: PlantStanding | null = null;
  try {
    fetched = await fetchAll(request, effects, begun);
    ({ poll, standing } = await book(request, effects, startedAtMs, fetched));
  } catch (error) {
    if (effects.endsPoll(error)) throw error;
    effects.log.error('a poll ended by an error of ours', { plantId, slotMs, error });
    poll = {
      outcome: 'FAILED',
      errorType: 'UNKNOWN',
      error: innermostMessage(error),
      booked: fetched?.booked ?? null,
      startedAtMs,
      durationMs: effects.nowMs() - startedAtMs,
      attempts: fetched?.attempts ?? 1,
    };
  }
  const row = ledgerRow(request, poll);
  await effects.steps(path).writePollLog(row);
  return endOf(row, standing);
}

function endOf(row: PollLogArgs, standing: PlantStanding | null): PollEnd {
  const { startedAtMs, durationMs } = row;
  const endedAtMs = startedAtMs === null || durationMs === null ? null : startedAtMs + durationMs;
  return { answer: pollAnswer(row, standing), standing, endedAtMs };
}

/** At most two attempts: the second is regular, 5 s later or, where that is short, after a rate limit's time. */
async function fetchAll(
  request: PollRequest,
  effects: PollEffects,
  begun: FetchResult | null,
): Promise<Fetched> {
  const { plantId, slotMs, intervalMs, course, path, attemptsBefore = 0 } = request;
  let attempts = attemptsBefore;
  let durationMs = 0;
  for (let first = begun; ; first = null) {
    const isFirst = attempts === 0 && course === 'STEPS';
    const result =
      first ??
      (await effects.fetchReadings(
        { plantId, slotMs, intervalMs, nowMs: effects.nowMs() },
        isFirst ? path : 'REGULAR',
      ));
    if (result.kind === 'READING' || result.kind === 'VENDOR_FAILURE')
      durationMs += result.durationMs;
    const isAsked = result.kind === 'READING' || (result.kind === 'VENDOR_FAILURE' && result.asked);
    if (isAsked) attempts += 1;
    const fetched = { result, attempts, durationMs, booked: null };
    if (result.kind !== 'VENDOR_FAILURE' || !result.asked) return fetched;
    const after = afterAttempt(result.failure, attempts);
    if (after.next === 'DONE') return fetched;
    await effects.sleep(after.waitMs);
    durationMs += after.waitMs;
  }
}

/** Snapshot, gaps, alerts and status of what the vendor said. */
async function book(
  request: PollRequest,
  effects: PollEffects,
  startedAtMs: number,
  fetched: Fetched,
): Promise<{
  poll: BookedPoll | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE';
  standing: PlantStanding | null;
}> {
  const { plantId, slotMs } = request;
  const { result, attempts, durationMs } = fetched;
  if (result.kind === 'ALREADY_BOOKED') return { poll: result.poll, standing: null };
  if (result.kind !== 'READING' && result.kind !== 'VENDOR_FAILURE')
    return { poll: result.kind, standing: null };
  const steps = effects.steps(request.path);
  const { nowMs, credentialsVersion } = result;
  if (result.kind === 'READING') {
    const { reading } = result;
    const { booked, gaps } = await steps.upsertSnapshot({ plantId, slotMs, nowMs, reading });
    fetched.booked = booked;
    if (gaps.length > 0) await fillGaps(plantId, gaps, nowMs, { effects, steps });
  }
  const { poll, ...standing } = await steps.reconcileAlerts({
    plantId,
    slotMs,
    nowMs,
    startedAtMs,
    durationMs,
    attempts,
    result:
      result.kind === 'READING'
        ? { kind: 'READING', reading: result.reading }
        : { kind: 'FAILURE', failure: result.failure },
    credentialsVersion,
    ...('accountId' in result ? { accountId: result.accountId } : {}),
    booked: fetched.booked,
  });
  return { poll, standing };
}

/** A failing series changes neither outcome nor failure count; the activity records the tries. */
async function fillGaps(
  plantId: string,
  dates: string[],
  nowMs: number,
  { effects, steps }: { effects: PollEffects; steps: Pick<PlantActivities, 'backfillDays'> },
): Promise<void> {
  try {
    await steps.backfillDays({ plantId, dates, nowMs, source: 'BACKFILL' });
  } catch (error) {
    if (effects.endsPoll(error)) throw error;
    effects.log.warn('days could not be filled', { plantId, dates, error });
  }
}

function ledgerRow(
  request: PollRequest,
  poll: BookedPoll | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE',
): PollLogArgs {
  const { plantId, slotMs, trigger, requestedAtMs, requestId } = request;
  const key = {
    plantId,
    slotMs,
    jobType: 'POLL',
    trigger,
    requestedAtMs,
    ...(requestId === undefined ? {} : { requestId }),
  } as const;
  if (typeof poll === 'string') {
    return {
      ...key,
      outcome: poll,
      startedAtMs: null,
      durationMs: null,
      attempts: 0,
      errorType: null,
      error: null,
      booked: null,
    };
  }
  return { ...key, ...poll };
}

function pollAnswer(row: PollLogArgs, standing: PlantStanding | null): PollAnswer {
  return {
    plant_id: row.plantId,
    scheduled_for: new Date(row.slotMs).toISOString(),
    trigger: row.trigger,
    outcome: row.outcome,
    attempts: row.attempts,
    duration_ms: row.durationMs,
    adapter_error_type: row.errorType,
    error: row.error,
    power_w: row.booked?.powerW ?? null,
    today_energy_kwh: row.booked?.todayEnergyKwh ?? null,
    lifetime_energy_kwh: row.booked?.lifetimeEnergyKwh ?? null,
    booked_date: row.booked?.bookedDate ?? null,
    source_time:
      row.booked?.sourceTimeMs == null ? null : new Date(row.booked.sourceTimeMs).toISOString(),
    status: standing?.status ?? null,
    status_reason: standing?.statusReason ?? null,
  };
}
