import {
  countMessages,
  dropEnded,
  dropTooOld,
  findOpenTopics,
  findSecondCalls,
  findTopicLines,
  findUnrouted,
  findWaiting,
  insertLines,
  lockComposing,
  markRouted,
  type NewLine,
  nextDueMs,
  suppressLines,
  type Waiting,
  writeMessage,
} from '../../db/notifications/lines.ts';
import {
  findRoutes,
  markBegun,
  type Route,
  writeDigestSent,
  writeStorm,
} from '../../db/notifications/routes.ts';
import { endOfRemoved } from '../../db/notifications/deliveries.ts';
import { deliverHeartbeat, writeHeartbeat } from '../../db/notifications/heartbeats.ts';
import type { Db } from '../../db/database.ts';
import type { OutboxRow } from '../../db/outbox.ts';
import { deadAfterMs } from '../../domain/notifications/attempts.ts';
import {
  decideMessage,
  stormWindowMs,
  type WaitingLine,
} from '../../domain/notifications/compose.ts';
import type { Notice } from '../../domain/notice.ts';
import { dueAtMs, isDigested, wants } from '../../domain/notifications/routes.ts';
import { localDateAt, instantOf } from '../../domain/zone.ts';
import type { ComposeReport } from './contract.ts';
import type { NotificationDeps } from './deps.ts';
import { readNotices } from '../notices.ts';

/** Turns notifications into messages: each route gets its lines, and lines that are due together are one message. */

/** The most notifications of one step; the rest follows in the next. */
const routedMax = 2_000;

type ComposeDeps = Pick<NotificationDeps, 'db' | 'clock' | 'notices' | 'readBrief'>;

/** `composeMessages`. Without a route only heartbeats go on: the outbox fills, and nothing is dropped. */
export function createCompose(deps: ComposeDeps) {
  return async function composeMessages(args: { nowMs: number }): Promise<ComposeReport> {
    const nowMs = Math.max(args.nowMs, deps.clock());
    return deps.db.transaction().execute(async (trx) => {
      await lockComposing(trx);
      await writeHeartbeat(trx, nowMs);
      await deliverHeartbeat(trx, nowMs);
      await endOfRemoved(trx, nowMs);
      const routes = await findRoutes(trx);
      if (routes.length === 0) return { routed: 0, dropped: 0, messages: 0, againAtMs: null };
      const composing = new Composing(deps, trx, routes, nowMs);
      return composing.run();
    });
  };
}

/** One step of composing. */
class Composing {
  readonly #deps: ComposeDeps;
  readonly #trx: Db;
  readonly #routes: readonly Route[];
  readonly #nowMs: number;
  readonly #report = { routed: 0, dropped: 0, messages: 0 };

  constructor(deps: ComposeDeps, trx: Db, routes: readonly Route[], nowMs: number) {
    this.#deps = deps;
    this.#trx = trx;
    this.#routes = routes;
    this.#nowMs = nowMs;
  }

