import { timingSafeEqual } from 'node:crypto';

import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';

import { isLoopbackHost } from '../../domain/loopback-host.ts';
import { requireRole } from '../auth/guard.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import type { ReadHealth } from './health.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Diagnosis } from '../../operations/diagnosis.ts';
import { problems } from '../problem.ts';
import { access, instantSchema, jsonAnswer, newRoutes } from '../route.ts';

const stateSchema = z.enum(['ok', 'degraded', 'down']);

const healthSchema = z
  .object({
    state: stateSchema,
    fleet: stateSchema.openapi({
      description:
        'How the plants are: incidents, failing accounts, failing plants. It never changes `state`.',
    }),
    checks: z.array(
      z.object({
        name: z.string().openapi({ example: 'postgres' }),
        state: stateSchema,
        about: z.enum(['SYSTEM', 'FLEET']),
        figure: z.string().openapi({ example: 'PostgreSQL answers in 2 ms.' }),
        advice: z.string().nullable(),
        taken_at: instantSchema,
      }),
    ),
  })
  .openapi('Health');

const health = createRoute({
  method: 'get',
  path: '/health',
  tags: ['system'],
  summary: 'Whether Heliograph itself is well; public',
  description:
    'down: PostgreSQL is away, or a tenth of the active plants was not polled for 2 intervals + 1 min. degraded: something else is missing. `fleet` says how the plants are, and changes neither `state` nor the status code. Taken at most 2 s ago.',
  ...access('PUBLIC'),
  responses: {
    200: jsonAnswer(healthSchema, 'ok or degraded'),
    503: jsonAnswer(healthSchema, 'down'),
  },
});

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['system'],
  summary: "Prometheus' text format",
  description:
    'Open to METRICS_TOKEN as bearer token, to an OPERATOR, and, without PUBLIC_URL, to clients on the same machine that name it as localhost or a loopback address and come through no proxy.',
  ...access('OPERATOR'),
  responses: {
    200: {
      description: 'the metrics',
      content: { 'text/plain': { schema: z.string() } },
    },
    ...problems(401, 403),
  },
});

/** `/health` and `/metrics`, which are served at the root and below /api/v1. */
export function healthRoutes(deps: ApiDeps, readHealth: ReadHealth, apiMetrics: ApiMetrics) {
  return newRoutes()
    .openapi(health, async (c) => {
      const read = await readHealth();
      c.header('cache-control', 'no-store');
      return read.state === 'down' ? c.json(answerOf(read), 503) : c.json(answerOf(read), 200);
    })
    .openapi({ ...metrics, middleware: [scrapers(deps)] }, async (c) => {
      const text = await apiMetrics.text();
      return c.text(text, 200, { 'content-type': apiMetrics.contentType });
    });
}

/** Public: it counts what fails in the fleet and names no account and no plant. */
function answerOf({ state, fleet, findings }: Diagnosis): z.output<typeof healthSchema> {
  return {
    state,
    fleet,
    checks: findings.map((found) => ({
      name: found.component,
      state: found.state,
      about: found.about,
      figure: found.sentence,
      advice: found.advice ?? null,
      taken_at: new Date(found.takenAtMs).toISOString(),
    })),
  };
}

/** Headers that proxies add. */
const proxyHeader = /^(?:forwarded|x-forwarded-.*|x-real-ip|via|true-client-ip|cf-.*)$/;

/**
 * Whether a program on this machine asks us by a name of this machine. Another name in `Host` comes from a proxy, or from a
 * browser that a foreign site leads here (DNS rebinding).
 */
function isLocal(c: Context<ApiEnv>): boolean {
  const remote = c.env?.incoming?.socket.remoteAddress ?? '';
  return (
    /^(127\.|::1$|::ffff:127\.)/.test(remote) &&
    isLoopbackHost(c.req.header('host')) &&
    !Object.keys(c.req.header()).some((name) => proxyHeader.test(name))
  );
}

/**
 * Admits scrapers. With a public URL people come through a proxy, and one on this machine that adds no header (nginx's
 * default) looks like a program on it: then nobody is admitted for being local.
 */
function scrapers(deps: Pick<ApiDeps, 'metricsToken' | 'publicUrl'>) {
  const operators = requireRole('OPERATOR');
  return createMiddleware<ApiEnv>(async (c, next) => {
    if (
      (deps.publicUrl === null && isLocal(c)) ||
      isToken(c.req.header('authorization'), deps.metricsToken)
    )
      return next();
    return operators(c, next);
  });
}

function isToken(authorization: string | undefined, metricsToken: string | null): boolean {
  if (metricsToken === null || authorization === undefined) return false;
  const given = Buffer.from(authorization.replace(/^Bearer /i, ''));
  const wanted = Buffer.from(metricsToken);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
