import type { Client } from '@temporalio/client';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
} from '@temporalio/common';

import { createLoops, type LoopKind } from '../loops.ts';
import type { LoopPlant } from '../../db/plants/fleet.ts';
import {
  type MonitorInput,
  plantChangedSignal,
  plantOfWorkflowId,
  pollQueue,
  pollWorkflowId,
} from '../../workflows/plants/messages.ts';

/** The loops of plants: one `monitorPlant` for each plant, on its brand's queue. */

export const monitorPlantType = 'monitorPlant';

const plantBrandKey = defineSearchAttributeKey('PlantBrand', SearchAttributeType.KEYWORD);

/** The search attributes of plants' loops. A loop sets its `PlantStatus` itself. */
export const plantSearchAttributes = [plantBrandKey.name, 'PlantStatus'] as const;

/** How a loop polls; defaults are those of production. */
export type LoopOptions = Pick<MonitorInput, 'pollsPerRun' | 'course' | 'wokenEarlyMs' | 'state'>;

export function createPlantLoops(client: Client, options: LoopOptions = {}) {
  const kind: LoopKind<LoopPlant> = {
    workflowType: monitorPlantType,
    workflowIdOf: pollWorkflowId,
    subjectOf: plantOfWorkflowId,
    changedSignal: plantChangedSignal,
    startOf(plant) {
      const { id, name, brand } = plant;
      const input: MonitorInput = { v: 2, plantId: id, brand, ...options };
      return {
        taskQueue: pollQueue(brand),
        args: [input],
        memo: { name, brand },
        staticSummary: name,
        typedSearchAttributes: new TypedSearchAttributes([{ key: plantBrandKey, value: brand }]),
      };
    },
  };
  return createLoops(client, kind);
}

/** Starts a plant's loop if none runs. */
export async function startLoop(
  client: Client,
  plant: LoopPlant,
  options: LoopOptions = {},
): Promise<void> {
  await createPlantLoops(client, options).start(plant);
}
