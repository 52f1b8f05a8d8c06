import { withDatabase } from '../../../environment/services.ts';
import { removeRoute } from '../../../operations/notifications/actions.ts';
import { onePositional } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { print, visibleText } from '../../render.ts';
import { routeNamed } from './named.ts';
import { routeJson } from './notifications-routes-list.ts';
import { orFail, terminalAct } from './refusals.ts';

/** `heliograph notifications routes remove ROUTE`: nobody is told by it any more. */
export const notificationsRoutesRemove: Command = {
  name: 'notifications routes remove',
  usage: 'ROUTE [--json]',
  async run(context) {
    const text = onePositional(context, 'name one route by its ID or name');
    const route = await withDatabase(context.config(), async (db) => {
      const { id } = await routeNamed(db, text);
      return orFail(context, await removeRoute(terminalAct(db), id));
    });
    print(
      context,
      routeJson(route),
      () => `route ${route.id} ${visibleText(route.name)} removed\n`,
    );
  },
};
