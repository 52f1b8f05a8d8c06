import { defineSignal } from '@temporalio/workflow';

import { channelKinds, type ChannelKind } from '../../domain/notifications/message.ts';

/** Ids, queue and signal of the loops that send notifications. Names never change. */

export const notificationsQueue = 'queue:notifications';

/** `notifications:email`, `notifications:slack`, `notifications:webhook`, `notifications:heartbeat`. */
export function notificationsWorkflowId(kind: ChannelKind): string {
  return `notifications:${kind.toLowerCase()}`;
}

/** The kind of channel of a loop's workflow id; null for another workflow's. */
export function channelKindOfWorkflowId(workflowId: string): ChannelKind | null {
  return channelKinds.find((kind) => notificationsWorkflowId(kind) === workflowId) ?? null;
}

export interface SendInput {
  v: 1;
  kind: ChannelKind;
}

/** Somebody wrote a notification: look at once. A lost one costs ten seconds. */
export const nudgeSignal = defineSignal('nudge');
