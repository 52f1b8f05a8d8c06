import type { Kysely } from 'kysely';

import type { ChannelAdapter } from '../adapters/notifications/contract.ts';
import { createEmailChannel } from '../adapters/notifications/email/email.ts';
import { createSlackChannel } from '../adapters/notifications/slack/slack.ts';
import {
  createHeartbeatChannel,
  createWebhookChannel,
} from '../adapters/notifications/webhook/webhook.ts';
import { type EnvironmentChannels, findChannel } from '../db/notifications/channels.ts';
import { openChannelSettings } from '../db/notifications/channel-list.ts';
import type { MasterKeys } from '../db/sealing.ts';
import type { Database } from '../db/tables.ts';
import { type ChannelTexts, mailSettings } from '../domain/notifications/channel-settings.ts';
import type { ChannelKind } from '../domain/notifications/message.ts';
import { PlainError } from '../domain/plain-error.ts';
import type { NotificationSettings } from '../environment/notifications/variables.ts';

/** The channels of this worker: what the environment configures, and how each is opened. */

/** When the first route of mails sends its morning brief, UTC. */
const briefAt = '07:00';

/** The channels that the environment configures, with their first routes. */
export function environmentChannels(settings: NotificationSettings): EnvironmentChannels {
  const { email, adminEmail, slack, webhook, heartbeat } = settings;
  const plainRoute = (name: string) => ({ defaultRoute: { name, recipients: [], digest: null } });
  const adminRoute =
    adminEmail === null
      ? null
      : {
          name: 'administrator',
          recipients: [adminEmail],
          digest: { of: 'YELLOW', at: briefAt } as const,
        };
  return {
    EMAIL: email === null ? null : { defaultRoute: adminRoute },
    SLACK: slack === null ? null : plainRoute('everything to Slack'),
    WEBHOOK: webhook === null ? null : plainRoute('everything to the webhook'),
    HEARTBEAT: heartbeat === null ? null : { defaultRoute: null },
  };
}

/** Opens a channel with its settings. @throws PlainError where there are none. */
export function channelOpener(
  db: Kysely<Database>,
  keys: MasterKeys,
  settings: NotificationSettings,
) {
  return async function openChannel(channelId: number): Promise<ChannelAdapter> {
    const channel = await findChannel(db, channelId);
    const adapter =
      channel?.source === 'DATABASE'
        ? ofDatabase(channel.kind, await openChannelSettings(db, keys, channelId))
        : channel && ofEnvironment(channel.kind, settings);
    if (adapter) return adapter;
    throw new PlainError('this worker has no settings for the channel');
  };
}

/** A channel that people added; its settings were checked then. */
function ofDatabase(kind: ChannelKind, texts: ChannelTexts | null): ChannelAdapter | null {
  if (texts === null) return null;
  const { url = '', secret = null } = texts;
  switch (kind) {
    case 'EMAIL':
      return createEmailChannel(mailSettings(texts));
    case 'SLACK':
      return createSlackChannel({ url });
    case 'WEBHOOK':
      return createWebhookChannel({ url, secret });
    case 'HEARTBEAT':
      return null;
  }
}

function ofEnvironment(kind: ChannelKind, settings: NotificationSettings): ChannelAdapter | null {
  const { email, slack, webhook, heartbeat } = settings;
  switch (kind) {
    case 'EMAIL':
      return email === null ? null : createEmailChannel(email);
    case 'SLACK':
      return slack === null ? null : createSlackChannel(slack);
    case 'WEBHOOK':
      return webhook === null ? null : createWebhookChannel(webhook);
    case 'HEARTBEAT':
      return heartbeat === null ? null : createHeartbeatChannel(heartbeat);
  }
}
