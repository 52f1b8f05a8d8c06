import { sql } from 'kysely';

import { type PollingPulse, readPulse } from '../../db/plants/polling.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { durationText } from '../../domain/wording.ts';
import { pollQueue } from '../../workflows/plants/messages.ts';
import { allQueues } from '../../workflows/queues.ts';
import { fleetQueue } from '../../workflows/messages.ts';
import type { ApiDeps } from '../deps.ts';
import { type QueueView, readQueues } from '../../operations/queues.ts';

/**
 * Whether Heliograph itself is well. `down` is what must be acted on now: the record is away, or polling has stopped, which
 * PostgreSQL alone tells. Everything else that is missing is `degraded`: polling goes on, or will be missed within two intervals.
 */

export type CheckState = 'ok' | 'degraded' | 'down';

export interface Check {
  name: string;
  state: CheckState;
  /** What was measured, in words with its unit. */
  figure: string;
  /** What to do; null where all is well. */
  advice: string | null;
  takenAtMs: number;
}

export interface Health {
  /** That of the worst check. */
  state: CheckState;
  checks: Check[];
  /** null while PostgreSQL does not answer. */
  pulse: PollingPulse | null;
  /** null while Temporal does not answer. */
  queues: QueueView[] | null;
  temporalVersion: string | null;
}

/** However many ask: each service is asked at most once in this long. */
const keptMs = 2_000;
/** A service that does not answer in this long counts as away. */
const answerMsMax = 3_000;

export interface HealthReader {
  read(): Promise<Health>;
}

export function createHealth(deps: ApiDeps): HealthReader {
  let kept: { at: number; health: Promise<Health> } | null = null;
  return {
    read() {
      if (kept === null || performance.now() - kept.at > keptMs) {
        const reading = { at: Number.POSITIVE_INFINITY, health: readHealth(deps) };
        kept = reading;
        // Its age counts from its end: while one runs, all wait for that one.
        const end = () => void (reading.at = performance.now());
        reading.health.then(end, end);
      }
      return kept.health;
    },
  };
}

const severity = { ok: 0, degraded: 1, down: 2 } as const satisfies Record<CheckState, number>;

async function readHealth(deps: ApiDeps): Promise<Health> {
  const [postgres, pulse, redis, temporal] = await Promise.all([
    timed(deps, async () => void (await sql`select 1`.execute(deps.db))),
    timed(deps, () => readPulse(deps.db, deps.clock())),
    deps.askRedis === null ? null : timed(deps, deps.askRedis),
    timed(deps, () => askTemporal(deps)),
  ]);
  const checks = [
    postgresCheck(postgres),
    ...(redis === null ? [] : [redisCheck(redis)]),
    temporalCheck(temporal),
    ...workerChecks(temporal, pulse),
    loopsCheck(temporal, pulse),
    pollingCheck(pulse, deps.clock()),
  ];
  const worst = checks.reduce((a, b) => (severity[b.state] > severity[a.state] ? b : a));
  return {
    state: worst.state,
    checks,
    pulse: pulse.isAway ? null : pulse.value,
    queues: temporal.isAway ? null : temporal.value.queues,
    temporalVersion: temporal.isAway ? null : temporal.value.version,
  };
}

/** What a service answered, and when, or that it did not. */
type Answer<Value> = { takenAtMs: number; tookMs: number } & (
  | { isAway: false; value: Value }
  | { isAway: true }
);

async function timed<Value>(
  deps: Pick<ApiDeps, 'clock' | 'log'>,
  ask: () => Promise<Value>,
): Promise<Answer<Value>> {
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer('no answer in time')), answerMsMax);
  });
  const taken = () => ({
    takenAtMs: deps.clock(),
    tookMs: Math.round(performance.now() - startedAt),
  });
  try {
    const value = await Promise.race([ask(), late]);
    return { ...taken(), isAway: false, value };
  } catch (error) {
    // The answer is public and says only that it is away; why is for the log.
    const name = error instanceof Error ? error.name : 'unknown';
    deps.log.debug({ error: name }, 'a health check failed');
    return { ...taken(), isAway: true };
  } finally {
    clearTimeout(timer);
  }
}

class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

interface TemporalAnswer {
  version: string;
  loops: number;
  queues: QueueView[];
}

async function askTemporal({ temporal }: ApiDeps): Promise<TemporalAnswer> {
  return temporal.withDeadline(Date.now() + answerMsMax, async () => {
    const [system, loops, queues] = await Promise.all([
      temporal.workflowService.getSystemInfo({}),
      temporal.workflow.count(`WorkflowType = 'monitorPlant' AND ExecutionStatus = 'Running'`),
      readQueues(temporal, Date.now()),
    ]);
    return { version: system.serverVersion ?? '', loops: loops.count, queues };
  });
}

