import { type ChannelView, listChannels } from '../../../db/notifications/channel-list.ts';
import { listRoutes, type RouteView } from '../../../db/notifications/route-list.ts';
import type { Db } from '../../../db/database.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { visibleText } from '../../render.ts';

/** Finds channels and routes by what people call them: an id, a name, or the kind of the only channel of its kind. */

/** What `--help` says of the settings of channels. */
export const channelNotes = [
  'EMAIL    host, from, and port (587), tls (starttls, tls or none), username, password',
  'SLACK    url, of an incoming webhook',
  'WEBHOOK  url, and secret, which signs what is sent',
  'Settings are sealed and never shown again.',
] as const;

/** @throws CommandError 1 if there is none, or the word fits several. */
export async function channelNamed(db: Db, text: string): Promise<ChannelView> {
  const channels = await listChannels(db);
  const exact = oneNamed(channels, text);
  if (exact !== undefined) return exact;
  const ofKind = channels.filter(({ kind }) => kind === text.toUpperCase());
  const [only, ...more] = ofKind;
  if (only !== undefined && more.length === 0) return only;
  throw unknown('channel', text, ofKind.length > 0 ? ofKind : channels);
}

/** @throws CommandError 1 */
export async function routeNamed(db: Db, text: string): Promise<RouteView> {
  const routes = await listRoutes(db);
  const found = oneNamed(routes, text);
  if (found === undefined) throw unknown('route', text, routes);
  return found;
}

function oneNamed<Thing extends { id: number; name: string }>(
  things: readonly Thing[],
  text: string,
): Thing | undefined {
  return (
    things.find(({ name }) => name === text) ??
    things.find(({ id }) => /^\d+$/.test(text) && id === Number(text))
  );
}

function unknown(what: string, text: string, things: readonly { name: string }[]): CommandError {
  const names = things.map(({ name }) => name).join(', ');
  const known = names === '' ? `there is no ${what}` : `name one of ${names}`;
  return new CommandError(visibleText(`${what} ${text} is not known: ${known}`), exitCodes.failed);
}
