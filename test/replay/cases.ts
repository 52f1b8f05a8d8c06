import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'vitest';

import {
  pauseSignal,
  plantChangedSignal,
  pollNowSignal,
  pollNowUpdate,
  resumeSignal,
} from '../../workflows/plants/messages.ts';
import {
  pollGatewayUpdate,
  shardUnwantedSignal,
  shardWorkflowId,
} from '../../workflows/gateways/messages.ts';
import { startPeer } from '../support/modbus/peer.ts';
import { addGateways, startGatewaysProcess, startShards } from '../support/walked-gateways.ts';
import { notificationsWorkflowId } from '../../workflows/notifications/messages.ts';
import { reportProblem } from '../../db/problems.ts';
import { createNotificationLoops } from '../../operations/notifications/loops.ts';
import { startLoop } from '../../operations/plants/loops.ts';
import { nextSlotAfter, phaseMs } from '../../domain/slots.ts';
import { eventually, type TestFleet } from '../support/fleet.ts';
import type { TestLoops } from '../support/loops.ts';
import type { SlowVendor } from '../support/vendor.ts';

/** What a case needs to make its history. */
export interface CaseTools {
  fleet: TestFleet;
  loops: TestLoops;
  vendor: SlowVendor;
}

/** A history to keep: how it is made, and of which execution it is. */
export interface HistoryCase {
  /** The workflow's name and the file's. */
  workflow: 'monitorPlant' | 'closeDay' | 'sendNotifications' | 'walkGatewayShard';
  name: string;
  /** Makes it happen. @returns the execution whose history is kept; it need not have ended. */
  run(tools: CaseTools): Promise<{ workflowId: string; runId: string }>;
}

/** Late loops of this interval wait their while; and ten seconds after a slot the next one is not due. */
const waitingIntervalS = 12;
/** From a poll's row to the end of its workflow task. */
const taskEndsMs = 1_000;

const ordinarySolis = (n: number) => `13000000000000${String(n).padStart(5, '0')}`;

/** The run of a loop as it is now. */
async function current({ loops }: CaseTools, plantId: string) {
  const handle = loops.handle(plantId);
  return { workflowId: handle.workflowId, runId: (await handle.describe()).runId };
}

/**
 * The code paths of the workflows that a change must not reorder for those who are on them. Kept histories without a case are
 * of polls in single steps, the course of loops that began before an ordinary poll was one step.
 */