function check(
  name: string,
  { takenAtMs }: { takenAtMs: number },
  state: CheckState,
  figure: string,
  advice: string | null = null,
): Check {
  return { name, state, figure, advice, takenAtMs };
}

function postgresCheck(answer: Answer<void>): Check {
  return answer.isAway
    ? check(
        'postgres',
        answer,
        'down',
        'no answer',
        'Start PostgreSQL, or set DATABASE_URL right: polls wait for it and are written when it is back.',
      )
    : check('postgres', answer, 'ok', `answers in ${answer.tookMs} ms`);
}

function redisCheck(answer: Answer<{ evictionPolicy: string | null }>): Check {
  if (answer.isAway)
    return check(
      'redis',
      answer,
      'degraded',
      'no answer',
      'Start Redis: until then the database alone keeps polls apart.',
    );
  const { evictionPolicy } = answer.value;
  return evictionPolicy === null || evictionPolicy === 'noeviction'
    ? check('redis', answer, 'ok', `answers in ${answer.tookMs} ms`)
    : check(
        'redis',
        answer,
        'degraded',
        `may evict (${evictionPolicy})`,
        'Set maxmemory-policy noeviction: locks must not vanish.',
      );
}

function temporalCheck(answer: Answer<TemporalAnswer>): Check {
  return answer.isAway
    ? check(
        'temporal',
        answer,
        'degraded',
        'no answer',
        'Start Temporal, or set TEMPORAL_ADDRESS right: nothing is polled until it is back.',
      )
    : check('temporal', answer, 'ok', `${answer.value.version}, answers in ${answer.tookMs} ms`);
}

/** One for each queue: plants of a brand without a worker are polled by nobody. */
function workerChecks(temporal: Answer<TemporalAnswer>, pulse: Answer<PollingPulse>): Check[] {
  return allQueues.map((queue) => {
    const name = `workers ${queue}`;
    if (temporal.isAway)
      return check(name, temporal, 'degraded', 'not known while Temporal is away');
    const view = temporal.value.queues.find((each) => each.queue === queue);
    const workers = view?.workers.length ?? 0;
    const waiting = view !== undefined && view.backlog > 0 ? `, ${view.backlog} tasks wait` : '';
    const figure = `${workers} ${workers === 1 ? 'worker' : 'workers'}${waiting}`;
    const isNeeded = queue === fleetQueue || pulse.isAway || plantsOf(queue, pulse.value) > 0;
    return workers > 0 || !isNeeded
      ? check(name, temporal, 'ok', figure)
      : check(
          name,
          temporal,
          'degraded',
          figure,
          'Start `heliograph worker`, with this queue in WORKER_QUEUES where that is set.',
        );
  });
}

function plantsOf(queue: string, { activeByBrand }: PollingPulse): number {
  const brands = Object.entries(activeByBrand) as [Brand, number][];
  return brands.find(([brand]) => pollQueue(brand) === queue)?.[1] ?? 0;
}

function loopsCheck(temporal: Answer<TemporalAnswer>, pulse: Answer<PollingPulse>): Check {
  if (temporal.isAway || pulse.isAway)
    return check('loops', temporal, 'degraded', 'not known while a service is away');
  const { loops } = temporal.value;
  const { plants } = pulse.value;
  const figure = `${loops} loops for ${plants} plants`;
  return loops === plants
    ? check('loops', temporal, 'ok', figure)
    : check(
        'loops',
        temporal,
        'degraded',
        figure,
        `The reconciliation repairs this within a minute; if not, see that a worker serves ${fleetQueue}.`,
      );
}

/** Of the active plants, so many without a poll mean that monitoring has stopped. */
export const unpolledShareMax = 0.1;

function pollingCheck(answer: Answer<PollingPulse>, nowMs: number): Check {
  if (answer.isAway) return check('polling', answer, 'down', 'not known while PostgreSQL is away');
  const { active, unpolled, newestRowAt } = answer.value;
  const newest =
    newestRowAt === null
      ? 'none yet'
      : `${durationText(Math.max(0, nowMs - newestRowAt.getTime()))} ago`;
  const figure = `${active - unpolled} of ${active} active plants polled in time, newest ${newest}`;
  if (unpolled === 0) return check('polling', answer, 'ok', figure);
  const isStopped = unpolled >= active * unpolledShareMax;
  return check(
    'polling',
    answer,
    isStopped ? 'down' : 'degraded',
    figure,
    isStopped
      ? 'Monitoring has stopped for these plants: look at the checks above, then at the log of the worker.'
      : 'Look at the plants that are not polled: `heliograph plants list` names them.',
  );
}
