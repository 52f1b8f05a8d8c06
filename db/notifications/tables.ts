import type { Generated } from 'kysely';

import type { AlertSeverity } from '../../domain/alerts.ts';
import type { ChannelKind } from '../../domain/notifications/message.ts';
import type { Digest } from '../../domain/notifications/routes.ts';
import type { SubjectKind } from '../../domain/subject.ts';
import type { Instant } from '../columns.ts';

/** The rows of the tables through which notifications reach people. */

export type DeliveryState = 'PENDING' | 'SENDING' | 'SENT' | 'FAILED' | 'DEAD' | 'SUPPRESSED';
export type MessageKind = 'ALERTS' | 'SUMMARY' | 'DIGEST' | 'TEST' | 'HEARTBEAT';
export type ProblemState = 'OPEN' | 'ACKNOWLEDGED' | 'CLOSED';

/** The tables of notifications, by name. */
export interface NotificationTables {
  notifications_kept: {
    only_row: Generated<true>;
    from_at: Date;
  };
  notification_channels: {
    id: Generated<number>;
    kind: ChannelKind;
    name: string;
    source: 'ENVIRONMENT' | 'DATABASE';
    key_version: string | null;
    iv: Buffer | null;
    sealed: Buffer | null;
    next_send_at: Date | null;
    failing_since: Date | null;
    last_success_at: Date | null;
    last_error_at: Date | null;
    last_error: string | null;
    created_at: Instant;
    created_by: string;
    removed_at: Date | null;
  };
  notification_routes: {
    id: Generated<number>;
    name: string;
    channel_id: number;
    recipients: Generated<string[]>;
    severities: Generated<AlertSeverity[]>;
    subject_kinds: Generated<SubjectKind[]>;
    brands: Generated<string[]>;
    customer_ids: Generated<string[]>;
    plant_ids: Generated<string[]>;
    timezone: Generated<string>;
    quiet_from: string | null;
    quiet_to: string | null;
    digest: Generated<Digest>;
    digest_at: string | null;
    digest_sent_at: Date | null;
    second_call_after_s: number | null;
    second_route_id: number | null;
    owner_id: number | null;
    unsubscribe_hash: Buffer | null;
    /** The seal of the token that `unsubscribe_hash` recognises. */
    key_version: string | null;
    iv: Buffer | null;
    sealed: Buffer | null;
    storm_since: Date | null;
    storm_summary_at: Date | null;
    storm_short_summaries: Generated<number>;
    begun_at: Date | null;
    created_at: Instant;
    created_by: string;
    removed_at: Date | null;
  };
  messages: {
    id: Generated<number>;
    route_id: number | null;
    kind: MessageKind;
    created_at: Date;
    remark: string | null;
    brief: Generated<string[]>;
  };
  notification_lines: {
    id: Generated<number>;
    route_id: number;
    notification_id: number;
    second_call: Generated<boolean>;
    due_at: Date;
    message_id: number | null;
    suppressed_at: Date | null;
    suppressed_reason: Uppercase<string> | null;
  };
  deliveries: {
    id: Generated<number>;
    message_id: number;
    channel_id: number;
    recipient: string;
    state: Generated<DeliveryState>;
    attempts: Generated<number>;
    leased_until: Date | null;
    next_attempt_at: Date;
    tried_at: Date | null;
    finished_at: Date | null;
    answer: string | null;
    created_at: Date;
  };
  delivery_attempts: {
    delivery_id: number;
    attempt: number;
    at: Date;
    ended_at: Date | null;
    outcome: Uppercase<string> | null;
    answer: string | null;
  };
  problems: {
    id: Generated<number>;
    subject_kind: SubjectKind;
    subject_id: string;
    code: Uppercase<string>;
    severity: AlertSeverity;
    state: Generated<ProblemState>;
    message: string;
    opened_at: Date;
    last_seen_at: Date;
    acked_at: Date | null;
    acked_by: string | null;
    ack_comment: string | null;
    closed_at: Date | null;
  };
}
