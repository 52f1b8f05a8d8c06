import { describe, expect } from 'vitest';

import { startLoop } from '../../operations/plants/loops.ts';
import { closingInstantMs } from '../../domain/plants/closing.ts';
import { phaseMs } from '../../domain/slots.ts';
import { addDays, instantOf, localDateAt } from '../../domain/zone.ts';
import { dailyWorkflowId } from '../../workflows/plants/messages.ts';
import { addPlant, eventually, ordinarySolis } from '../support/fleet.ts';
import { fleet, loops, test } from '../support/test-loops.ts';

/** A late loop waits up to a sixth of it before it polls. */
const intervalS = 60;

/** A zone in which it is about noon now, so that today's closing is far away in either direction. */
function zoneAtNoon(): string {
  const hoursEast = 12 - new Date().getUTCHours();
  return hoursEast === 0 ? 'Etc/GMT' : `Etc/GMT${hoursEast > 0 ? '-' : '+'}${Math.abs(hoursEast)}`;
}

describe('the closing of a day', () => {
  const timezone = zoneAtNoon();
  const today = localDateAt(Date.now(), timezone);

  /** A plant that was active since noon, so many days ago, and has no loop yet. */
  async function addActiveSince(daysAgo: number, vendorPlantId: string): Promise<string> {
    const plantId = await addPlant(fleet.db, fleet.config, { vendorPlantId, timezone, intervalS });
    const sinceMs = instantOf(addDays(today, -daysAgo), '12:00', timezone, 'earlier');
    await fleet.db
      .updateTable('plants')
      .set({ activated_at: new Date(sinceMs) })
      .where('id', '=', plantId)
      .execute();
    const phase = phaseMs(plantId, intervalS * 1_000);
    await fleet.db
      .insertInto('plant_periods')
      .values({
        plant_id: plantId,
        from_at: new Date(Math.ceil(sinceMs / (intervalS * 1_000)) * intervalS * 1_000 + phase),
        to_at: null,
        interval_s: intervalS,
        phase_ms: phase,
        reason: 'ACTIVE',
      })
      .execute();
    return plantId;
  }
  const dailyRows = async (plantId: string) => {
    const rows = await fleet.db
      .selectFrom('poll_logs')
      .select(['scheduled_for', 'trigger', 'outcome', 'workflow_id'])
      .where('plant_id', '=', plantId)
      .where('job_type', '=', 'DAILY')
      .orderBy('scheduled_for')
      .execute();
    return rows.map((row) => ({ ...row, scheduled_for: row.scheduled_for.getTime() }));
  };

  test('those of the last 3 dates that nobody made start on return, each once, and outlive a loop that ends', async () => {
    const plantId = await addActiveSince(6, ordinarySolis(1));
    await startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
    const dates = [-3, -2, -1].map((days) => addDays(today, days));
    const expected = dates.map((date) => ({
      scheduled_for: closingInstantMs(plantId, date, timezone),
      trigger: 'CATCH_UP',
      outcome: 'OK',
      workflow_id: dailyWorkflowId(plantId, date),
    }));
    await eventually('three closings', async () => (await dailyRows(plantId)).length === 3);
    expect(await dailyRows(plantId)).toEqual(expected);
    // Another loop with nothing in hand finds the rows, and starts none again.
    await loops.handle(plantId).terminate('test');
    await startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
    const state = await eventually("the new loop's look", async () => {
      const now = await loops.state(plantId);
      return now.next_closing !== null && now;
    });
    expect(state.next_closing).toBe(
      new Date(closingInstantMs(plantId, today, timezone)).toISOString(),
    );
    expect(await dailyRows(plantId)).toEqual(expected);
    const runs = [];
    for await (const run of fleet.client.workflow.list({ query: "WorkflowType = 'closeDay'" }))
      if (run.workflowId.includes(plantId)) runs.push(run.status.name);
    expect(runs).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
  });

  test('starting it a second time for a date is refused', async () => {
    const plantId = await addPlant(fleet.db, fleet.config, {
      vendorPlantId: ordinarySolis(2),
      timezone,
    });
    const date = addDays(today, -1);
    const start = () =>
      fleet.client.workflow.start('closeDay', {
        workflowId: dailyWorkflowId(plantId, date),
        taskQueue: 'queue:poll:solis',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [{ plantId, date, atMs: closingInstantMs(plantId, date, timezone) }],
      });
    await (await start()).result();
    await expect(start()).rejects.toMatchObject({ name: 'WorkflowExecutionAlreadyStartedError' });
    expect(await dailyRows(plantId)).toHaveLength(1);
  });

  test('low generation that it finds reaches the plant by its loop', async () => {
    const plantId = await addActiveSince(1, ordinarySolis(3));
    const day = { plant_id: plantId, quality: 'BACKFILLED' as const, complete: true };
    for (let daysAgo = 1; daysAgo <= 8; daysAgo += 1) {
      await fleet.db
        .insertInto('metric_snapshots')
        .values({
          ...day,
          date: addDays(today, -daysAgo),
          today_energy_kwh: daysAgo === 1 ? 0.1 : 40,
        })
        .execute();
    }
    await startLoop(fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
    const alert = await eventually('the alert', () =>
      fleet.db
        .selectFrom('alerts')
        .select(['severity', 'state', 'vendor_alarm_code', 'device_sn'])
        .where('plant_id', '=', plantId)
        .where('type', '=', 'LOW_GENERATION')
        .executeTakeFirst(),
    );
    expect(alert).toEqual({
      severity: 'RED',
      state: 'NEW',
      vendor_alarm_code: null,
      device_sn: null,
    });
    expect(await dailyRows(plantId)).toHaveLength(1);
  });
});
