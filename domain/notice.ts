import type { AlertSeverity } from './alerts.ts';
import type { Subject } from './subject.ts';

/** A row of the outbox in words, whatever it is about. */

/** Whether a notification tells of a beginning or of an end. */
export type NoticeSense = 'PROBLEM' | 'END';

/**
 * One notification in words. The context of its subject writes it, each time from what is stored at that moment. Instants are
 * integer milliseconds since the epoch.
 */
export interface Notice {
  notificationId: number;
  subject: Subject;
  /** As the outbox has it: RAISED, ESCALATED, REMINDER, RECOVERED, OPENED, CLOSED. */
  kind: Uppercase<string>;
  sense: NoticeSense;
  severity: AlertSeverity;
  /** False if what it tells has ended, or (of an end) has begun again: then it is not sent. */
  holds: boolean;
  /** Whether a person has acknowledged it. */
  isAcknowledged: boolean;
  /** What routes filter by; null where the subject has none. */
  brand: string | null;
  customerId: string | null;
  plantId: string | null;
  /** The name that people know: "Vale 2". */
  name: string;
  /** What: "OFFLINE", "HUAWEI not answering". Without the name. */
  what: string;
  /** Since when. */
  sinceMs: number;
  /** The zone of the subject: its times are shown in it. */
  timezone: string;
  /** Why: the sentence of the status. */
  why: string;
  /** What it costs: "about 14.3 kWh lost so far"; null: unknown or nothing. */
  cost: string | null;
  /** What to do; null where the sentence says it all. */
  action: string | null;
  /** Path of the subject's page: "/plants/vale-2". */
  path: string;
}
