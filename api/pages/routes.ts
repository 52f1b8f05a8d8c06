import { type Context, Hono } from 'hono';
import { compress } from 'hono/compress';

import { listAlerts } from '../../db/plants/alerts.ts';
import { countMissedSlots, type SlotCount } from '../../db/ledger/missed.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { readStrips } from '../../db/plants/strips.ts';
import { workflowLink } from '../../operations/links.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import { dayMs, minuteMs } from '../../domain/zone.ts';
import type { Actions } from '../plants/actions.ts';
import type { ApiDeps } from '../deps.ts';
import { type ApiEnv, type Person, plantScope } from '../env.ts';
import { type FleetView, scopedRows } from '../plants/fleet-view.ts';
import type { HealthReader } from '../system/health.ts';
import { Problem } from '../problem.ts';
import { readSystem } from '../system/system.ts';
import { actionRoutes } from '../plants/pages/actions.ts';
import { groupByIncident } from '../plants/pages/alerts-data.ts';
import { type AlertTab, alertsContent, alertTabs, statesOfTab } from '../plants/pages/alerts.ts';
import { answerPage, staffOf, viewerOf } from './answer.ts';
import { clockSeconds, type Html } from './components.ts';
import { fleetContent, fleetHref, parseFleetQuery } from '../plants/pages/fleet.ts';
import { readFleetPage } from '../plants/pages/fleet-data.ts';
import { type AssetUrls, page, type PageFrame, viewerMay } from './layout.ts';
import { plantContent } from '../plants/pages/plant.ts';
import { readPlantPage } from '../plants/pages/plant-data.ts';
import { systemContent } from '../system/page.ts';
import { sessionPages } from '../people/session-pages.ts';

/** How often a page renews itself, s. */
const refreshS = 10;
const alertsPageSize = 200;
/** A slot without a row is not missed so soon: its poll may be under way. */
const slotGraceMs = 2 * minuteMs;
/** Counting a day's slots of a large fleet costs a tenth of a second: not at every renewal of every page. */
const missedKeptMs = 30_000;

/** All pages, and the forms on them, which call the functions that the JSON routes call. */
export function pageRoutes(
  deps: ApiDeps,
  fleet: FleetView,
  actions: Actions,
  health: HealthReader,
  assets: AssetUrls,
): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  // A hundred rows are 250 KB of much the same text, every ten seconds.
  routes.use(compress());

  async function show(
    c: Context<ApiEnv>,
    person: Person,
    frame: Pick<PageFrame, 'title' | 'section' | 'charts'>,
    content: Html,
  ): Promise<Response> {
    const renderedAt = `${clockSeconds(deps.clock(), 'UTC')} UTC`;
    return answerPage(c, page({ ...frame, viewer: person, assets, renderedAt, refreshS }, content));
  }

  routes.get('/', async (c) => {
    const person = await viewerOf(c);
    const query = parseFleetQuery(new URL(c.req.url).searchParams);
    const nowMs = deps.clock();
    const strips = (ids: readonly string[]) => readStrips(deps.db, ids, nowMs);
    const view = await readFleetPage(fleet, plantScope(person), query, strips, {
      nowMs,
      maySeeSystem: viewerMay(person).seeSystem,
    });
    // Whatever the form sent, the address bar shows the short form.
    const isRenewal = c.req.header('x-renewal') !== undefined;
    if (c.req.header('hx-request') === 'true' && !isRenewal)
      c.header('hx-push-url', fleetHref(query, {}));
    return show(c, person, { title: 'Fleet', section: 'fleet' }, fleetContent(view));
  });

  routes.get('/plants/:id', async (c) => {
    const person = await viewerOf(c);
    const plantId = c.req.param('id');
    const view = await readPlantPage(deps.db, plantId, plantScope(person), {
      mayAct: viewerMay(person).act,
      temporalUrl: workflowLink(
        deps.temporalUiUrl,
        deps.temporal.options.namespace,
        pollWorkflowId(plantId),
      ),
      nowMs: deps.clock(),
    });
    if (view === null) throw new Problem('not-found', 'There is no such plant.');
    const frame = { title: view.name, section: 'fleet', charts: true } as const;
    return show(c, person, frame, plantContent(view));
  });

  routes.get('/alerts', async (c) => {
    const person = await viewerOf(c);
    const tab: AlertTab = alertTabs.find((one) => one === c.req.query('tab')) ?? 'active';
    const offset = Math.max(0, Math.trunc(Number(c.req.query('offset'))) || 0);
    const found = await listAlerts(deps.db, {
      states: statesOfTab[tab],
      customerId: plantScope(person).customerId,
      limit: alertsPageSize + 1,
      offset,
    });
    const url = new URL(c.req.url);
    const older = `/alerts?tab=${tab}&offset=${offset + alertsPageSize}`;
    const shown = found.slice(0, alertsPageSize);
    const nowMs = deps.clock();
    const rows = tab === 'resolved' ? [] : scopedRows(await fleet.read(), plantScope(person));
    const content = alertsContent({
      tab,
      ...groupByIncident(shown, rows, nowMs),
      mayAct: viewerMay(person).act,
      href: url.pathname + url.search,
      nextHref: found.length > alertsPageSize ? older : null,
      nowMs,
    });
    return show(c, person, { title: 'Alerts', section: 'alerts' }, content);
  });

  const missedSlots = keptFor(missedKeptMs, deps.clock, async (nowMs) =>
    countMissedSlots(deps.db, plantLedger, { fromMs: nowMs - dayMs, toMs: nowMs - slotGraceMs }),
  );

  routes.get('/system', async (c) => {
    const person = await staffOf(c);
    const [system, slotsMissed] = await Promise.all([readSystem(deps, health), missedSlots()]);
    // The running minute is not over: its count would read as a fall.
    const minutes = system.minutes.slice(0, -1);
    const content = systemContent({
      state: system.health.state,
      checks: system.health.checks,
      polls: {
        perMinute: minutes.map(({ polled }) => polled),
        failedPerMinute: minutes.map(({ failed }) => failed),
        latenessMs: system.lateness,
      },
      slotsMissed,
      oldestDueSlotAgeMs: system.oldestDueSlotAgeMs,
      versions: system.versions,
    });
    return show(c, person, { title: 'System', section: 'system', charts: true }, content);
  });

  routes.route('/', sessionPages(deps, assets));
  routes.route('/', actionRoutes(deps, actions, assets));
  return routes;
}

/** Reads at most once in `keptMs`, however many ask. */
function keptFor(
  keptMs: number,
  clock: () => number,
  read: (nowMs: number) => Promise<SlotCount>,
): () => Promise<SlotCount> {
  let kept: { atMs: number; value: Promise<SlotCount> } | null = null;
  return async () => {
    const nowMs = clock();
    if (kept === null || nowMs - kept.atMs > keptMs) {
      const reading = { atMs: nowMs, value: read(nowMs) };
      kept = reading;
      // A failure is told to who asked, and not kept.
      reading.value.catch(() => {
        if (kept === reading) kept = null;
      });
    }
    return kept.value;
  };
}
