import {
  getExternalWorkflowHandle,
  isCancellation,
  log,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';

import type { ClosingVerdict } from '../../domain/plants/facts.ts';
import type { LocalDate } from '../../domain/zone.ts';
import { makeClosing } from './closing.ts';
import { dayClosedSignal, pollWorkflowId } from './messages.ts';
import { refreshDaysStep, step } from './steps.ts';

export interface DailyCloseInput {
  plantId: string;
  date: LocalDate;
  /** When the closing was due. */
  atMs: number;
}

/** Closes one plant-local day in Temporal, and tells the plant's loop the verdict. */
export async function closeDay({ plantId, date, atMs }: DailyCloseInput): Promise<ClosingVerdict> {
  const closing = { date, atMs };
  const verdict = await makeClosing(plantId, closing, {
    nowMs: () => Date.now(),
    sleep: (ms) => sleep(ms),
    endsPoll: isCancellation,
    refreshDays: refreshDaysStep,
    closeDay: (args) => step('closeDay', args),
    writePollLog: (args) => step('writePollLog', args),
  });
  await tellLoop(plantId, verdict);
  return verdict;
}

async function tellLoop(plantId: string, verdict: ClosingVerdict): Promise<void> {
  try {
    await getExternalWorkflowHandle(pollWorkflowId(plantId)).signal(dayClosedSignal, verdict);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.info('the day is closed, but the plant has no loop to tell', {
      plantId,
      workflowId: workflowInfo().workflowId,
    });
  }
}
