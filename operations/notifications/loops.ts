import type { Client } from '@temporalio/client';

import type { ChannelKind } from '../../domain/notifications/message.ts';
import {
  channelKindOfWorkflowId,
  notificationsQueue,
  notificationsWorkflowId,
  nudgeSignal,
  type SendInput,
} from '../../workflows/notifications/messages.ts';
import { createLoops, type LoopKind } from '../loops.ts';

/** The loops that send notifications: one `sendNotifications` for each kind of channel. */

export function createNotificationLoops(client: Client) {
  const kind: LoopKind<{ id: ChannelKind }> = {
    workflowType: 'sendNotifications',
    workflowIdOf: (id) => notificationsWorkflowId(id as ChannelKind),
    subjectOf: channelKindOfWorkflowId,
    changedSignal: nudgeSignal,
    startOf({ id }) {
      const input: SendInput = { v: 1, kind: id };
      return {
        taskQueue: notificationsQueue,
        args: [input],
        staticSummary: `sends notifications by ${id.toLowerCase()}`,
      };
    },
  };
  return createLoops(client, kind);
}
