import {
  condition,
  ContinueAsNew,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';

import type { NotificationActivities } from '../../activities/notifications/contract.ts';
import { stepsOf } from '../steps.ts';
import { nudgeSignal, type SendInput } from './messages.ts';

/** It looks at least so often, because a nudge may be lost. */
const tickMs = 10_000;
/** After an error that is ours the loop waits this long before it goes on: it never fails and never spins. */
const ownErrorWaitMs = 30_000;

const { step, regular } = stepsOf<NotificationActivities>();

/** Sends what is due on the channels of one kind, for ever. Whichever of these loops looks first writes the messages of all. */
export async function sendNotifications(input: SendInput): Promise<void> {
  let isNudged = false;
  setHandler(nudgeSignal, () => {
    isNudged = true;
  });
  for (;;) {
    if (workflowInfo().continueAsNewSuggested)
      await makeContinueAsNewFunc<typeof sendNotifications>({})(input);
    try {
      isNudged = false;
      const againAtMs = await round(input);
      const waitMs = Math.min(tickMs, Math.max(0, againAtMs - Date.now()));
      if (waitMs > 0) await condition(() => isNudged, waitMs);
    } catch (error) {
      if (isCancellation(error) || error instanceof ContinueAsNew) throw error;
      log.error('the loop met an error of its own and goes on', { kind: input.kind, error });
      await sleep(ownErrorWaitMs);
    }
  }
}

/** @returns when something may be due again, ms. */
async function round({ kind }: SendInput): Promise<number> {
  const composed = await step('composeMessages', { nowMs: Date.now() });
  const due = await step('findDue', { kind });
  if (due.atMs === null || due.atMs > Date.now())
    return Math.min(due.atMs ?? Infinity, composed.againAtMs ?? Infinity);
  const { againAtMs, ...report } = await regular.deliverMessages({ kind, nowMs: Date.now() });
  setCurrentDetails(
    `Last round: ${report.sent} sent, ${report.failed} failed, ${report.suppressed} suppressed.`,
  );
  return Math.min(againAtMs ?? Infinity, composed.againAtMs ?? Infinity);
}