  async run(): Promise<ComposeReport> {
    const tooOldMs = this.#nowMs - deadAfterMs;
    this.#report.dropped += await dropTooOld(this.#trx, tooOldMs, this.#nowMs);
    for (const route of this.#routes) if (!route.hasBegun) await this.#begin(route);
    const isMore = await this.#route();
    await this.#callSecondRoutes();
    const laterMs = await this.#write();
    const dueMs = isMore ? this.#nowMs : await nextDueMs(this.#trx, this.#nowMs);
    return { ...this.#report, againAtMs: earliest(dueMs, laterMs) };
  }

  /** A new route begins with what is open now. */
  async #begin(route: Route): Promise<void> {
    const notices = await this.#read(await findOpenTopics(this.#trx));
    const open = notices.filter((notice) => notice.holds && wants(route, notice));
    await insertLines(
      this.#trx,
      open.map((notice) => this.#lineOf(route, notice)),
    );
    await markBegun(this.#trx, route.id, this.#nowMs);
  }

  /** Gives the routes their lines of what is due. @returns whether there is more than one step takes. */
  async #route(): Promise<boolean> {
    const rows = await findUnrouted(this.#trx, this.#nowMs, routedMax);
    const notices = new Map((await this.#read(rows)).map((one) => [one.notificationId, one]));
    const begun = rows.filter(({ isEnd }) => !isEnd);
    const ended = rows.filter(({ isEnd }) => isEnd);
    const gone = begun.filter(({ id }) => notices.get(id)?.holds !== true).map(({ id }) => id);
    await dropEnded(this.#trx, gone, this.#nowMs);
    const standing = begun.flatMap(({ id }) => notices.get(id) ?? []).filter(({ holds }) => holds);
    const lines = standing.flatMap((notice) =>
      this.#routes
        .filter((route) => wants(route, notice))
        .map((route) => this.#lineOf(route, notice)),
    );
    await insertLines(this.#trx, lines);
    await this.#routeEnds(ended, notices);
    await markRouted(
      this.#trx,
      rows.map(({ id }) => id),
      this.#nowMs,
    );
    this.#report.routed += rows.length - gone.length;
    this.#report.dropped += gone.length;
    return rows.length === routedMax;
  }

  /** An end goes where its beginning went; where that still waits for its message, neither is told. */
  async #routeEnds(
    rows: readonly OutboxRow[],
    notices: ReadonlyMap<number, Notice>,
  ): Promise<void> {
    const told = await findTopicLines(
      this.#trx,
      rows.map(({ topic }) => topic),
    );
    const lines: NewLine[] = [];
    for (const { id, topic } of rows) {
      const notice = notices.get(id);
      if (notice === undefined || !notice.holds) continue;
      for (const { routeId } of told.filter((one) => one.topic === topic && one.isWritten)) {
        const route = this.#routes.find((one) => one.id === routeId);
        if (route !== undefined) lines.push(this.#lineOf(route, notice));
      }
    }
    await insertLines(this.#trx, lines);
  }

  #lineOf(route: Route, notice: Notice): NewLine {
    const due = dueAtMs(route, notice, this.#nowMs);
    return { routeId: route.id, notificationId: notice.notificationId, dueAtMs: due };
  }

  /** A red problem that nobody has acknowledged goes to its route's second route. */
  async #callSecondRoutes(): Promise<void> {
    const rows = await findSecondCalls(this.#trx, this.#nowMs);
    const notices = new Map((await this.#read(rows)).map((one) => [one.notificationId, one]));
    const lines = rows.flatMap(({ id, secondRouteId }): NewLine[] => {
      const notice = notices.get(id);
      if (notice === undefined || !notice.holds || notice.isAcknowledged) return [];
      const line = { routeId: secondRouteId, notificationId: id, dueAtMs: this.#nowMs };
      return [{ ...line, secondCall: true }];
    });
    await insertLines(this.#trx, lines);
  }

  /** Writes the messages that are due. @returns when a route may have another one, ms; null: when a line comes. */
  async #write(): Promise<number | null> {
    const waiting = await findWaiting(this.#trx, this.#nowMs);
    const notices = new Map((await this.#read(waiting)).map((one) => [one.notificationId, one]));
    const ended = waiting.filter(({ id }) => notices.get(id)?.holds !== true);
    await suppressLines(this.#trx, ended.map(lineIdOf), 'ENDED', this.#nowMs);
    const answered = waiting.filter(
      ({ id, secondCall }) => secondCall && notices.get(id)?.isAcknowledged === true,
    );
    await suppressLines(this.#trx, answered.map(lineIdOf), 'ACKNOWLEDGED', this.#nowMs);
    const left = new Set([...ended, ...answered].map(lineIdOf));
    const standing = waiting.filter(({ lineId }) => !left.has(lineId));
    const replaced = replacedLines(standing);
    await suppressLines(this.#trx, replaced.map(lineIdOf), 'REPLACED', this.#nowMs);
    const lines = standing.filter((line) => !replaced.includes(line));
    const counts = await countMessages(this.#trx, this.#nowMs - stormWindowMs);
    let againAtMs: number | null = null;
    for (const route of this.#routes) {
      const own = lines.filter(({ routeId }) => routeId === route.id);
      const digested = own.filter((line) => this.#isDigested(route, notices, line));
      await this.#writeDigest(route, digested);
      const atOnce = own.filter((line) => !digested.includes(line));
      const at = await this.#writeAtOnce(
        route,
        waitingLines(atOnce, notices),
        counts.get(route.id) ?? 0,
      );
      againAtMs = earliest(againAtMs, at);
    }
    return againAtMs;
  }

  #isDigested(route: Route, notices: ReadonlyMap<number, Notice>, line: Waiting): boolean {
    const notice = notices.get(line.id);
    return notice !== undefined && !line.secondCall && isDigested(route, notice);
  }

  async #writeAtOnce(
    route: Route,
    lines: readonly WaitingLine[],
    messagesInWindow: number,
  ): Promise<number | null> {
    const { storm: before } = route;
    const decision = decideMessage(lines, { messagesInWindow, storm: before }, this.#nowMs);
    const { message, storm, againAtMs } = decision;
    if (storm !== before) await writeStorm(this.#trx, route.id, storm);
    if (message === null) return againAtMs;
    const lineIds = lines.map(lineIdOf);
    await writeMessage(this.#trx, route, { ...message, lineIds }, this.#nowMs);
    this.#report.messages += 1;
    return againAtMs;
  }

  /** The brief of the day, once it is time: with the lines that waited for it. One that says nothing is not written. */
  async #writeDigest(route: Route, lines: readonly Waiting[]): Promise<void> {
    const { digestAt, timezone } = route;
    if (digestAt === null) return;
    const today = localDateAt(this.#nowMs, timezone);
    const dueMs = instantOf(today, digestAt, timezone);
    const sinceMs = Math.max(route.digestSentAtMs ?? 0, route.createdAtMs);
    if (this.#nowMs < dueMs || sinceMs >= dueMs) return;
    const brief = await this.#deps.readBrief(this.#trx, route, this.#nowMs);
    await writeDigestSent(this.#trx, route.id, this.#nowMs);
    if (lines.length === 0 && brief.length === 0) return;
    const message = { kind: 'DIGEST', lineIds: lines.map(lineIdOf), remark: null, brief } as const;
    await writeMessage(this.#trx, route, message, this.#nowMs);
    this.#report.messages += 1;
  }

  async #read(rows: readonly OutboxRow[]): Promise<Notice[]> {
    return readNotices(this.#deps.notices, this.#trx, rows, this.#nowMs);
  }
}

const lineIdOf = ({ lineId }: { lineId: number }): number => lineId;

/** The lines of which a route has a newer one about the same thing: a reminder stands for what it reminds of. */
function replacedLines(lines: readonly Waiting[]): Waiting[] {
  const newest = new Map<string, number>();
  const placeOf = ({ routeId, topic }: Waiting) => `${routeId} ${topic}`;
  for (const line of lines)
    newest.set(placeOf(line), Math.max(line.id, newest.get(placeOf(line)) ?? 0));
  return lines.filter((line) => newest.get(placeOf(line)) !== line.id);
}

function waitingLines(
  lines: readonly Waiting[],
  notices: ReadonlyMap<number, Notice>,
): WaitingLine[] {
  return lines.flatMap(({ id, lineId, dueAtMs: due }) => {
    const notice = notices.get(id);
    return notice === undefined ? [] : [{ lineId, dueAtMs: due, notice }];
  });
}

function earliest(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
