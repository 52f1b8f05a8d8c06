import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
} from '@temporalio/common';

import { signalChanged } from './tell-loops.ts';
import type { LoopPlant } from '../../db/plants/fleet.ts';
import { plantOfWorkflowId, pollQueue, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { fleetQueue, fleetScheduleId } from '../../workflows/messages.ts';
import type { MonitorInput } from '../../workflows/plants/messages.ts';

const plantBrandKey = defineSearchAttributeKey('PlantBrand', SearchAttributeType.KEYWORD);

/** How often the fleet is reconciled. */
const reconcileEverySeconds = 30;

/** A worker that dies fails a task once or twice; code that does not fit its history fails each attempt. */
const stuckAttempts = 4;

/** How a loop polls; what is absent is as in production. */
export type LoopOptions = Pick<MonitorInput, 'pollsPerRun' | 'course' | 'wokenEarlyMs' | 'state'>;

/** The loops as Temporal runs them. */
export function createLoops(client: Client, options: LoopOptions = {}) {
  const query = `WorkflowType = 'monitorPlant' AND ExecutionStatus = 'Running'`;
  return {
    async count(): Promise<number> {
      return (await client.workflow.count(query)).count;
    },

    async list(): Promise<Set<string>> {
      const plantIds = new Set<string>();
      for await (const execution of client.workflow.list({ query })) {
        const plantId = plantOfWorkflowId(execution.workflowId);
        if (plantId !== null) plantIds.add(plantId);
      }
      return plantIds;
    },

    async start(plant: LoopPlant): Promise<void> {
      await startLoop(client, plant, options);
    },

    async restartStuck(plant: LoopPlant): Promise<boolean> {
      const handle = client.workflow.getHandle(pollWorkflowId(plant.id));
      try {
        const { raw, status } = await handle.describe();
        if (status.name === 'RUNNING') {
          if ((raw.pendingWorkflowTask?.attempt ?? 0) < stuckAttempts) return false;
          await handle.terminate('its workflow task failed again and again: another loop goes on');
        }
      } catch (error) {
        // There is none, or it has ended meanwhile.
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
      await startLoop(client, plant, options);
      return true;
    },

    async signalChanged(plantId: string): Promise<void> {
      await signalChanged(client, plantId);
    },
  };
}

/** Starts a plant's loop; does nothing where one runs. */
export async function startLoop(
  client: Client,
  plant: LoopPlant,
  options: LoopOptions = {},
): Promise<void> {
  await client.workflow.start<(input: MonitorInput) => Promise<void>>('monitorPlant', {
    workflowId: pollWorkflowId(plant.id),
    taskQueue: pollQueue(plant.brand),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [
      {
        v: 2,
        plantId: plant.id,
        brand: plant.brand,
        ...options,
      },
    ],
    memo: { name: plant.name, brand: plant.brand },
    staticSummary: plant.name,
    typedSearchAttributes: new TypedSearchAttributes([{ key: plantBrandKey, value: plant.brand }]),
  });
}

/** Makes sure that the Schedule of the reconciliation exists, and lets it run now. */
export async function triggerReconciliation(client: Client): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: fleetScheduleId,
      spec: { intervals: [{ every: `${reconcileEverySeconds}s` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: 'reconcileFleet',
        taskQueue: fleetQueue,
        workflowId: fleetScheduleId,
        args: [],
      },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  await client.schedule.getHandle(fleetScheduleId).trigger(ScheduleOverlapPolicy.SKIP);
}

/** Search attributes by which people filter the Web UI's list. */
const searchAttributes = { PlantBrand: 2, PlantStatus: 2 } as const; // 2: Keyword

/** Registers the search attributes where they are missing; a new one is usable a moment later. */
export async function ensureSearchAttributes(client: Client): Promise<void> {
  const { namespace } = client.options;
  const known = await client.connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributes).filter(
    ([name]) => known.customAttributes?.[name] === undefined,
  );
  if (missing.length === 0) return;
  await client.connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing),
  });
}
