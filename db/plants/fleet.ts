import { announceAgainAfterMs } from '../../domain/alerts.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { type Db, instant, query } from '../database.ts';

/** Reads the fleet for its reconciliation. */

/** The facts that start a plant's loop. */
export interface LoopPlant {
  id: string;
  name: string;
  brand: Brand;
}

/** A plant as the reconciliation of the fleet needs it. */
export interface FleetPlant extends LoopPlant {
  /** The loop has not yet seen what people changed. */
  changed: boolean;
}

/** The plants that want a loop. A removed one wants it until it has seen the removal, and closed its period. */
export async function listFleet(db: Db): Promise<FleetPlant[]> {
  return query(db)<FleetPlant>`
    select id, name, brand, seen_revision <> revision as changed from plants
    where removed_at is null or seen_revision <> revision order by id`;
}

/** A loop that is one slot and this much behind may be stuck. */
const silentAfterMs = 120_000;
/** A brand without a worker is silent as a whole: each reconciliation looks at this many plants. */
const silentMax = 50;

/** Plants that should have been polled and were not, a sample of them: their loops may be stuck. */
export async function listSilentPlants(db: Db, nowMs: number): Promise<LoopPlant[]> {
  return query(db)<LoopPlant>`
    select id, name, brand from plants
    where integration_status = 'ACTIVE'
      and coalesce(last_slot, activated_at) + make_interval(secs => poll_interval_s)
        < ${instant(nowMs - silentAfterMs)}
    order by random() limit ${silentMax}`;
}

/**
 * Plants that are not polled and have an alert that may need a reminder: only the reconciliation evaluates them, and the
 * rules decide. Leaves out alerts that were announced within the last hours, are acknowledged or were muted from the start.
 * Plants paused by an operator send no reminders.
 */
export async function listPlantsToRemindOf(db: Db, nowMs: number): Promise<string[]> {
  const now = instant(nowMs);
  const rows = await query(db)<{ id: string }>`
    select distinct p.id from plants p join alerts a on a.plant_id = p.id
    where p.integration_status in ('PAUSED_AUTH_ERROR', 'PENDING_DOCS')
      and (a.state = 'NEW' and (a.last_notified_at is null and not a.muted
          or a.last_notified_at <= ${instant(nowMs - announceAgainAfterMs)})
        or a.state = 'ACKED' and a.acked_until <= ${now})`;
  return rows.map((row) => row.id);
}
