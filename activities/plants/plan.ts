import { findOpenPeriod, replacePeriod, wasActiveBetween } from '../../db/ledger/periods.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { type Db, instant } from '../../db/database.ts';
import { findPlant, lockPlant, type PlantRow, resumePlants } from '../../db/plants/plants.ts';
import { findLastSlot, hasDailyLog } from '../../db/plants/poll-logs.ts';
import { closingsPassed, nextClosing } from '../../domain/plants/closing.ts';
import { lateSlots, nextSlotAfter, phaseMs } from '../../domain/slots.ts';
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
        const { period, lastSlotMs } = await keepPeriod(trx, plant, args.nowMs, context());
        await trx
          .updateTable('plants')
          .set({ seen_revision: plant.revision })
          .where('id', '=', plant.id)
          .where('seen_revision', '<>', plant.revision)
          .execute();
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
      const plant = await findPlant(db, plantId);
      if (plant === undefined || plant.integration_status === 'PENDING_DOCS') return;
      await db
        .updateTable('plants')
        .set({
          integration_status: 'DISABLED_BY_OPERATOR',
          paused_until: null,
          pause_reason: 'paused in the Temporal Web UI',
        })
        .where('id', '=', plantId)
        .execute();
      log.info({ plantId, actor: 'temporal' }, 'plant paused');
    },
  };
}

/** Closes the open period and opens another if activity or interval changed. The caller holds the plant's lock. */
async function keepPeriod(trx: Db, plant: PlantRow, nowMs: number, caller: CallContext) {
  const intervalMs = plant.poll_interval_s * 1000;
  const grid = { intervalMs, phaseMs: phaseMs(plant.id, intervalMs) };
  const open = await findOpenPeriod(trx, plantLedger, plant.id);
  const lastSlotMs = await findLastSlot(trx, plant.id);
  const reason = plant.integration_status;
  const unchanged =
    open !== undefined &&
    open.reason === reason &&
    (reason !== 'ACTIVE' || open.intervalMs === intervalMs);
  if (unchanged) return { period: open, lastSlotMs };
  // A poll wakes before its slot, so its row may exist before the slot itself. It belongs to the period that ends.
  const atMs = Math.max(nowMs, (lastSlotMs ?? -1) + 1);
  // A loop that starts with empty state has polled none of the old grid's last slots, and will not.
  const late =
    open?.reason === 'ACTIVE'
      ? // A slot at `atMs` itself does not belong to the closed period.
        lateSlots(open, Math.max(lastSlotMs ?? 0, open.fromMs - 1), atMs - 1)
      : null;
  if (open !== undefined && late !== null)
    await writeOff(trx, {
      plantId: plant.id,
      workflowId: caller.workflowId,
      runId: caller.runId,
      intervalMs: open.intervalMs,
      rows: { fromMs: late.missedFromMs ?? late.catchUp, toMs: late.catchUp },
      overflow:
        late.overflowFromMs === null
          ? null
          : { slotMs: late.overflowFromMs, slots: late.overflowCount },
    });
  const fromMs = reason === 'ACTIVE' ? nextSlotAfter(grid, atMs) : atMs;
  const period = { fromMs, ...grid, reason };
  await replacePeriod(trx, plantLedger, plant.id, { closeAtMs: atMs, ...period });
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