export const historyCases: readonly HistoryCase[] = [
  {
    workflow: 'sendNotifications',
    name: 'rounds-with-a-nudge',
    async run({ fleet: { db, client } }) {
      const { id: channelId } = await db
        .insertInto('notification_channels')
        .values({ kind: 'EMAIL', name: 'mail', source: 'ENVIRONMENT', created_by: 'test' })
        .returning('id')
        .executeTakeFirstOrThrow();
      const route = { name: 'all', channel_id: channelId, recipients: ['ana@example.org'] };
      await db
        .insertInto('notification_routes')
        .values({ ...route, created_by: 'test' })
        .execute();
      const loops = createNotificationLoops(client);
      await loops.start({ id: 'EMAIL' });
      const subject = { kind: 'SYSTEM', id: 'polling' } as const;
      const nowMs = Date.now();
      await db
        .transaction()
        .execute((trx) =>
          reportProblem(trx, { subject, code: 'NOT_WELL', severity: 'RED', message: 'x' }, nowMs),
        );
      await loops.signalChanged('EMAIL');
      // The worker has no mail server: the attempt ends with that.
      await eventually(
        'an attempt, half a minute after the problem',
        async () => {
          const attempts = await db.selectFrom('delivery_attempts').select('outcome').execute();
          return attempts.some(({ outcome }) => outcome !== null);
        },
        90_000,
      );
      await sleep(taskEndsMs);
      const workflowId = notificationsWorkflowId('EMAIL');
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      return { workflowId, runId };
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-ordinary-polls',
    async run(tools) {
      const plantId = await tools.loops.add({ vendorPlantId: ordinarySolis(1), intervalS: 2 });
      await tools.loops.untilPolled(plantId, 4);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-regular-fetch-and-second-attempt',
    async run(tools) {
      // HTTP 500 twice: the second attempt is regular. And a local attempt that its budget cuts off.
      const failing = await tools.loops.add({ vendorPlantId: '1298491919448631828' });
      await tools.loops.untilPolled(failing, 1);
      return current(tools, failing);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'steps-ordinary-polls',
    async run(tools) {
      const plant = { vendorPlantId: ordinarySolis(9), intervalS: 2 };
      const plantId = await tools.loops.add(plant, { course: 'STEPS' });
      await tools.loops.untilPolled(plantId, 4);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'steps-second-attempt',
    async run(tools) {
      const plant = { vendorPlantId: '1298491919448631828' };
      const failing = await tools.loops.add(plant, { course: 'STEPS' });
      await tools.loops.untilPolled(failing, 1);
      return current(tools, failing);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-local-fetch-cut',
    async run(tools) {
      const vendorPlantId = ordinarySolis(2);
      tools.vendor.hold(vendorPlantId);
      const plantId = await tools.loops.add({ vendorPlantId });
      await eventually(
        'the regular fetch',
        async () =>
          ((await tools.loops.handle(plantId).describe()).raw.pendingActivities ?? []).length > 0,
      );
      tools.vendor.release(vendorPlantId);
      await tools.loops.untilPolled(plantId, 1);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-pause-and-resume',
    async run(tools) {
      const plantId = await tools.loops.add({ vendorPlantId: ordinarySolis(3) });
      await tools.loops.untilPolled(plantId);
      await tools.loops.handle(plantId).signal(pauseSignal);
      await eventually(
        'the pause',
        async () =>
          (await tools.loops.state(plantId)).integration_status === 'DISABLED_BY_OPERATOR',
      );
      await tools.loops.handle(plantId).signal(resumeSignal);
      await tools.loops.untilPolled(plantId, 2);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-poll-now-while-waiting',
    async run(tools) {
      const plantId = await tools.loops.add({ vendorPlantId: ordinarySolis(4) });
      await tools.loops.untilPolled(plantId);
      await tools.loops.handle(plantId).executeUpdate(pollNowUpdate);
      await tools.loops.handle(plantId).signal(pollNowSignal);
      await tools.loops.untilPolled(plantId, 3);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-missed-slots',
    async run(tools) {
      const vendorPlantId = ordinarySolis(6);
      tools.vendor.delay(vendorPlantId, 1_300);
      const plantId = await tools.loops.add({ vendorPlantId, intervalS: 1 });
      const rows = await tools.loops.untilPolled(plantId, 8);
      expect(rows.some((row) => row.outcome === 'MISSED')).toBe(true);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-slot-in-time',
    async run(tools) {
      const plantId = await tools.loops.add({
        vendorPlantId: ordinarySolis(8),
        intervalS: waitingIntervalS,
      });
      await tools.loops.untilPolled(plantId, 2);
      await sleep(taskEndsMs);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-late-slot',
    async run(tools) {
      const intervalMs = waitingIntervalS * 1_000;
      const plantId = await tools.loops.add({
        vendorPlantId: ordinarySolis(9),
        intervalS: waitingIntervalS,
      });
      await tools.loops.untilPolled(plantId, 1);
      const slotMs = nextSlotAfter(
        { intervalMs, phaseMs: phaseMs(plantId, intervalMs) },
        Date.now(),
      );
      await tools.loops.handle(plantId).terminate('by the case');
      await sleep(slotMs + intervalMs / 5 - Date.now());
      await startLoop(tools.fleet.client, { id: plantId, name: plantId, brand: 'SOLIS' });
      const rows = await tools.loops.untilPolled(plantId, 2);
      expect(rows.at(-1)).toMatchObject({ trigger: 'CATCH_UP', outcome: 'OK' });
      await sleep(taskEndsMs);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-continue-as-new',
    async run(tools) {
      const plantId = await tools.loops.add(
        { vendorPlantId: ordinarySolis(5), intervalS: 2 },
        { pollsPerRun: 3 },
      );
      const rows = await tools.loops.untilPolled(plantId, 8);
      // A run in the middle: it began with the state of the one before and ended with a new one.
      const [, middle = ''] = [...new Set(rows.map((row) => row.run_id))];
      return { workflowId: tools.loops.handle(plantId).workflowId, runId: middle };
    },
  },
  {
    workflow: 'monitorPlant',
    name: 'whole-interval-change',
    async run(tools) {
      const plantId = await tools.loops.add({ vendorPlantId: ordinarySolis(6), intervalS: 3 });
      await tools.loops.untilPolled(plantId, 2);
      await tools.fleet.db
        .updateTable('plants')
        .set({ poll_interval_s: 2 })
        .where('id', '=', plantId)
        .execute();
      await tools.loops.handle(plantId).signal(plantChangedSignal);
      await eventually(
        'the new interval',
        async () => (await tools.loops.state(plantId)).interval_s === 2,
      );
      await sleep(4_000);
      return current(tools, plantId);
    },
  },
  {
    workflow: 'walkGatewayShard',
    name: 'walk-with-a-poll-now-and-a-second-attempt',
    async run({ fleet }) {
      const peer = await startPeer();
      await addGateways(fleet.db, [{ id: 'school', port: peer.port, intervalS: 10 }]);
      const shards = { GATEWAY_SHARDS: '1' };
      await startShards(fleet, 1);
      const first = await startGatewaysProcess({ ...fleet.env, ...shards });
      const workflowId = shardWorkflowId('0');
      const loop = fleet.client.workflow.getHandle(workflowId);
      await loop.executeUpdate(pollGatewayUpdate, { args: [{ gateway_id: 'school' }] });
      first.kill('SIGTERM');
      await first.ended;
      const second = await startGatewaysProcess({ ...fleet.env, ...shards });
      await loop.executeUpdate(pollGatewayUpdate, { args: [{ gateway_id: 'school' }] });
      await loop.signal(shardUnwantedSignal);
      await loop.result();
      second.kill('SIGTERM');
      await second.ended;
      await peer.close();
      return { workflowId, runId: (await loop.describe()).runId };
    },
  },
  {
    workflow: 'closeDay',
    name: 'ordinary-closing',
    async run({ fleet, loops }) {
      const plantId = await loops.add({ vendorPlantId: ordinarySolis(7) });
      await loops.untilPolled(plantId);
      const handle = await fleet.client.workflow.start('closeDay', {
        workflowId: `daily:plant:${plantId}:2026-06-11`,
        taskQueue: 'queue:poll:solis',
        args: [{ plantId, date: '2026-06-11', atMs: Date.parse('2026-06-11T21:55:00Z') }],
      });
      await handle.result();
      return { workflowId: handle.workflowId, runId: handle.firstExecutionRunId };
    },
  },
];
