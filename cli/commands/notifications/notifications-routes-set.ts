import { withDatabase } from '../../../environment/services.ts';
import { changeRoute } from '../../../operations/notifications/actions.ts';
import { onePositional } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { print } from '../../render.ts';
import { routeNamed } from './named.ts';
import { routeJson, routeText } from './notifications-routes-list.ts';
import { orFail, terminalAct } from './refusals.ts';
import { readRouteFlags, routeFlags, routeNotes, routeUsage } from './route-flags.ts';

/** `heliograph notifications routes set ROUTE`: changes what the flags say, and nothing else. */
export const notificationsRoutesSet: Command = {
  name: 'notifications routes set',
  usage: `ROUTE [--name NAME] [--channel C] ${routeUsage} [--json]`,
  notes: routeNotes,
  flags: ['name', ...routeFlags],
  async run(context) {
    const text = onePositional(context, 'name one route by its ID or name');
    if (Object.keys(context.flags).every((flag) => flag === 'data'))
      throw usageError(context, 'say what to change');
    const route = await withDatabase(context.config(), async (db) => {
      const { id } = await routeNamed(db, text);
      const changes = { ...(await readRouteFlags(context, db)), name: context.flags['name'] };
      return orFail(context, await changeRoute(terminalAct(db), id, changes));
    });
    print(context, routeJson(route), () => `${routeText(route)}\n`);
  },
};
