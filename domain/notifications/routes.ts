import type { AlertSeverity } from '../alerts.ts';
import type { SubjectKind } from '../subject.ts';
import { addDays, instantOf, localDateAt } from '../zone.ts';
import type { Notice } from '../notice.ts';
import { digestibleKinds } from './message.ts';

/** Which notices a route wants, and when they are due. */

export type Digest = 'NONE' | 'YELLOW' | 'ALL';

/** What a route wants. An empty list does not restrict. */
export interface RouteFilter {
  severities: readonly AlertSeverity[];
  subjectKinds: readonly SubjectKind[];
  brands: readonly string[];
  customerIds: readonly string[];
  plantIds: readonly string[];
}

/** When a route tells. Times of day are `HH:MM` by the clock of `timezone`. */
export interface RouteTimes {
  timezone: string;
  /** From when to when nothing that is YELLOW is told; null: no quiet hours. */
  quiet: { from: string; to: string } | null;
  /** What waits for the digest: nothing, what is YELLOW of plants, gateways and incidents, or everything. */
  digest: Digest;
  /** null exactly if `digest` is NONE. */
  digestAt: string | null;
}

/** Whether the route wants the notice. A filter by brand, customer or plant leaves out what has none. */
export function wants(route: RouteFilter, notice: Notice): boolean {
  return (
    passes(route.severities, notice.severity) &&
    passes(route.subjectKinds, notice.subject.kind) &&
    passes(route.brands, notice.brand) &&
    passes(route.customerIds, notice.customerId) &&
    passes(route.plantIds, notice.plantId)
  );
}

function passes<Value>(wanted: readonly Value[], value: Value | null): boolean {
  return wanted.length === 0 || (value !== null && wanted.includes(value));
}

/** Whether the notice waits for the route's digest. */
export function isDigested({ digest }: Pick<RouteTimes, 'digest'>, notice: Notice): boolean {
  if (digest === 'NONE') return false;
  if (digest === 'ALL') return true;
  return notice.severity === 'YELLOW' && digestibleKinds.has(notice.subject.kind);
}

/** When the line of a notice is due, ms: now, after the quiet hours, or with the next digest. RED knows no quiet hours. */
export function dueAtMs(route: RouteTimes, notice: Notice, nowMs: number): number {
  if (isDigested(route, notice) && route.digestAt !== null)
    return nextAtMs(route.digestAt, route.timezone, nowMs);
  if (notice.severity === 'RED' || route.quiet === null) return nowMs;
  return quietUntilMs(route.quiet, route.timezone, nowMs) ?? nowMs;
}

/** The first instant after `nowMs` at which the clock shows `hhmm`. */
export function nextAtMs(hhmm: string, timezone: string, nowMs: number): number {
  const today = localDateAt(nowMs, timezone);
  const atMs = instantOf(today, hhmm, timezone);
  return atMs > nowMs ? atMs : instantOf(addDays(today, 1), hhmm, timezone);
}

/** When the quiet hours end that hold now; null: none do. Hours from 22:00 to 06:00 reach over midnight. */
export function quietUntilMs(
  { from, to }: { from: string; to: string },
  timezone: string,
  nowMs: number,
): number | null {
  const today = localDateAt(nowMs, timezone);
  for (const date of [addDays(today, -1), today]) {
    const startMs = instantOf(date, from, timezone);
    const endMs = instantOf(from < to ? date : addDays(date, 1), to, timezone);
    if (startMs <= nowMs && nowMs < endMs) return endMs;
  }
  return null;
}
