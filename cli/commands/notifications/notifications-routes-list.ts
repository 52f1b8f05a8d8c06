import { listRoutes, type RouteView } from '../../../db/notifications/route-list.ts';
import { routeSentence } from '../../../domain/notifications/route-sentence.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { outputWidth, print, visibleText } from '../../render.ts';
import { right, tableText } from '../../table.ts';

/** `heliograph notifications routes list`: who is told what, as sentences. */
export const notificationsRoutesList: Command = {
  name: 'notifications routes list',
  usage: '[--json]',
  async run(context) {
    noPositionals(context, 'the command lists all routes: name none');
    const routes = await withDatabase(context.config(), (db) => listRoutes(db));
    print(context, routes.map(routeJson), () => routesText(routes, outputWidth(context.io)));
  },
};

/** A route as `--json` prints it. */
export function routeJson(route: RouteView) {
  return { ...route, sentence: routeSentence(route) };
}

function routesText(routes: readonly RouteView[], width: number): string {
  if (routes.length === 0)
    return 'nobody is told: there is no route. `heliograph notifications routes add` makes one\n';
  return tableText(
    [...right('ID'), 'NAME', 'WHO IS TOLD WHAT'],
    routes.map((route) => [
      String(route.id),
      visibleText(route.name),
      visibleText(routeSentence(route)),
    ]),
    width,
  );
}

/** One route, for whoever has just changed it. */
export function routeText(route: RouteView): string {
  return visibleText(`route ${route.id} ${route.name}: ${routeSentence(route)}`);
}
