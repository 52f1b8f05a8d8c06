import { type RawBuilder, sql } from 'kysely';

/**
 * Who holds plant `p` back, by the audit log: its polls by a pause, or the announcements of its alerts by a silence. Each is
 * null where nobody is recorded, because it was done by SQL or in the Temporal Web UI.
 */

/** A value of the newest of these decisions about plant `p`; null unless `holds`, so that it is the one that applies now. */
const ofNewest = <Value>(
  value: RawBuilder<Value>,
  actions: readonly string[],
  { asked, holds }: { asked: RawBuilder<unknown>; holds: RawBuilder<unknown> },
) => sql<Value | null>`(
  select case when ${holds} then ${value} end from audit_log l
  where ${asked} and l.subject_type = 'PLANT' and l.subject_id = p.id and l.action = any(${[...actions]}::text[])
  order by l.id desc limit 1)`;

/** The entry holds the columns that the decision changed: what it says of the pause must be what the plant says. */
const isPause = {
  asked: sql`p.integration_status = 'DISABLED_BY_OPERATOR'`,
  holds: sql`l.action = 'plant.pause'
    and (not l.after ? 'pause_reason' or l.after ->> 'pause_reason' is not distinct from p.pause_reason)
    and (not l.after ? 'paused_until'
      or (l.after ->> 'paused_until')::timestamptz is not distinct from p.paused_until)`,
};
const isSilence = {
  asked: sql`p.alerts_silenced_until is not null`,
  holds: sql`(l.after ->> 'alerts_silenced_until')::timestamptz = p.alerts_silenced_until`,
};
const silences = ['plant.silence', 'plant.unsilence'];

export const pausedBy = ofNewest(sql<string>`l.actor`, ['plant.pause', 'plant.resume'], isPause);
export const silencedBy = ofNewest(sql<string>`l.actor`, silences, isSilence);
export const silenceReason = ofNewest(sql<string>`l.after ->> 'reason'`, silences, isSilence);
