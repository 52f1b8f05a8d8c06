import type { ChannelAdapter } from '../../adapters/notifications/contract.ts';
import type { Db } from '../../db/database.ts';
import type { Deps } from '../deps.ts';
import type { NoticeReaders } from '../notices.ts';

/** What the activities of notifications need. */
export interface NotificationDeps extends Deps {
  /** Who puts notifications of each kind of subject into words. */
  notices: NoticeReaders;
  /** The fleet in at most ten lines, for the morning brief; empty: there is nothing to say. */
  readBrief: ReadBrief;
  /** What keeps polling from being well, as a sentence; null: nothing. */
  findTrouble(db: Db, nowMs: number): Promise<string | null>;
  /** The adapter of a channel with its settings. @throws PlainError where they cannot be read. */
  openChannel(channelId: number): Promise<ChannelAdapter>;
  /** What ends the subscription that a route is, without signing in; null: the route is none. @throws PlainError */
  findUnsubscribeToken(routeId: number): Promise<string | null>;
  /** `https://host` of PUBLIC_URL; null: messages carry no links. */
  publicUrl: string | null;
}

/** The morning brief for whom a route serves. */
export type ReadBrief = (
  db: Db,
  scope: { customerIds: readonly string[]; brands: readonly string[] },
  nowMs: number,
) => Promise<string[]>;
