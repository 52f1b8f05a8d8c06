import type { BackfillResult, Closing, PlantActivities } from '../../activities/plants/contract.ts';
import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import { innermostMessage } from '../../domain/plain-error.ts';
import { afterAttempt } from '../../domain/plants/retry.ts';
import type { PollEffects } from './poll.ts';

/** The course of a day's closing, as steps over injected effects: for the workflow, the player of past days and the simulation. */

/** A closing that starts later than this was missed and made good. */
const lateClosingMs = 60_000;

export type ClosingEffects = Pick<PollEffects, 'nowMs' | 'sleep' | 'endsPoll'> &
  Pick<PlantActivities, 'refreshDays' | 'closeDay' | 'writePollLog'>;

/**
 * Closes one plant-local day: refreshes the days before it from the vendor's series, stores the day's totals by local time,
 * judges low generation, and writes its row of the ledger. It is no poll, takes no lock and never writes `plants`.
 */
export async function makeClosing(
  plantId: string,
  { date, atMs }: Closing,
  effects: ClosingEffects,
): Promise<ClosingVerdict> {
  const startedAtMs = effects.nowMs();
  const { failure, attempts } = await refresh(plantId, date, effects);
  const verdict = await effects.closeDay({ plantId, date, nowMs: effects.nowMs() });
  await effects.writePollLog({
    plantId,
    slotMs: atMs,
    jobType: 'DAILY',
    trigger: startedAtMs - atMs > lateClosingMs ? 'CATCH_UP' : 'SCHEDULE',
    outcome: failure === null ? 'OK' : 'PARTIAL',
    startedAtMs,
    requestedAtMs: null,
    durationMs: effects.nowMs() - startedAtMs,
    attempts,
    errorType: failure?.type ?? null,
    error: failure?.message ?? (verdict.severity === null ? verdict.note : null),
    booked: null,
  });
  return verdict;
}

async function refresh(
  plantId: string,
  date: string,
  effects: ClosingEffects,
): Promise<Pick<BackfillResult, 'failure'> & { attempts: number }> {
  for (let attempts = 1; ; attempts += 1) {
    let failure: BackfillResult['failure'];
    try {
      ({ failure } = await effects.refreshDays({ plantId, date, nowMs: effects.nowMs() }));
    } catch (error) {
      if (effects.endsPoll(error)) throw error;
      // A closing goes on without the series: the next one asks for these days again.
      return { failure: { type: 'UNKNOWN', message: innermostMessage(error) }, attempts };
    }
    if (failure === null) return { failure, attempts };
    const after = afterAttempt(failure, attempts);
    if (after.next === 'DONE') return { failure, attempts };
    await effects.sleep(after.waitMs);
  }
}
