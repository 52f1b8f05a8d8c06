import { type Context, Hono } from 'hono';
import { compress } from 'hono/compress';
import { html } from 'hono/html';

import { listAlertsOfGateways } from '../../db/gateways/views.ts';
import { brands } from '../../domain/plants/plant.ts';
import { readTold } from '../../db/notifications/delivery-list.ts';
import { listProblems } from '../../db/notifications/problems.ts';
import type { Actions } from '../plants/actions.ts';
import type { ApiDeps } from '../deps.ts';
import { type ApiEnv, type Person, plantScope } from '../env.ts';
import type { FleetView } from '../plants/fleet-view.ts';
import { problemsPart, problemStatesOfTab } from '../notifications/pages/problems.ts';
import { notificationPages } from '../notifications/pages/routes.ts';
import { nobodyTold, type ReadTold } from '../told.ts';
import type { ReadHealth } from '../system/health.ts';
import { createSystemPanels } from '../panels.ts';
import { actionRoutes } from '../plants/pages/actions.ts';
import { readAlertsPage } from '../plants/pages/alerts-data.ts';
import {
  type AlertArea,
  alertAreas,
  type AlertsPage,
  type AlertTab,
  alertsContent,
  alertTabs,
  statesOfTab,
} from '../plants/pages/alerts.ts';
import { answerPage, showShortAddress, staffOf, viewerOf } from './answer.ts';
import { clockSeconds, type Html } from './components.ts';
import { gatewayAlertsPart } from '../gateways/pages/alerts-part.ts';
import { gatewayPages } from '../gateways/pages/routes.ts';
import { fleetContent, fleetHref, parseFleetQuery } from '../plants/pages/fleet.ts';
import { readFleetPage } from '../plants/pages/fleet-data.ts';
import { type AssetUrls, page, type ShownFrame, viewerMay } from './layout.ts';
import { readerZoneOf } from './reader-zone.ts';
import { zoneRoutes } from './zone-routes.ts';
import { plantContent } from '../plants/pages/plant.ts';
import { readPlantPage } from '../plants/pages/plant-data.ts';
import { readGatewaysOfPlant } from '../gateways/pages/data.ts';
import { gatewaysOfPlantPart } from '../gateways/pages/plant-part.ts';
import { powerNow } from '../../operations/plants/plant-view.ts';
import { systemContent } from '../system/page.ts';
import { sessionPages } from '../people/session-pages.ts';
import { wholeNumberOf } from '../values.ts';

/** How often a page renews itself, s. */
const refreshS = 10;
/** Far beyond any number of alerts. */
const offsetMax = 10_000_000;
const problemsShown = 200;

/** Serves all pages and their forms, which call the same functions as the JSON routes. */
export function pageRoutes(
  deps: ApiDeps,
  assets: AssetUrls,
  parts: { reading: ApiDeps; fleet: FleetView; actions: Actions; readHealth: ReadHealth },
): Hono<ApiEnv> {
  const { reading, fleet, actions, readHealth } = parts;
  const toldOf: ReadTold = (ids) => readTold(reading.db, ids);
  const routes = new Hono<ApiEnv>();
  // Compresses: a hundred rows are 250 KB of similar text, every ten seconds.
  routes.use(compress());

  async function show(
    c: Context<ApiEnv>,
    person: Person,
    { isForm = false, status = 200, ...frame }: ShownFrame,
    content: Html,
  ): Promise<Response> {
    const renderedAt = `${clockSeconds(deps.clock(), 'UTC')} UTC`;
    const { pathname, search } = new URL(c.req.url);
    const reader = { viewer: person, zone: readerZoneOf(c), path: pathname + search };
    const renewal = { renderedAt, refreshS: isForm ? null : refreshS };
    return answerPage(c, page({ ...frame, ...reader, assets, ...renewal }, content), status);
  }

  routes.get('/', async (c) => {
    const person = await viewerOf(c);
    const query = parseFleetQuery(new URL(c.req.url).searchParams);
    const view = await readFleetPage(reading, fleet, { person, zone: readerZoneOf(c) }, query);
    showShortAddress(c, fleetHref(query, {}));
    return show(c, person, { title: 'Fleet', section: 'fleet' }, fleetContent(view));
  });

  routes.get('/plants/:id', async (c) => {
    const person = await viewerOf(c);
    const read = await readPlantPage(reading, person, c.req.param('id'));
    const view = { ...read, zone: readerZoneOf(c) };
    const beside = await readBesidePlant(reading, person, view);
    const alertIds = view.alerts.map(({ id }) => id);
    const told = viewerMay(person).act ? await toldOf(alertIds) : nobodyTold;
    const frame = { title: view.plant.name, section: 'fleet', charts: true } as const;
    return show(c, person, frame, plantContent({ ...view, told, beside }));
  });

  routes.get('/alerts', async (c) => {
    const person = await viewerOf(c);
    const content = await readAlerts(c, reading, person);
    return show(c, person, { title: 'Alerts', section: 'alerts' }, content);
  });

  const systemPanels = createSystemPanels();

  routes.get('/system', async (c) => {
    const person = await staffOf(c);
    const zone = readerZoneOf(c);
    const health = await readHealth(zone);
    const content = await systemContent(deps, health, systemPanels, zone ?? 'UTC');
    return show(c, person, { title: 'System', section: 'system', charts: true }, content);
  });

  routes.route('/', zoneRoutes(deps));
  routes.route(
    '/',
    notificationPages(deps, { assets, show, brands, listCustomers: () => listCustomers(fleet) }),
  );
  routes.route('/', gatewayPages({ deps, reading, assets, readTold: toldOf }, show));
  routes.route('/', sessionPages(deps, assets));
  routes.route('/', actionRoutes(deps, actions, assets));
  return routes;
}

