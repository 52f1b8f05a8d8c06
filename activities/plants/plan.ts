import { findOpenPeriod, replacePeriod, wasActiveBetween } from '../../db/ledger/periods.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { type Db, instant } from '../../db/database.ts';
import { endAlerts } from '../../db/plants/correct.ts';
import { lockPlant, pausePlants, type PlantRow, resumePlants } from '../../db/plants/plants.ts';
import { findLastSlot, hasDailyLog } from '../../db/plants/poll-logs.ts';
import { closingsPassed, nextClosing } from '../../domain/plants/closing.ts';
import { periodNow } from '../../domain/plants/period.ts';
import { endOfDayMs, localDateAt, startOfDayMs } from '../../domain/zone.ts';
import { writeOff } from './poll-log.ts';
import type { Closing, Plan, PlanArgs, SetIntegrationArgs } from './contract.ts';
import type { CallContext } from '../deps.ts';
import type { ActivityDeps } from './deps.ts';

/** Tells a loop what to do, from the rows in which people's decisions are. */
export function createPlan(deps: ActivityDeps, context: () => CallContext) {
  return {
    async planPlant(args: PlanArgs): Promise<Plan> {
      return deps.db.transaction().execute(async (trx) => {
        const plant = await lockPlant(trx, args.plantId);
        if (plant === undefined) return { kind: 'GONE' };
        const removedAtMs = plant.removed_at?.getTime() ?? Infinity;
        const nowMs = Math.min(args.nowMs, removedAtMs);
        const { period, lastSlotMs } = await keepPeriod(trx, plant, nowMs, context());
        await trx
          .updateTable('plants')
          .set({ seen_revision: plant.revision })
          .where('id', '=', plant.id)
          .where('seen_revision', '<>', plant.revision)
          .execute();
        if (plant.removed_at !== null) {
          // A poll that ran during the removal may have raised some.
          await endAlerts(trx, plant.id, args.nowMs);
          return { kind: 'GONE' };
        }
        const active = plant.integration_status === 'ACTIVE';
        return {
          kind: 'PLAN',
          name: plant.name,
          brand: plant.brand,
          integrationStatus: plant.integration_status,
          revision: plant.revision,
          intervalMs: period.intervalMs,
          phaseMs: period.phaseMs,
          lastSlotMs,
          periodFromMs: period.fromMs,
          startDue:
            active && (lastSlotMs === null || lastSlotMs < (plant.activated_at?.getTime() ?? 0)),
          ...(await planClosings(trx, plant, args.nowMs)),
        };
      });
    },

    async setIntegration({ plantId, to, nowMs }: SetIntegrationArgs): Promise<void> {
      const { db, log } = deps;
      if (to === 'ACTIVE') {
        const changed = (await resumePlants(db, [plantId], instant(nowMs))).length > 0;
        log.info({ plantId, actor: 'temporal', changed }, 'plant resumed');
        return;
      }
      const how = { until: null, reason: 'paused in the Temporal Web UI' };
      const paused = await pausePlants(db, [plantId], how);
      if (paused.length > 0) log.info({ plantId, actor: 'temporal' }, 'plant paused');
    },
  };
}

/** Closes the open period and opens another if activity or interval changed. The caller holds the plant's lock. */
async function keepPeriod(trx: Db, plant: PlantRow, nowMs: number, caller: CallContext) {
  const { id, integration_status: reason } = plant;
  const open = await findOpenPeriod(trx, plantLedger, id);
  const lastSlotMs = await findLastSlot(trx, id);
  const wanted = { id, intervalMs: plant.poll_interval_s * 1000, reason };
  const { period, change } = periodNow<string>(wanted, open, lastSlotMs, nowMs);
  if (change === null) return { period, lastSlotMs };
  const { atMs: closeAtMs, missed } = change;
  const { workflowId, runId } = caller;
  if (missed !== null) await writeOff(trx, { plantId: id, workflowId, runId, ...missed });
  await replacePeriod(trx, plantLedger, id, { closeAtMs, ...period });
  return { period, lastSlotMs };
}

async function planClosings(
  trx: Db,
  plant: PlantRow,
  nowMs: number,
): Promise<{ nextClosing: Closing | null; missedClosings: Closing[] }> {
  const { id, timezone } = plant;
  const missed: Closing[] = [];
  for (const closing of closingsPassed(id, timezone, nowMs)) {
    const active = await wasActiveBetween(trx, plantLedger, id, {
      fromMs: startOfDayMs(closing.date, timezone),
      toMs: Math.min(endOfDayMs(closing.date, timezone), closing.atMs),
    });
    if (active && !(await hasDailyLog(trx, id, closing.atMs))) missed.push(closing);
  }
  const next = nextClosing(id, timezone, nowMs);
  const today = localDateAt(nowMs, timezone);
  const closes =
    plant.integration_status === 'ACTIVE' ||
    (next.date === today &&
      (await wasActiveBetween(trx, plantLedger, id, {
        fromMs: startOfDayMs(today, timezone),
        toMs: nowMs,
      })));
  return { nextClosing: closes ? next : null, missedClosings: missed };
}
