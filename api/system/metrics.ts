import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';

/** Gauges of one context. `read` sets them anew at each scrape. */
export type ContextGauges = (register: Registry) => { read(deps: ApiDeps): Promise<void> };

/** The API's metrics, for Prometheus: its requests, and what each context tells of itself. */
export interface ApiMetrics {
  /** Times every request by its route's pattern. */
  measured: MiddlewareHandler<ApiEnv>;
  /** Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** A list answers in some ms; a poll is waited for at most 30 s. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

export function createApiMetrics(deps: ApiDeps, contexts: readonly ContextGauges[]): ApiMetrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const requests = new Histogram({
    name: 'heliograph_http_request_seconds',
    help: 'Duration of requests by the pattern of their route; none: there was no such route.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: durationBuckets,
    registers: [register],
  });
  const gauges = contexts.map((context) => context(register));
  return {
    contentType: register.contentType,
    async measured(c, next) {
      const end = requests.startTimer();
      await next();
      // Middleware and the catch-all have patterns, too: only those of routes are told.
      const route = routePath(c, -1);
      end({
        method: methods.has(c.req.method) ? c.req.method : 'other',
        route: route === '' || route.endsWith('*') ? 'none' : route,
        status: String(c.res.status),
      });
    },
    async text() {
      await Promise.all(gauges.map((each) => each.read(deps)));
      return register.metrics();
    },
  };
}
