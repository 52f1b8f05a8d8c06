import { createHmac } from 'node:crypto';

import { noticeText, subjectOf } from '../../../domain/notifications/text.ts';
import type { ChannelAdapter, Outgoing } from '../contract.ts';
import { attemptHttp } from '../http.ts';

/** A webhook: JSON by POST, signed, the same key at each repetition. And the heartbeat: a plain GET. */

export interface WebhookSettings {
  url: string;
  /** Signs each request; null: none does. */
  secret: string | null;
}

export function createWebhookChannel({ url, secret }: WebhookSettings): ChannelAdapter {
  return {
    async send(message, options) {
      const body = JSON.stringify(webhookBody(message));
      const timestamp = String(Math.floor(message.nowMs / 1_000));
      const headers = {
        'content-type': 'application/json; charset=utf-8',
        'idempotency-key': `heliograph-delivery-${message.deliveryId}`,
        'heliograph-timestamp': timestamp,
        ...(secret === null ? {} : { 'heliograph-signature': signature(secret, timestamp, body) }),
      };
      const request = { method: 'POST', url, headers, body } as const;
      return (await attemptHttp(request, options, message.nowMs)).sent;
    },
  };
}

/** A dead man's switch: whoever watches this address alarms when nothing comes. */
export function createHeartbeatChannel({ url }: { url: string }): ChannelAdapter {
  return {
    async send({ nowMs }, options) {
      const request = { method: 'GET', url, headers: {}, body: null } as const;
      return (await attemptHttp(request, options, nowMs)).sent;
    },
  };
}

/** HMAC-SHA-256 over `timestamp.body`, in hex, after the version of the form. */
export function signature(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** What a webhook is sent: snake_case, instants as ISO 8601. */
export function webhookBody({ content, deliveryId }: Pick<Outgoing, 'content' | 'deliveryId'>) {
  return {
    delivery_id: deliveryId,
    kind: content.kind,
    title: subjectOf(content),
    written_at: new Date(content.writtenAtMs).toISOString(),
    counts: content.counts,
    remark: content.remark,
    brief: content.brief,
    notices: content.notices.map((notice) => ({
      notification_id: notice.notificationId,
      subject: notice.subject,
      kind: notice.kind,
      sense: notice.sense,
      severity: notice.severity,
      brand: notice.brand,
      customer_id: notice.customerId,
      plant_id: notice.plantId,
      name: notice.name,
      what: notice.what,
      since: new Date(notice.sinceMs).toISOString(),
      timezone: notice.timezone,
      why: notice.why,
      cost: notice.cost,
      action: notice.action,
      url: noticeText(notice, content.publicUrl).url,
    })),
    more_count: content.moreCount,
  };
}
