import type { Db } from '../../../db/database.ts';
import { clockPattern } from '../../../domain/notifications/route-settings.ts';
import type { SubjectKind } from '../../../domain/subject.ts';
import type { RouteChanges } from '../../../operations/notifications/actions.ts';
import { readFlag } from '../../arguments.ts';
import { type CommandContext, usageError } from '../../command.ts';
import { FieldProblem, oneOf, plantFields, wholeNumber } from '../../plant-fields.ts';
import { channelNamed, routeNamed } from './named.ts';

/** The flags that say what a route does. A list is separated by commas; an empty one no longer restricts. */

export const routeFlags = [
  'channel',
  'to',
  'severity',
  'kind',
  'brand',
  'customer',
  'plant',
  'zone',
  'quiet',
  'digest',
  'second',
  'after',
] as const;

export const routeUsage =
  '[--to A,B] [--severity RED|YELLOW] [--kind PLANT,INCIDENT,SYSTEM,…] [--brand B,…] [--customer C,…] [--plant P,…] [--zone Z] [--quiet 22:00-06:00|none] [--digest YELLOW@07:00|ALL@07:00|none] [--second ROUTE|none --after MINUTES]';

/** What `--help` says of them. */
export const routeNotes = [
  'Lists are separated by commas; an empty one no longer restricts. Without a filter a route tells everything, at once.',
  '--to      e-mail addresses; only for a channel of e-mail, where there must be one',
  '--kind    what it tells of: PLANT, INCIDENT, GATEWAY, IMPORT, RUN, SYSTEM',
  '--zone    of the times of day, such as Europe/Amsterdam; UTC if a new route does not say it',
  '--quiet   YELLOW waits until the end of these hours; RED never waits',
  '--digest  the morning brief: what waits for it, and when it is sent',
  '--second  another route that is told of what is RED, and nobody has acknowledged --after so many minutes',
] as const;

/** Reads a list. @param read reads one entry of it. */
function list<Value>(read: (text: string) => Value): (text: string) => Value[] {
  return (text) =>
    text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map(read);
}

const text = (entry: string): string => entry;
const word = (entry: string): SubjectKind => entry.toUpperCase() as SubjectKind;

function clocks(what: string, parts: readonly (string | undefined)[]): string[] {
  return parts.map((part = '') => {
    if (!clockPattern.test(part)) throw new FieldProblem(`must be ${what}, or none`);
    return part;
  });
}

function quiet(given: string): Pick<RouteChanges, 'quiet_from' | 'quiet_to'> {
  if (given === 'none') return { quiet_from: null, quiet_to: null };
  const parts = given.split('-');
  const what = 'two times of day, such as 22:00-06:00';
  if (parts.length !== 2) throw new FieldProblem(`must be ${what}, or none`);
  const [from, to] = clocks(what, parts);
  return { quiet_from: from, quiet_to: to };
}

function digest(given: string): Pick<RouteChanges, 'digest' | 'digest_at'> {
  if (given === 'none') return { digest: 'NONE', digest_at: null };
  const [of = '', at, ...more] = given.split('@');
  const what = 'YELLOW or ALL with a time of day, such as YELLOW@07:00';
  if (more.length > 0) throw new FieldProblem(`must be ${what}, or none`);
  const [clock] = clocks(what, [at]);
  return { digest: oneOf(['YELLOW', 'ALL'] as const)(of), digest_at: clock };
}

/** What the flags change of a route; an absent flag changes nothing. @throws CommandError 2, or 1 for an unknown name. */
export async function readRouteFlags(context: CommandContext, db: Db): Promise<RouteChanges> {
  const { channel } = context.flags;
  return {
    channel_id: channel === undefined ? undefined : (await channelNamed(db, channel)).id,
    recipients: readFlag(context, 'to', list(text)),
    severities: readFlag(context, 'severity', list(oneOf(['RED', 'YELLOW'] as const))),
    subject_kinds: readFlag(context, 'kind', list(word)),
    brands: readFlag(context, 'brand', list(plantFields.brand)),
    customer_ids: readFlag(context, 'customer', list(text)),
    plant_ids: readFlag(context, 'plant', list(plantFields.id)),
    timezone: readFlag(context, 'zone', plantFields.timezone),
    ...readFlag(context, 'quiet', quiet),
    ...readFlag(context, 'digest', digest),
    ...(await readSecond(context, db)),
  };
}

async function readSecond(
  context: CommandContext,
  db: Db,
): Promise<Pick<RouteChanges, 'second_call_after_s' | 'second_route_id'>> {
  const { second } = context.flags;
  const minutes = readFlag(context, 'after', wholeNumber('a whole number of minutes', 1, 1_440));
  if (second === 'none') return { second_call_after_s: null, second_route_id: null };
  if (second === undefined && minutes === undefined) return {};
  if (second === undefined || minutes === undefined)
    throw usageError(context, '--second and --after go together');
  const { id } = await routeNamed(db, second);
  return { second_call_after_s: minutes * 60, second_route_id: id };
}