/** The page of alerts as its address asks for it. */
async function readAlerts(c: Context<ApiEnv>, reading: ApiDeps, person: Person): Promise<Html> {
  const tab: AlertTab = alertTabs.find((one) => one === c.req.query('tab')) ?? 'active';
  const area = alertAreas.find((one) => one === c.req.query('area')) ?? null;
  const offset = wholeNumberOf(c.req.query('offset'), 'offset', offsetMax);
  const { pathname, search } = new URL(c.req.url);
  const reader = { nowMs: reading.clock(), zone: readerZoneOf(c) };
  const of = { tab, area, offset, href: pathname + search };
  const view = await readAlertsPage(reading, person, reader, of);
  // They stand on the first page.
  const others = offset === 0 ? await readOtherAlerts(reading, person, view) : html``;
  return alertsContent({ ...view, others });
}

/** What other areas show on the page of a plant. */
async function readBesidePlant(
  reading: ApiDeps,
  person: Person,
  { plant, nowMs }: { plant: Parameters<typeof powerNow>[0]; nowMs: number },
): Promise<Html> {
  const gateways = await readGatewaysOfPlant(reading, person, plant.id);
  return gatewaysOfPlantPart(gateways, { cloudW: powerNow(plant).power_now_w, nowMs });
}

/** What the page of alerts shows beside those of plants, limited to its area. */
async function readOtherAlerts(
  reading: ApiDeps,
  person: Person,
  view: Omit<AlertsPage, 'others'>,
): Promise<Html> {
  const { tab, area } = view;
  const shows = (one: AlertArea) => (area ?? one) === one;
  const problems = shows('system') ? await readProblems(reading, person, tab) : [];
  const gateways = shows('gateways') ? await readGatewayAlerts(reading, person, tab) : [];
  return html`${problemsPart(problems, view)}${gatewayAlertsPart(gateways, view)}`;
}

/** The problems that a tab of the page of alerts shows to the staff. */
async function readProblems({ db }: ApiDeps, person: Person, tab: AlertTab) {
  if (!viewerMay(person).act) return [];
  const first = { beforeId: null, limit: problemsShown };
  return (await listProblems(db, problemStatesOfTab[tab], first)).problems;
}

/** The alerts of gateways that a tab of the page of alerts shows. */
async function readGatewayAlerts({ db }: ApiDeps, person: Person, tab: AlertTab) {
  const which = { states: statesOfTab[tab], limit: problemsShown };
  return listAlertsOfGateways(db, plantScope(person), which);
}

/** The customers that have plants, by name. */
async function listCustomers(fleet: FleetView): Promise<string[]> {
  const { rows } = await fleet.read();
  return [...new Set(rows.flatMap((row) => row.customer_id ?? []))].toSorted();
}
