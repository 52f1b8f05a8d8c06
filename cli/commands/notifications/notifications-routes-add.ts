import { withDatabase } from '../../../environment/services.ts';
import { addRoute } from '../../../operations/notifications/actions.ts';
import { onePositional } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { print } from '../../render.ts';
import { routeJson, routeText } from './notifications-routes-list.ts';
import { orFail, terminalAct } from './refusals.ts';
import { readRouteFlags, routeFlags, routeNotes, routeUsage } from './route-flags.ts';

/** `heliograph notifications routes add NAME --channel C`: who is told what; it begins with what is open. */
export const notificationsRoutesAdd: Command = {
  name: 'notifications routes add',
  usage: `NAME --channel C ${routeUsage} [--json]`,
  notes: routeNotes,
  flags: routeFlags,
  async run(context) {
    const name = onePositional(context, 'say how the route is called');
    const route = await withDatabase(context.config(), async (db) => {
      const { channel_id, ...rest } = await readRouteFlags(context, db);
      if (channel_id === undefined) throw usageError(context, '--channel is missing');
      return orFail(context, await addRoute(terminalAct(db), { ...rest, channel_id, name }));
    });
    print(context, routeJson(route), () => `${routeText(route)}\n`);
  },
};
