import { createRoute, z } from '@hono/zod-openapi';

import { components } from '../../operations/components.ts';
import { createLook } from '../../operations/diagnosis.ts';
import {
  judgePolling,
  type PollingSummary,
  pollingSummary,
  summaryJson,
} from '../../operations/polling-summary.ts';
import { queueViews } from '../../operations/queues.ts';
import { diagnoseWhole } from '../../operations/results.ts';
import type { ApiDeps } from '../deps.ts';
import { keptFor } from '../kept.ts';
import { Problem } from '../problem.ts';
import { access, answers, instantSchema, jsonAnswer, newRoutes } from '../route.ts';

/** `/polling/…`: whether plants and gateways are polled, for scripts. Served below /api and below /api/v1. */

const statusSchema = z.enum(['healthy', 'warning', 'error']);

const countsSchema = z.object({
  total: z.int(),
  due: z.int().openapi({ description: 'not paused, not disabled, and no emergency stop' }),
  not_polled: z.int().openapi({ description: 'without a row for 2 intervals and a minute' }),
});

const pollingHealthSchema = z
  .object({
    status: statusSchema,
    message: z.string(),
    halted: z.boolean().nullable().openapi({
      description: 'whether people have stopped all polling; null: not known',
    }),
    taken_at: instantSchema,
    plants: countsSchema.nullable(),
    gateways: countsSchema.nullable(),
  })
  .openapi('PollingHealth');

const pollingHealth = createRoute({
  method: 'get',
  path: '/polling/health',
  tags: ['polling'],
  summary: 'Whether plants and gateways are polled; public',
  description:
    'error: polling has stopped: people stopped it, a tenth of what is due was not polled in time, or PostgreSQL is away. Taken at most 2 s ago.',
  ...access('PUBLIC'),
  responses: {
    200: jsonAnswer(pollingHealthSchema, 'healthy or warning'),
    503: jsonAnswer(pollingHealthSchema, 'error'),
  },
});

const issueSchema = z.object({
  issue: z.string().openapi({ example: 'overdue_polling' }),
  plant_id: z.string().nullable(),
  gateway_id: z.string().nullable(),
  shard: z.int().nullable(),
  at: instantSchema.nullable(),
  message: z.string(),
});

const resultSchema = z
  .object({
    component: z.string().openapi({ example: 'gateways' }),
    status: statusSchema,
    message: z.string(),
    details: z.looseObject({
      checks: z.array(z.object({ name: z.string(), status: statusSchema, message: z.string() })),
      issues: z.array(issueSchema),
    }),
    recommendations: z.array(z.string()),
    can_auto_fix: z.boolean().openapi({
      description: 'whether `heliograph diagnose --fix` can mend something of it',
    }),
  })
  .openapi('DiagnosticResult');

const diagnosticsSchema = z
  .object({ status: statusSchema, taken_at: instantSchema, results: z.array(resultSchema) })
  .openapi('PollingDiagnostics');

const diagnostics = createRoute({
  method: 'get',
  path: '/polling/diagnostics',
  tags: ['polling'],
  summary: 'What is wrong, part by part, as `heliograph diagnose`',
  description: 'Looks at every plant and gateway. Taken at most 5 s ago.',
  ...access('OPERATOR'),
  responses: answers(diagnosticsSchema, 'the diagnosis', [401, 403]),
});

const shardSchema = z.object({
  shard: z.int(),
  state: z.enum(['WALKED', 'DEAD_OWNER', 'STUCK', 'FREE', 'IDLE']),
  gateways: z.int(),
  not_polled: z.int(),
  worker: z.string().nullable(),
  owner: z.string().nullable(),
  epoch: z.int(),
  lease_ends_in_ms: z.int(),
  wanted_by: z.string().nullable(),
  figures: z.unknown(),
  figures_at: instantSchema.nullable(),
});

const queueStatusSchema = z
  .object({
    taken_at: instantSchema,
    queues: z.array(
      z.object({
        queue: z.string().openapi({ example: 'queue:fleet' }),
        workers: z.array(z.object({ identity: z.string(), last_seen_at: instantSchema })),
        backlog: z.int(),
        backlog_age_s: z.int(),
      }),
    ),
    shards: z.array(shardSchema),
    gateway_workers: z.array(
      z.object({ identity: z.string(), started_at: instantSchema, seen_at: instantSchema }),
    ),
  })
  .openapi('QueueStatus');

const queueStatus = createRoute({
  method: 'get',
  path: '/polling/queue-status',
  tags: ['polling'],
  summary: 'Who serves each task queue and walks each shard, and what waits',
  ...access('OPERATOR'),
  responses: answers(queueStatusSchema, 'the queues', [401, 403, 503]),
});

/** The services are asked at most once in this time, ms. */
const healthKeptMs = 2_000;
const diagnosticsKeptMs = 5_000;
/** A service that does not answer within this time counts as away, ms. */
const healthMsMax = 3_000;
const diagnosticsMsMax = 20_000;

export function pollingRoutes(deps: ApiDeps) {
  const onAway = (error: unknown) =>
    // The public answer says only that a service is away; the log says why.
    deps.log.debug({ error: error instanceof Error ? error.name : 'unknown' }, 'a check failed');
  const readHealth = keptFor(healthKeptMs, async () => {
    const answer = await createLook(deps, healthMsMax, onAway)(pollingSummary);
    return healthOf(answer.isAway ? null : answer.value, answer.takenAtMs);
  });
  const readDiagnostics = keptFor(diagnosticsKeptMs, async () => {
    const look = createLook(deps, diagnosticsMsMax, onAway);
    const { status, results } = await diagnoseWhole(components, look);
    return { status, taken_at: new Date(deps.clock()).toISOString(), results };
  });
  return newRoutes()
    .openapi(pollingHealth, async (c) => {
      const health = await readHealth();
      c.header('cache-control', 'no-store');
      return health.status === 'error' ? c.json(health, 503) : c.json(health, 200);
    })
    .openapi(diagnostics, async (c) => {
      c.header('cache-control', 'no-store');
      return c.json(await readDiagnostics(), 200);
    })
    .openapi(queueStatus, async (c) => {
      const look = createLook(deps, healthMsMax, onAway);
      const [queues, summary] = await Promise.all([look(queueViews), look(pollingSummary)]);
      if (queues.isAway || summary.isAway) {
        const who = queues.isAway ? 'Temporal' : 'The database';
        throw new Problem('service-away', `${who} does not answer: try again.`, { retryAfterS: 5 });
      }
      const { shards, workers, taken_at } = summaryJson(summary.value);
      c.header('cache-control', 'no-store');
      const answer = { taken_at, queues: queues.value, shards, gateway_workers: workers };
      return c.json(answer, 200);
    });
}

/** Public: it names nobody who polls and nobody who stopped polling. */
function healthOf(
  summary: PollingSummary | null,
  takenAtMs: number,
): z.output<typeof pollingHealthSchema> {
  const taken_at = new Date(takenAtMs).toISOString();
  if (summary === null)
    return {
      status: 'error',
      message: 'Whether plants and gateways are polled is not known: the database does not answer.',
      halted: null,
      taken_at,
      plants: null,
      gateways: null,
    };
  const { halt, plants, gateways } = summary;
  const counts = ({ total, due, notPolled }: PollingSummary['plants']) => ({
    total,
    due,
    not_polled: notPolled,
  });
  return {
    ...judgePolling(halt !== null, plants, gateways),
    halted: halt !== null,
    taken_at,
    plants: counts(plants),
    gateways: counts(gateways),
  };
}
