import { type Context, Hono } from 'hono';

import { findGateway } from '../../../db/gateways/gateways.ts';
import { loadMaps } from '../../../db/gateways/points.ts';
import { pageReadings } from '../../../db/gateways/readings.ts';
import { gatewayOutcomes } from '../../../domain/gateways/reading.ts';
import type { ApiDeps } from '../../deps.ts';
import { type ApiEnv, type Person, plantScope } from '../../env.ts';
import { showShortAddress, viewerOf } from '../../pages/answer.ts';
import type { Html } from '../../pages/components.ts';
import { type AssetUrls, type PageFrame, viewerMay } from '../../pages/layout.ts';
import { readerZoneOf } from '../../pages/reader-zone.ts';
import { Problem } from '../../problem.ts';
import { nobodyTold, type ReadTold } from '../../told.ts';
import { gatewayForms } from './actions.ts';
import { readGatewayPage, readGatewaysPage } from './data.ts';
import { gatewayContent } from './gateway.ts';
import { gatewaysContent, gatewaysHref, parseGatewaysQuery } from './list.ts';
import { readingsContent, type ReadingsPage } from './readings.ts';

/** The pages about gateways. */

/** Shows a page for a person who is signed in. */
export type Show = (
  c: Context<ApiEnv>,
  person: Person,
  frame: Pick<PageFrame, 'title' | 'section' | 'charts'>,
  content: Html,
) => Promise<Response>;

const readingsShown = 100;

/** @param reading the dependencies with the connections for what pages read. */
export function gatewayPages(
  {
    deps,
    reading,
    assets,
    readTold,
  }: { deps: ApiDeps; reading: ApiDeps; assets: AssetUrls; readTold: ReadTold },
  show: Show,
): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  routes.route('/', gatewayForms(deps, assets, show));

  routes.get('/gateways', async (c) => {
    const person = await viewerOf(c);
    const query = parseGatewaysQuery(new URL(c.req.url).searchParams);
    const view = await readGatewaysPage(reading, person, readerZoneOf(c), query);
    showShortAddress(c, gatewaysHref(query, {}));
    return show(c, person, { title: 'Gateways', section: 'gateways' }, gatewaysContent(view));
  });

  routes.get('/gateways/:id', async (c) => {
    const person = await viewerOf(c);
    const { point, unit, span } = c.req.query();
    const view = await readGatewayPage(reading, person, c.req.param('id'), { point, unit, span });
    const frame = { title: view.row.name, section: 'gateways', charts: true } as const;
    const alertIds = view.alerts.map(({ id }) => id);
    const told = viewerMay(person).act ? await readTold(alertIds) : nobodyTold;
    return show(c, person, frame, gatewayContent({ ...view, told, zone: readerZoneOf(c) }));
  });

  routes.get('/gateways/:id/readings', async (c) => {
    const person = await viewerOf(c);
    const { outcome, before } = c.req.query();
    const view = await readReadings(reading, person, c.req.param('id'), { outcome, before });
    const frame = { title: `Readings of ${view.row.name}`, section: 'gateways' } as const;
    return show(c, person, frame, readingsContent({ ...view, zone: readerZoneOf(c) }));
  });

  return routes;
}

async function readReadings(
  { db, clock }: ApiDeps,
  person: Person,
  id: string,
  ask: { outcome: string | undefined; before: string | undefined },
): Promise<Omit<ReadingsPage, 'zone'>> {
  const row = await findGateway(db, plantScope(person), id);
  if (row === undefined) throw new Problem('not-found', 'There is no such gateway.');
  const outcome = gatewayOutcomes.find((one) => one === ask.outcome) ?? null;
  const beforeMs = ask.before === undefined ? null : Date.parse(ask.before);
  if (Number.isNaN(beforeMs) || (beforeMs !== null && (beforeMs < 0 || beforeMs > 32e12)))
    throw new Problem('invalid-request', 'before: must be an instant such as 2026-11-30T09:00:00Z');
  const filter = outcome === null ? {} : { outcomes: [outcome] };
  const page = await pageReadings(db, id, filter, { after: beforeMs, limit: readingsShown });
  const maps = await loadMaps(db, [...new Set(page.rows.flatMap(({ map_id }) => map_id ?? []))]);
  return {
    row,
    outcome,
    readings: page.rows.map((reading) => ({
      reading,
      points: maps.get(reading.map_id ?? 0) ?? [],
    })),
    nextBefore: page.nextAfter?.read_at.toISOString() ?? null,
    nowMs: clock(),
  };
}
