import { type Kysely, sql } from 'kysely';

import { startLoop } from '../../operations/plants/loops.ts';
import type { Database } from '../../db/tables.ts';
import { nextClosing } from '../../domain/plants/closing.ts';
import type { Status, StatusReason } from '../../domain/plants/plant.ts';
import { nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import {
  dailyWorkflowId,
  plantChangedSignal,
  pollWorkflowId,
} from '../../workflows/plants/messages.ts';
import { addPlant, eventually, type TestFleet } from '../support/fleet.ts';
import { fastForward } from '../support/time-skipping.ts';
import { capacityKw, type DayPlant, intervalMs, slotMsOf, slotsOfDay, startMs } from './fleet.ts';

/** A run must be as long as the day: continue-as-new does not go with time skipping. */
const pollsPerRun = 1_000_000;
/** Time is not skipped while a poll waits for its slot. */
const wokenEarlyMs = 0;

/** Under a load that other plants make, in real time. */
const limitMs = 240_000;

export interface StatusChange {
  plant_id: string;
  status: Status;
  status_reason: StatusReason;
  status_since: Date;
}

/** Keeps every change of a plant's status: a table and a trigger that only the test's own database has. */
export async function recordStatusChanges(db: Kysely<Database>): Promise<void> {
  await sql`
    create table status_changes (
      id bigint generated always as identity, plant_id text, status text, status_reason text, status_since timestamptz)`.execute(
    db,
  );
  await sql`
    create function record_status_change() returns trigger language plpgsql as $$
    begin
      insert into status_changes (plant_id, status, status_reason, status_since)
      values (new.id, new.status, new.status_reason, new.status_since);
      return null;
    end
    $$`.execute(db);
  await sql`
    create trigger record_status_change after update of status on plants
    for each row when (old.status <> new.status) execute function record_status_change()`.execute(
    db,
  );
}

export async function findStatusChanges(
  db: Kysely<Database>,
  plantId: string,
): Promise<StatusChange[]> {
  const { rows } = await sql<StatusChange>`
    select plant_id, status, status_reason, status_since from status_changes where plant_id = ${plantId} order by id`.execute(
    db,
  );
  return rows;
}

/**
 * Lets a plant live through its day. Its loop starts asleep, is carried to the day's beginning, and there the plant becomes
 * ACTIVE. The day is closed by a workflow with a clock of its own: the loop waits for it, between the closing and the next slot,
 * as it would where time passes at its usual pace.
 */
export async function liveThrough(fleet: TestFleet, plant: DayPlant): Promise<void> {
  const { client, db } = fleet;
  const { id, brand, vendorPlantId, timezone, latitude, longitude } = plant;
  const place = { timezone, latitude, longitude, capacityKw };
  await addPlant(db, fleet.config, { id, brand, vendorPlantId, ...place, active: false });
  await startLoop(client, { id, name: id, brand }, { pollsPerRun, wokenEarlyMs });
  const workflowId = pollWorkflowId(id);
  const forwardTo = (atMs: number) => fastForward(client, workflowId, atMs, limitMs);

  await forwardTo(startMs);
  await db
    .updateTable('plants')
    .set({ integration_status: 'ACTIVE', activated_at: new Date(startMs) })
    .where('id', '=', id)
    .execute();
  await client.workflow.getHandle(workflowId).signal(plantChangedSignal);
  await eventually(`the first poll of ${id}`, async () =>
    db.selectFrom('poll_logs').select('plant_id').where('plant_id', '=', id).executeTakeFirst(),
  );

  const closing = nextClosing(id, timezone, startMs);
  const slotMs = nextSlotAfter({ intervalMs, phaseMs: phaseMs(id, intervalMs) }, closing.atMs);
  await forwardTo((closing.atMs + slotMs) / 2);
  await client.workflow.getHandle(dailyWorkflowId(id, closing.date)).result();
  await forwardTo(slotMsOf(plant, (plant.slots ?? slotsOfDay) - 1) + intervalMs / 2);
}
