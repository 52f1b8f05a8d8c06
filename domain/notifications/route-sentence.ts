import { durationText } from '../wording.ts';
import type { ChannelKind } from './message.ts';
import type { RouteSettings } from './route-settings.ts';

/** A route with the names that its sentence says. */
export interface NamedRoute extends RouteSettings {
  channel_name: string;
  channel_kind: ChannelKind;
  second_route_name: string | null;
}

/** What people call the kinds of subject that a route may be limited to. */
export const subjectWords: Readonly<Record<string, string>> = {
  PLANT: 'plants',
  INCIDENT: 'incidents',
  GATEWAY: 'gateways',
  IMPORT: 'imports',
  RUN: 'runs',
  SYSTEM: 'the system',
};

const kindWords: Readonly<Record<ChannelKind, string>> = {
  EMAIL: 'e-mail',
  SLACK: 'Slack',
  WEBHOOK: 'the webhook',
  HEARTBEAT: 'the heartbeat',
};

/**
 * A route as a sentence.
 *
 * @example 'RED of every brand → op@example.org by e-mail, at once; second call after 30 min to “everything to Slack”'
 */
export function routeSentence(route: NamedRoute): string {
  return [`${whatText(route)} → ${whomText(route)}, ${whenText(route)}`, secondText(route)]
    .filter((part) => part !== null)
    .join('; ');
}

function whatText(route: RouteSettings): string {
  const { severities, subject_kinds: kinds, brands, customer_ids, plant_ids } = route;
  const severity = severities.length === 1 ? severities[0] : 'RED and YELLOW';
  const scope = [
    brands.length === 0 ? null : listed(brands),
    customer_ids.length === 0 ? null : `customer ${listed(customer_ids)}`,
    plant_ids.length === 0 ? null : `plant ${listed(plant_ids)}`,
  ].filter((part) => part !== null);
  const of = kinds.map((kind) => subjectWords[kind] ?? kind);
  if (scope.length > 0 && of.length > 0)
    return `${severity} of ${listed(of)} of ${scope.join(', ')}`;
  if (of.length > 0) return `${severity} of ${listed(of)}`;
  return `${severity} of ${scope.length === 0 ? 'every brand' : scope.join(', ')}`;
}

function whomText({ recipients, channel_name: name, channel_kind: kind }: NamedRoute): string {
  const way = name === kind.toLowerCase() ? kindWords[kind] : `“${name}” (${kindWords[kind]})`;
  return recipients.length === 0 ? way : `${listed(recipients)} by ${way}`;
}

function whenText(route: RouteSettings): string {
  const { digest, digest_at: at, quiet_from: from, quiet_to: to, timezone } = route;
  const parts = {
    NONE: 'at once',
    YELLOW: `RED at once, YELLOW of plants, gateways and incidents at ${at} ${timezone}`,
    ALL: `once a day at ${at} ${timezone}`,
  };
  const quiet = from === null || to === null ? '' : `, no YELLOW from ${from} to ${to} ${timezone}`;
  return parts[digest] + quiet;
}

function secondText(route: NamedRoute): string | null {
  const { second_call_after_s: afterS, second_route_name: name } = route;
  if (afterS === null || name === null) return null;
  return `second call after ${durationText(afterS * 1_000)} to “${name}”`;
}

function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
