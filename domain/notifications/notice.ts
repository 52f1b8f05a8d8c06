import type { AlertSeverity } from '../alerts.ts';
import type { Subject, SubjectKind } from '../subject.ts';

/** What a notification says to people. Instants are integer milliseconds since the epoch. */

export const channelKinds = ['EMAIL', 'SLACK', 'WEBHOOK', 'HEARTBEAT'] as const;
/** A way out. HEARTBEAT is the dead man's switch: an address that an outside service watches. */
export type ChannelKind = (typeof channelKinds)[number];

/** Whether a notification tells of a beginning or of an end. */
export type NoticeSense = 'PROBLEM' | 'END';

/** One notification in words. The context of its subject writes it, each time from what is stored at that moment. */
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

/** Notifications of plants, gateways and incidents may wait for a digest; others need a person at once. */
export const digestibleKinds: ReadonlySet<SubjectKind> = new Set<SubjectKind>([
  'PLANT',
  'GATEWAY',
  'INCIDENT',
]);

/** The lines that one message shows; more are counted. */
export const linesMax = 20;

/** A message before it takes the form of its channel. */
export interface MessageContent {
  kind: 'ALERTS' | 'SUMMARY' | 'DIGEST' | 'TEST';
  /** Worst first, at most `linesMax`. */
  notices: readonly Notice[];
  /** How many notices more there are than `notices` shows. */
  moreCount: number;
  /** How many of all notices tell of a problem by severity, and how many of an end. */
  counts: { red: number; yellow: number; ended: number };
  /** The lines of the morning brief; empty in other messages. */
  brief: readonly string[];
  /** A sentence above the lines: that a storm holds back single messages, that this is a test; null: none. */
  remark: string | null;
  /** `https://host` of PUBLIC_URL; null: links cannot be made. */
  publicUrl: string | null;
  writtenAtMs: number;
  /** The zone of times that belong to no subject. */
  timezone: string;
}
