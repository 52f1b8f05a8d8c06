import { Context } from '@temporalio/activity';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { Breaker } from '../activities/plants/breaker.ts';
import type {
  FetchResult,
  MissedArgs,
  PlantActivities,
  PollLogArgs,
  WholePollArgs,
  WholePollResult,
} from '../activities/plants/contract.ts';
import { brands, type Brand } from '../domain/plants/plant.ts';
import { pollQueue } from '../workflows/plants/messages.ts';

/**
 * The metrics of a worker, for Prometheus. Labels are brands, steps, outcomes and triggers: short fixed lists, never ids of
 * plants, accounts or people. A step that runs again after a crash is counted again; the ledger in PostgreSQL is the record.
 */
export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

/** Whether a step runs locally or regularly, from the running activity's context. */
export interface StepPlace {
  taskQueue: string;
  isLocal: boolean;
}

/** Local budgets are 2 s and 5 s, a regular fetch ends itself after 55 s. */
const stepBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60];
/** A punctual poll is some tens of ms late; a tenth of ten minutes is 60 s. */
const lateBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 30, 60, 300];

export function createWorkerMetrics(place: () => StepPlace = activityPlace) {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const registers = [register];
  const instruments = createInstruments(registers);
  const observe = createObserver(instruments);
  return {
    /** The activities of the brands' queues, counted and timed. */
    measured(activities: PlantActivities): PlantActivities {
      const entries = Object.entries(activities) as [string, (args: unknown) => Promise<unknown>][];
      return Object.fromEntries(
        entries.map(([step, run]) => [
          step,
          async (args: unknown) => {
            const { taskQueue, isLocal } = place();
            const path = isLocal ? 'local' : 'regular';
            const done = instruments.steps.startTimer({ step, path });
            try {
              const result = await run(args);
              done({ result: 'ok' });
              observe(brandOf(taskQueue), step, args, result);
              return result;
            } catch (error) {
              done({ result: 'error' });
              throw error;
            }
          },
        ]),
      ) as unknown as PlantActivities;
    },
    /** Redis did not answer a call in time. */
    lockFailed: () => instruments.lockFailures.inc(),
    watch(breaker: Breaker) {
      // Read at each scrape; it registers itself.
      void new Gauge({
        name: 'heliograph_breaker_open',
        help: '1 while the vendor of the brand counts as slow and is kept off the local path.',
        labelNames: ['brand'] as const,
        registers,
        collect() {
          for (const brand of brands) this.set({ brand }, breaker.isOpen(brand) ? 1 : 0);
        },
      });
    },
    /** Prometheus' text format. */
    text: () => register.metrics(),
    contentType: register.contentType,
  };
}

function createInstruments(registers: Registry[]) {
  return {
    steps: new Histogram({
      name: 'heliograph_step_seconds',
      help: 'Duration of the steps of polls and closings; path is local or regular, result ok or error.',
      labelNames: ['step', 'path', 'result'] as const,
      buckets: stepBuckets,
      registers,
    }),
    fetches: new Histogram({
      name: 'heliograph_fetch_seconds',
      help: "Duration of the vendor's answers; outcome is READING or an adapter_error_type.",
      labelNames: ['brand', 'outcome'] as const,
      buckets: stepBuckets,
      registers,
    }),
    polls: new Counter({
      name: 'heliograph_polls_total',
      help: 'Ledger rows of polls that this worker wrote.',
      labelNames: ['brand', 'outcome', 'trigger'] as const,
      registers,
    }),
    lateness: new Histogram({
      name: 'heliograph_poll_late_seconds',
      help: 'How long after its slot a scheduled poll began.',
      labelNames: ['brand'] as const,
      buckets: lateBuckets,
      registers,
    }),
    rateLimits: new Counter({
      name: 'heliograph_rate_limits_total',
      help: 'Polls that ended by a rate limit; asked is no if the limit was known and no request was made.',
      labelNames: ['brand', 'asked'] as const,
      registers,
    }),
    lockFailures: new Counter({
      name: 'heliograph_lock_failures_total',
      help: 'Lock calls that Redis did not answer within 50 ms; polling continued without the lock.',
      registers,
    }),
  };
}

/** Counts what a finished step did, by its arguments and its result. */
function createObserver({
  fetches,
  polls,
  lateness,
  rateLimits,
}: ReturnType<typeof createInstruments>) {
  return observe;

  function observe(brand: Brand | null, step: string, args: unknown, result: unknown): void {
    if (brand === null) return;
    if (step === 'fetchReadings') observeFetch(brand, result as FetchResult);
    if (step === 'pollWhole') observeWhole(brand, args as WholePollArgs, result as WholePollResult);
    if (step === 'writePollLog') observePoll(brand, args as PollLogArgs);
    if (step === 'writeMissed')
      polls.inc({ brand, outcome: 'MISSED', trigger: 'SCHEDULE' }, missedSlots(args as MissedArgs));
  }

  function observeFetch(brand: Brand, result: FetchResult): void {
    if (result.kind === 'READING')
      fetches.observe({ brand, outcome: 'READING' }, result.durationMs / 1_000);
    if (result.kind !== 'VENDOR_FAILURE') return;
    const { asked, failure, durationMs } = result;
    if (asked) fetches.observe({ brand, outcome: failure.type }, durationMs / 1_000);
    if (failure.type === 'RATE_LIMIT_EXCEEDED')
      rateLimits.inc({ brand, asked: asked ? 'yes' : 'no' });
  }

  function observeWhole(brand: Brand, args: WholePollArgs, result: WholePollResult): void {
    // A step that only fetched counts as a fetch here; the step that writes the row counts the poll.
    if (result.kind === 'FETCHED') observeFetch(brand, result.fetched);
    if (result.kind !== 'ENDED') return;
    const { poll } = result;
    if (args.missed !== null)
      polls.inc(
        { brand, outcome: 'MISSED', trigger: 'SCHEDULE' },
        missedSlots({ ...args, ...args.missed }),
      );
    fetches.observe({ brand, outcome: 'READING' }, poll.durationMs / 1_000);
    observePoll(brand, { ...args, ...poll, jobType: 'POLL' });
  }

  function observePoll(brand: Brand, row: PollLogArgs): void {
    if (row.jobType !== 'POLL') return;
    const { outcome, trigger, startedAtMs, slotMs } = row;
    polls.inc({ brand, outcome, trigger });
    if (startedAtMs !== null && (trigger === 'SCHEDULE' || trigger === 'CATCH_UP'))
      lateness.observe({ brand }, Math.max(0, startedAtMs - slotMs) / 1_000);
  }
}

function activityPlace(): StepPlace {
  const { taskQueue, isLocal } = Context.current().info;
  return { taskQueue, isLocal };
}

function brandOf(taskQueue: string): Brand | null {
  return brands.find((brand) => pollQueue(brand) === taskQueue) ?? null;
}

function missedSlots({ intervalMs, rows, overflow }: MissedArgs): number {
  const listed = rows === null ? 0 : Math.round((rows.toMs - rows.fromMs) / intervalMs) + 1;
  return listed + (overflow?.slots ?? 0);
}
