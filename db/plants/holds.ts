import { type RawBuilder, sql } from 'kysely';

/**
 * Who holds plant `p` back, by the audit log: its polls by a pause, or the announcements of its alerts by a silence. Each is
 * null where nobody is recorded, because it was done by SQL or in the Temporal Web UI.
 */

/** The newest entry of such an action about plant `p` that still applies. */
const newest = <Value>(
  value: RawBuilder<Value>,
  action: string,
  applies: RawBuilder<unknown>,
) => sql<Value | null>`(
  select ${value} from audit_log l
  where ${applies} and l.subject_type = 'PLANT' and l.subject_id = p.id and l.action = ${action}
  order by l.id desc limit 1)`;

/** A pause of before the last activation has ended. */
const isPause = sql`p.integration_status = 'DISABLED_BY_OPERATOR' and l.at >= coalesce(p.activated_at, l.at)`;
const isSilence = sql`p.alerts_silenced_until is not null
  and (l.after ->> 'alerts_silenced_until')::timestamptz = p.alerts_silenced_until`;

export const pausedBy = newest(sql<string>`l.actor`, 'plant.pause', isPause);
export const silencedBy = newest(sql<string>`l.actor`, 'plant.silence', isSilence);
export const silenceReason = newest(sql<string>`l.after ->> 'reason'`, 'plant.silence', isSilence);
