import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

import {
  countOutcomes,
  listPlantGauges,
  readLateness,
  readPulse,
} from '../../db/plants/polling.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';

/**
 * The API's metrics, for Prometheus. What it says of plants is read from PostgreSQL when scraped: ids, brands, colours and
 * ages; no names, no people, no secrets.
 */
export interface ApiMetrics {
  /** Times every request by its route's pattern. */
  measured: MiddlewareHandler<ApiEnv>;
  /** Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** A list answers in some ms; a poll is waited for at most 30 s. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const outcomesMs = 5 * 60_000;
const latenessMs = 3_600_000;
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

export function createApiMetrics(deps: ApiDeps): ApiMetrics {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const requests = new Histogram({
    name: 'heliograph_http_request_seconds',
    help: 'Duration of requests by the pattern of their route; none: there was no such route.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: durationBuckets,
    registers: [register],
  });
  const fleet = fleetGauges(register);
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
      await fleet.read(deps);
      return register.metrics();
    },
  };
}

function fleetGauges(register: Registry) {
  const registers = [register];
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge({ name: `heliograph_${name}`, help, labelNames, registers });
  const postgresUp = gauge(
    'postgres_up',
    '1 while PostgreSQL answers; at 0 what is read from it is absent.',
  );
  const oldestDue = gauge(
    'oldest_due_slot_age_seconds',
    'Age of the oldest slot that is due and has no ledger row yet, of all plants.',
  );
  const active = gauge('plants_active', 'ACTIVE plants.');
  const unpolled = gauge(
    'plants_unpolled',
    'ACTIVE plants without a ledger row for 2 intervals + 1 min.',
  );
  const byStatus = gauge('plants', 'Plants by colour.', 'status');
  const status = gauge(
    'plant_status',
    '1: the colour that the plant has.',
    'plant',
    'brand',
    'status',
  );
  const seenAge = gauge(
    'plant_last_seen_age_seconds',
    'Since the newest measurement that is known; absent for a plant that was never seen.',
    'plant',
    'brand',
  );
  const outcomes = gauge('polls_5m', 'Ledger rows of the last 5 minutes by outcome.', 'outcome');
  const lateness = gauge(
    'poll_late_1h_seconds',
    'How long after their slots the scheduled polls of the last hour began.',
    'quantile',
  );
  const all = [oldestDue, active, unpolled, byStatus, status, seenAge, outcomes, lateness];

  return {
    async read(deps: ApiDeps): Promise<void> {
      const nowMs = deps.clock();
      try {
        const [pulse, plants, recent, late] = await Promise.all([
          readPulse(deps.db, nowMs),
          listPlantGauges(deps.db),
          countOutcomes(deps.db, nowMs - outcomesMs),
          readLateness(deps.db, nowMs - latenessMs),
        ]);
        for (const each of all) each.reset();
        postgresUp.set(1);
        active.set(pulse.active);
        unpolled.set(pulse.unpolled);
        oldestDue.set(secondsSince(pulse.oldestDueAt, nowMs));
        for (const colour of ['GREEN', 'YELLOW', 'RED', 'GREY'] as const)
          byStatus.set({ status: colour }, plants.filter((each) => each.status === colour).length);
        for (const plant of plants) {
          const labels = { plant: plant.id, brand: plant.brand };
          status.set({ ...labels, status: plant.status }, 1);
          if (plant.last_seen_at !== null)
            seenAge.set(labels, secondsSince(plant.last_seen_at, nowMs));
        }
        for (const [outcome, count] of Object.entries(recent)) outcomes.set({ outcome }, count);
        if (late !== null) {
          lateness.set({ quantile: '0.5' }, late.p50 / 1000);
          lateness.set({ quantile: '0.99' }, late.p99 / 1000);
        }
      } catch (error) {
        if (!deps.isServiceError(error)) throw error;
        for (const each of all) each.reset();
        // A gauge without labels is 0 after a reset, which would say that all is well.
        for (const each of [oldestDue, active, unpolled]) each.remove();
        postgresUp.set(0);
      }
    },
  };
}

function secondsSince(at: Date | null, nowMs: number): number {
  return at === null ? 0 : Math.max(0, nowMs - at.getTime()) / 1000;
}
