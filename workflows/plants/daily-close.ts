import {
  getExternalWorkflowHandle,
  isCancellation,
  log,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';

import type { BackfillResult } from '../../activities/plants/contract.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import { innermostMessage } from '../../domain/plain-error.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { afterAttempt } from '../../domain/plants/retry.ts';
import { dayClosedSignal, pollWorkflowId } from './messages.ts';
import { refreshDaysStep, step } from './steps.ts';

export interface DailyCloseInput {
  plantId: string;
  date: LocalDate;
  /** When the closing was due. */
  atMs: number;
}

/**
 * Closes one plant-local day: refreshes the days before it from the vendor's series, stores the day's totals by local time,
 * judges low generation, and writes its row of the ledger. It is no poll and takes no lock; it never writes `plants`, but
 * signals the plant's loop.
 */
export async function closeDay(input: DailyCloseInput): Promise<ClosingVerdict> {
  const { plantId, date } = input;
  const startedAtMs = Date.now();
  const refreshed = await refresh(plantId, date);
  const verdict = await step('closeDay', { plantId, date, nowMs: Date.now() });
  const failure = refreshed.failure;
  await step('writePollLog', {
    plantId,
    slotMs: input.atMs,
    jobType: 'DAILY',
    trigger: startedAtMs - input.atMs > lateClosingMs ? 'CATCH_UP' : 'SCHEDULE',
    outcome: failure === null ? 'OK' : 'PARTIAL',
    startedAtMs,
    requestedAtMs: null,
    durationMs: Date.now() - startedAtMs,
    attempts: refreshed.attempts,
    errorType: failure?.type ?? null,
    error: failure?.message ?? (verdict.severity === null ? verdict.note : null),
    booked: null,
  });
  await tellLoop(plantId, verdict);
  return verdict;
}

/** A closing that starts later than this was missed and made good. */
const lateClosingMs = 60_000;

async function refresh(
  plantId: string,
  date: LocalDate,
): Promise<BackfillResult & { attempts: number }> {
  for (let attempts = 1; ; attempts += 1) {
    let result: BackfillResult;
    try {
      result = await refreshDaysStep({ plantId, date, nowMs: Date.now() });
    } catch (error) {
      if (isCancellation(error)) throw error;
      // A closing goes on without the series: the days are asked again at the next one.
      return { days: [], failure: { type: 'UNKNOWN', message: innermostMessage(error) }, attempts };
    }
    if (result.failure === null) return { ...result, attempts };
    const after = afterAttempt(result.failure, attempts);
    if (after.next === 'DONE') return { ...result, attempts };
    await sleep(after.waitMs);
  }
}

async function tellLoop(plantId: string, verdict: ClosingVerdict): Promise<void> {
  try {
    await getExternalWorkflowHandle(pollWorkflowId(plantId)).signal(dayClosedSignal, verdict);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.info('the day is closed, but the plant has no loop to tell', {
      plantId,
      workflowId: workflowInfo().workflowId,
    });
  }
}
