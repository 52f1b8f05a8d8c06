import type { Notice } from '../notice.ts';
import type { SubjectKind } from '../subject.ts';

/** What a message holds before it takes the form of its channel. Instants are integer milliseconds since the epoch. */

export const channelKinds = ['EMAIL', 'SLACK', 'WEBHOOK', 'HEARTBEAT'] as const;
/** A way out. HEARTBEAT is the dead man's switch: an address that an outside service watches. */
export type ChannelKind = (typeof channelKinds)[number];

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
}
