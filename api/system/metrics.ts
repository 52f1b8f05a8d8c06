import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import { createLook, type Fact } from '../../operations/diagnosis.ts';

/** A gauge of one context at a scrape. `heliograph_` is put before its name. */
export interface GaugeReading {
  name: string;
  help: string;
  values: [labels: Record<string, string>, value: number][];
}

/** The API's metrics for Prometheus: its requests, and the gauges of each context. */
export interface ApiMetrics {
  /** Times every request by its route's pattern. */
  measured: MiddlewareHandler<ApiEnv>;
  /** Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** From lists, which take some ms, to polls, which take up to 30 s; s. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
/** Longer than any statement may take, so that a failing statement is reported as itself; ms. */
const scrapeMsMax = 20_000;
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

export function createApiMetrics(
  deps: ApiDeps,
  contexts: readonly Fact<GaugeReading[]>[],
): ApiMetrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const requests = new Histogram({
    name: 'heliograph_http_request_seconds',
    help: 'Duration of requests by the pattern of their route; none: there was no such route.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: durationBuckets,
    registers: [register],
  });
  return {
    contentType: register.contentType,
    async measured(c, next) {
      const end = requests.startTimer();
      await next();
      // Middleware and the catch-all have patterns, too; they count as no route.
      const route = routePath(c, -1);
      end({
        method: methods.has(c.req.method) ? c.req.method : 'other',
        route: route === '' || route.endsWith('*') ? 'none' : route,
        status: String(c.res.status),
      });
    },
    async text() {
      const look = createLook(deps, scrapeMsMax);
      const answers = await Promise.all(contexts.map((gauges) => look(gauges)));
      for (const answer of answers)
        if (answer.isAway && !deps.isServiceError(answer.error)) throw answer.error;
      const up: GaugeReading = {
        name: 'postgres_up',
        help: '1 while PostgreSQL answers; at 0 what is read from it is absent.',
        values: [[{}, answers.some(({ isAway }) => isAway) ? 0 : 1]],
      };
      const readings = answers.flatMap((answer) => (answer.isAway ? [] : answer.value));
      return (await register.metrics()) + (await gaugesText([up, ...readings]));
    },
  };
}

/** Makes the gauges new at each scrape, so that labels of an earlier scrape disappear. */
async function gaugesText(readings: readonly GaugeReading[]): Promise<string> {
  const register = new Registry();
  for (const { name, help, values } of readings) {
    const labelNames = Object.keys(values[0]?.[0] ?? {});
    const gauge = new Gauge({
      name: `heliograph_${name}`,
      help,
      labelNames,
      registers: [register],
    });
    for (const [labels, value] of values) gauge.set(labels, value);
  }
  return register.metrics();
}
