import type { MessageContent } from '../../domain/notifications/message.ts';

/** How a message leaves. The folders beside this file speak to mail servers, Slack and webhooks. */

/** One delivery, as its channel sends it. */
export interface Outgoing {
  /** The same at every attempt: mail servers and webhooks recognise a repetition by it. */
  deliveryId: number;
  /** The first delivery about the subject to this recipient: mails of one subject make one thread. null: this is the first. */
  threadOf: number | null;
  /** An e-mail address; empty where the channel has one receiver. */
  recipient: string;
  content: MessageContent;
  /** Where a person who subscribed ends it; null: nobody subscribed. */
  unsubscribeUrl: string | null;
  nowMs: number;
}

/** What became of an attempt. `answer` is one sentence for people, without secrets and without the receiver's body. */
export type Sent =
  | { outcome: 'SENT'; answer: string }
  /** Not taken, or not known whether: try again. `retryAfterMs`: the receiver asks the whole channel to wait. */
  | { outcome: 'RETRY'; answer: string; retryAfterMs?: number }
  /** This recipient is refused for good. */
  | { outcome: 'RECIPIENT_REFUSED'; answer: string }
  /** The receiver refuses us: no delivery of the channel can succeed until a person mends it. */
  | { outcome: 'CHANNEL_REFUSED'; answer: string };

/** One channel with its settings. */
export interface ChannelAdapter {
  /**
   * One attempt. It ends within 30 s, 10 s of them for the connection.
   *
   * @param handsOver called just before the receiver may take the message: from then on it may have arrived.
   * @throws the reason of `signal`, or what `handsOver` throws; nothing else.
   */
  send(
    message: Outgoing,
    options: { signal: AbortSignal; handsOver: () => Promise<void> },
  ): Promise<Sent>;
}
