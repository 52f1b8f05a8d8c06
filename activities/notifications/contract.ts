import type { ChannelKind } from '../../domain/notifications/message.ts';

/** Activities of `queue:notifications`: types only. Instants are integer ms since the epoch. */

/** What a step of composing did, for people in Temporal's Web UI. */
export interface ComposeReport {
  /** Notifications that became lines, or were dropped. */
  routed: number;
  dropped: number;
  messages: number;
  /** When something may be due again; null: when somebody writes a notification. */
  againAtMs: number | null;
}

/** What a round of deliveries did. */
export interface DeliverReport {
  sent: number;
  failed: number;
  suppressed: number;
  againAtMs: number | null;
}

export interface NotificationActivities {
  /** Turns due notifications into messages, for all channels; only one worker does so at a time. */
  composeMessages(args: { nowMs: number }): Promise<ComposeReport>;
  /** When a delivery of the channels of one kind may be due; null: none waits. */
  findDue(args: { kind: ChannelKind }): Promise<{ atMs: number | null }>;
  /** Sends what is due on the channels of one kind, one message after the other. */
  deliverMessages(args: { kind: ChannelKind; nowMs: number }): Promise<DeliverReport>;
}
