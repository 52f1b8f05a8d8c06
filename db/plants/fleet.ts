import { announceAgainAfterMs } from '../../domain/alerts.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { type Db, instant, query } from '../database.ts';

/** What starts a plant's loop. */
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

export async function listFleet(db: Db): Promise<FleetPlant[]> {
  return query(db)<FleetPlant>`
    select id, name, brand, seen_revision <> revision as changed from plants order by id`;
}

/** A loop that is a slot and so much behind may be stuck, and not only late. */
const silentAfterMs = 120_000;
/** Where a whole brand has no worker all of it is silent: each reconciliation looks at a part. */
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
 * Plants that are not polled and have an alert of which people may have to be told again: nobody but the reconciliation
 * reminds of them. Whether they are told, the rules decide; those left out here need no look: told of within the last hours,
 * taken in hand, or never announced for being there before us. Plants paused by an operator send no reminders.
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
