import { Gauge } from 'prom-client';

import {
  countOutcomes,
  listPlantGauges,
  readLateness,
  readPulse,
} from '../../db/plants/polling.ts';
import type { ApiDeps } from '../deps.ts';
import type { ContextGauges } from '../system/metrics.ts';

const outcomesMs = 5 * 60_000;
const latenessMs = 3_600_000;

/** What the metrics say of plants, read from PostgreSQL: ids, brands, colours and ages; no names, no people, no secrets. */
export const plantGauges: ContextGauges = (register) => {
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
    'ACTIVE plants that were not polled for 2 intervals + 1 min.',
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
};

function secondsSince(at: Date | null, nowMs: number): number {
  return at === null ? 0 : Math.max(0, nowMs - at.getTime()) / 1000;
}
