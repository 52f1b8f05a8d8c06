import type { AlertSeverity } from '../alerts.ts';
import type { SubjectKind } from '../subject.ts';
import { isMailAddress } from './address.ts';
import type { ChannelKind } from './message.ts';
import type { Digest } from './routes.ts';

/** What people decide about a route, by the names of its columns, and what is wrong with it. */

export interface RouteSettings {
  name: string;
  channel_id: number;
  /** E-mail addresses; empty for channels with one receiver. */
  recipients: string[];
  /** An empty list does not restrict. */
  severities: AlertSeverity[];
  subject_kinds: SubjectKind[];
  brands: string[];
  customer_ids: string[];
  plant_ids: string[];
  /** The zone of the times of day, which are `HH:MM`. */
  timezone: string;
  quiet_from: string | null;
  quiet_to: string | null;
  digest: Digest;
  digest_at: string | null;
  second_call_after_s: number | null;
  second_route_id: number | null;
}

/** What a route is without being told: everything at once, at any hour. */
export const plainRoute: Omit<RouteSettings, 'name' | 'channel_id'> = {
  recipients: [],
  severities: [],
  subject_kinds: [],
  brands: [],
  customer_ids: [],
  plant_ids: [],
  timezone: 'UTC',
  quiet_from: null,
  quiet_to: null,
  digest: 'NONE',
  digest_at: null,
  second_call_after_s: null,
  second_route_id: null,
};

/** `problem` continues the field's name: "must be …". */
export interface WrongField {
  field: string;
  problem: string;
}

const recipientsMax = 50;
const filterMax = 200;
const lineLengthMax = 200;
const secondCallSMax = 24 * 3_600;

/** Letters of any script, digits, marks: no control characters, and something to see. */
export const oneLinePattern =
  /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*[^\p{Cc}\p{Cs}\p{Z}][^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*$/u;
export const wordPattern = /^[A-Z][A-Z0-9_]{0,39}$/;
export const clockPattern = /^([01]\d|2[0-3]):[0-5]\d$/;

export function isOneLine(text: string): boolean {
  return text.length <= lineLengthMax && oneLinePattern.test(text);
}

/** The first thing that is wrong with a route of a channel of this kind; null: nothing. */
export function routeProblem(route: RouteSettings, kind: ChannelKind): WrongField | null {
  return routeProblems(route, kind)[0] ?? null;
}

/** Everything that is wrong with a route of a channel of this kind, at most one problem of each part of a form. */
export function routeProblems(route: RouteSettings, kind: ChannelKind): WrongField[] {
  const name = isOneLine(route.name)
    ? null
    : { field: 'name', problem: `must be one line of at most ${lineLengthMax} characters` };
  const channel =
    kind === 'HEARTBEAT'
      ? { field: 'channel_id', problem: 'is the heartbeat, which tells of nothing' }
      : null;
  return [
    name,
    channel,
    channel === null ? recipientsProblem(route.recipients, kind) : null,
    filtersProblem(route),
    timesProblem(route),
    secondCallProblem(route),
  ].filter((problem) => problem !== null);
}

function recipientsProblem(recipients: readonly string[], kind: ChannelKind): WrongField | null {
  const field = 'recipients';
  if (kind !== 'EMAIL')
    return recipients.length === 0
      ? null
      : { field, problem: 'must be empty: the settings of the channel name its receiver' };
  if (recipients.length === 0 || recipients.length > recipientsMax)
    return { field, problem: `must be 1 to ${recipientsMax} e-mail addresses` };
  if (!recipients.every(isMailAddress))
    return { field, problem: 'must be e-mail addresses, each without a name' };
  const distinct = new Set(recipients.map((one) => one.toLowerCase()));
  return distinct.size === recipients.length
    ? null
    : { field, problem: 'must name each address once' };
}

function filtersProblem(route: RouteSettings): WrongField | null {
  const isWord = (text: string) => wordPattern.test(text);
  const checks: [keyof RouteSettings, readonly string[], (text: string) => boolean, string][] = [
    ['severities', route.severities, (text) => ['RED', 'YELLOW'].includes(text), 'RED or YELLOW'],
    ['subject_kinds', route.subject_kinds, isWord, 'words in capitals, such as PLANT'],
    ['brands', route.brands, isWord, 'words in capitals, such as SOLIS'],
    ['customer_ids', route.customer_ids, isOneLine, 'ids of customers'],
    ['plant_ids', route.plant_ids, isOneLine, 'ids of plants'],
  ];
  const wrong = checks.find(
    ([, values, isRight]) => values.length > filterMax || !values.every(isRight),
  );
  return wrong === undefined ? null : { field: wrong[0], problem: `must be ${wrong[3]}` };
}

function timesProblem(route: RouteSettings): WrongField | null {
  const { quiet_from: from, quiet_to: to, digest, digest_at: at } = route;
  if ((from === null) !== (to === null))
    return { field: 'quiet_from', problem: 'and quiet_to go together' };
  if (from !== null && to !== null && !(clockPattern.test(from) && clockPattern.test(to)))
    return { field: 'quiet_from', problem: 'and quiet_to must be times of day, such as 22:00' };
  if (from !== null && from === to)
    return { field: 'quiet_from', problem: 'and quiet_to must differ' };
  if ((digest === 'NONE') !== (at === null))
    return { field: 'digest_at', problem: 'is the time of a digest: say both or neither' };
  return at === null || clockPattern.test(at)
    ? null
    : { field: 'digest_at', problem: 'must be a time of day, such as 07:00' };
}

function secondCallProblem(route: RouteSettings): WrongField | null {
  const { second_call_after_s: afterS, second_route_id: id } = route;
  if ((afterS === null) !== (id === null))
    return { field: 'second_call_after_s', problem: 'and second_route_id go together' };
  return afterS === null || (afterS >= 60 && afterS <= secondCallSMax)
    ? null
    : { field: 'second_call_after_s', problem: `must be 60 to ${secondCallSMax} s` };
}

/**
 * The routes that call each other in a circle if this route calls `secondId`, from the route back to itself; null: none.
 *
 * @param secondOf the second route of each route that has one.
 */
export function circleOf(
  routeId: number,
  secondId: number,
  secondOf: ReadonlyMap<number, number>,
): number[] | null {
  const path = [routeId];
  for (let at: number | undefined = secondId; at !== undefined; at = secondOf.get(at)) {
    path.push(at);
    if (at === routeId) return path;
    // A circle that leads elsewhere was there before.
    if (path.indexOf(at) < path.length - 1) return null;
  }
  return null;
}
