import { isCancellation, log, sleep } from '@temporalio/workflow';

import type {
  FetchResult,
  MissedSlots,
  PlantStanding,
  PollLogArgs,
  WholePollArgs,
} from '../../activities/plants/contract.ts';
import type { Booked, BookedPoll } from '../../domain/plants/changes.ts';
import type { Trigger } from '../../domain/plants/plant.ts';
import { afterAttempt } from '../../domain/plants/retry.ts';
import type { PollAnswer, PollCourse } from './messages.ts';
import { type LocalBudget, localBudget, sentenceOf, type StepPath } from '../steps.ts';
import { fetchStep, step, wholePollStep } from './steps.ts';

export interface PollRequest {
  plantId: string;
  slotMs: number;
  trigger: Trigger;
  requestedAtMs: number | null;
  requestId: string | undefined;
  intervalMs: number;
  path: StepPath;
  course: PollCourse;
  /** Older slots that nobody polled, to be written off with this poll; null where there are none. */
  missed: MissedSlots | null;
  /** A whole poll that the loop means to begin later. */
  postpone: boolean;
}

/** What became of a poll. */
interface PollEnd {
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

/**
 * One poll: fetch, snapshot, gaps, alerts and status, and its row of the ledger, whatever happened. Throws nothing but
 * cancellation. null: postponed.
 */
export async function pollPlant(request: PollRequest): Promise<PollEnd | null> {
  const whole = request.course === 'WHOLE' && request.path === 'LOCAL_FIRST';
  const result = whole ? await wholePollStep(wholePollArgs(request)) : null;
  if (result?.kind === 'ENDED') {
    const { poll, standing } = result;
    return endOf(ledgerRow(request, poll), standing);
  }
  if (result?.kind === 'LATER') return null;
  const { plantId, intervalMs, missed } = request;
  if (missed !== null) await step('writeMissed', { plantId, intervalMs, ...missed });
  return pollInSteps(request, result?.kind === 'FETCHED' ? result.fetched : null);
}

function wholePollArgs(request: PollRequest): WholePollArgs {
  const { plantId, slotMs, intervalMs, trigger, requestedAtMs, requestId, missed, postpone } =
    request;
  return {
    plantId,
    slotMs,
    intervalMs,
    nowMs: Date.now(),
    trigger,
    requestedAtMs,
    missed,
    ...(postpone ? { postpone } : {}),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** @param begun what the vendor has said to the poll's one step; null where nobody was asked. */
async function pollInSteps(request: PollRequest, begun: FetchResult | null): Promise<PollEnd> {
  // Woken early for one step that could not be: single steps begin on the slot.
  if (begun === null && request.slotMs > Date.now()) await sleep(request.slotMs - Date.now());
  const startedAtMs = begun === null || !('nowMs' in begun) ? Date.now() : begun.nowMs;
  let fetched: Fetched | null = null;
  let poll: BookedPoll | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE';
  let standing: PlantStanding | null = null;
  try {
    fetched = await fetchAll(request, begun);
    ({ poll, standing } = await book(request, startedAtMs, fetched));
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.error('a poll ended by an error of ours', {
      plantId: request.plantId,
      slotMs: request.slotMs,
      error,
    });
    poll = {
      outcome: 'FAILED',
      errorType: 'UNKNOWN',
      error: sentenceOf(error),
      booked: fetched?.booked ?? null,
      startedAtMs,
      durationMs: Date.now() - startedAtMs,
      attempts: fetched?.attempts ?? 1,
    };
  }
  const row = ledgerRow(request, poll);
  await step('writePollLog', row, localBudget(request.path));
  return endOf(row, standing);
}

function endOf(row: PollLogArgs, standing: PlantStanding | null): PollEnd {
  const { startedAtMs, durationMs } = row;
  const endedAtMs = startedAtMs === null || durationMs === null ? null : startedAtMs + durationMs;
  return { answer: pollAnswer(row, standing), standing, endedAtMs };
}

/** At most two attempts; the second 5 s later and regular, after a rate limit's time where that is short. */
async function fetchAll(request: PollRequest, begun: FetchResult | null): Promise<Fetched> {
  let attempts = 0;
  let durationMs = 0;
  for (let first = begun; ; first = null) {
    const { plantId, slotMs, intervalMs } = request;
    const result =
      first ??
      (await fetchStep(
        { plantId, slotMs, intervalMs, nowMs: Date.now() },
        attempts === 0 && request.course === 'STEPS' ? request.path : 'REGULAR',
      ));
    if (result.kind === 'READING' || result.kind === 'VENDOR_FAILURE')
      durationMs += result.durationMs;
    if (result.kind !== 'VENDOR_FAILURE') {
      return {
        result,
        attempts: result.kind === 'READING' ? attempts + 1 : attempts,
        durationMs,
        booked: null,
      };
    }
    if (!result.asked) return { result, attempts, durationMs, booked: null };
    attempts += 1;
    const after = afterAttempt(result.failure, attempts);
    if (after.next === 'DONE') return { result, attempts, durationMs, booked: null };
    await sleep(after.waitMs);
    durationMs += after.waitMs;
  }
}

async function book(
  request: PollRequest,
  startedAtMs: number,
  fetched: Fetched,
): Promise<{
  poll: BookedPoll | 'SKIPPED_LOCKED' | 'SKIPPED_INACTIVE';
  standing: PlantStanding | null;
}> {
  const { plantId, slotMs } = request;
  const { result, attempts, durationMs } = fetched;
  switch (result.kind) {
    case 'SKIPPED_LOCKED':
    case 'SKIPPED_INACTIVE':
      return { poll: result.kind, standing: null };
    case 'ALREADY_BOOKED':
      return { poll: result.poll, standing: null };
    case 'READING':
    case 'VENDOR_FAILURE': {
      const budget = localBudget(request.path);
      const { nowMs, credentialsVersion } = result;
      if (result.kind === 'READING') {
        const snapshot = await step(
          'upsertSnapshot',
          { plantId, slotMs, nowMs, reading: result.reading },
          budget,
        );
        fetched.booked = snapshot.booked;
        if (snapshot.gaps.length > 0) await fillGaps(plantId, snapshot.gaps, nowMs, budget);
      }
      const reconciled = await step(
        'reconcileAlerts',
        {
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
          booked: fetched.booked,
        },
        budget,
      );
      const { poll, ...standing } = reconciled;
      return { poll, standing };
    }
  }
}

/** A failing series changes neither outcome nor failure count; the tries are recorded by the activity. */
async function fillGaps(
  plantId: string,
  dates: string[],
  nowMs: number,
  budget: LocalBudget,
): Promise<void> {
  try {
    await step('backfillDays', { plantId, dates, nowMs, source: 'BACKFILL' }, budget);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('days could not be filled', { plantId, dates, error });
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
  const { outcome, startedAtMs, durationMs, attempts, errorType, error, booked } = poll;
  return { ...key, outcome, startedAtMs, durationMs, attempts, errorType, error, booked };
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
