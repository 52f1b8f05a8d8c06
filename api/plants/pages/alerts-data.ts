import { readPage } from '../../../db/page.ts';
import { listAlerts } from '../../../db/plants/alerts.ts';
import { listIncidents } from '../../../db/plants/incidents.ts';
import { incidentAlertWords, incidentWords } from '../../../operations/plants/incidents.ts';
import type { ApiDeps } from '../../deps.ts';
import { type Person, plantScope } from '../../env.ts';
import { viewerMay } from '../../pages/layout.ts';
import type { Reader } from './alert-parts.ts';
import {
  type AlertArea,
  type AlertsPage,
  type AlertTab,
  type IncidentLine,
  statesOfTab,
} from './alerts.ts';

/** Reads what the alerts page shows: the incidents with the alerts that they explain, and the other alerts. */

const alertsPageSize = 200;
/** Alerts of an incident that unfold; REST and the command list the others. */
const incidentAlertsMax = 200;

/** @param page.offset number of alerts on the pages before. */
export async function readAlertsPage(
  { db }: Pick<ApiDeps, 'db'>,
  person: Person,
  reader: Reader,
  page: { tab: AlertTab; area: AlertArea | null; offset: number; href: string },
): Promise<Omit<AlertsPage, 'others'>> {
  const { tab, area, offset, href } = page;
  const scope = plantScope(person);
  const states = statesOfTab[tab];
  const mayAct = viewerMay(person).act;
  if (area !== null && area !== 'plants')
    return { tab, area, alerts: [], incidents: [], mayAct, href, nextHref: null, ...reader };
  const state = tab === 'resolved' ? 'closed' : 'open';
  const incidents = await listIncidents(db, { state }, scope);
  const { customerId } = scope;
  const [found, lines] = await Promise.all([
    readPage(alertsPageSize, (limit) =>
      listAlerts(db, {
        states,
        customerId,
        limit,
        offset,
        withoutIncidents: incidents.map(({ id }) => id),
      }),
    ),
    Promise.all(
      // Each line is on the first page.
      (offset === 0 ? incidents : []).map(async (incident): Promise<IncidentLine> => {
        const of = { states, customerId, incidentId: incident.id, limit: incidentAlertsMax };
        return {
          id: incident.id,
          sentence: incidentWords(incident, reader.nowMs, reader.zone),
          note: incidentAlertWords(incident),
          alerts: await listAlerts(db, of),
        };
      }),
    ),
  ]);
  const older = `/alerts?tab=${tab}${area === null ? '' : `&area=${area}`}&offset=${offset + alertsPageSize}`;
  return {
    tab,
    alerts: found.rows,
    incidents: lines,
    area,
    mayAct,
    href,
    nextHref: found.nextAfter === null ? null : older,
    ...reader,
  };
}
