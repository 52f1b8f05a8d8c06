import { plantPath } from '../../pages/paths.ts';
import { html } from 'hono/html';

import type { AlertView } from '../../../db/plants/alerts.ts';
import type { AlertState } from '../../../domain/plants/facts.ts';
import { brandName } from '../../../domain/plants/plant.ts';
import { durationText } from '../../../domain/wording.ts';
import {
  ackMenu,
  alertCost,
  alertHolds,
  alertState,
  alertType,
  type Reader,
} from './alert-parts.ts';
import { column, type Column, type Html, statusMark, table, time } from '../../pages/components.ts';

/** The alerts page: which alerts are active, who acknowledged them, and which ended. */

export const alertTabs = ['active', 'acknowledged', 'resolved'] as const;
export type AlertTab = (typeof alertTabs)[number];

/** What alerts may be about; the page can be limited to one. `system`: problems that are no alert of a subject. */
export const alertAreas = ['plants', 'gateways', 'system'] as const;
export type AlertArea = (typeof alertAreas)[number];

/** The states that a tab shows. */
export const statesOfTab: Readonly<Record<AlertTab, readonly AlertState[]>> = {
  active: ['NEW', 'ACKED'],
  acknowledged: ['ACKED'],
  resolved: ['RESOLVED'],
};

export interface IncidentLine {
  id: number;
  /** "HUAWEI not answering since 10:00 UTC. 12 of 14 plants fail." */
  sentence: string;
  /** "12 alerts kept, none announced". */
  note: string;
  alerts: readonly AlertView[];
}

export interface AlertsPage extends Reader {
  tab: AlertTab;
  /** The alerts that no incident explains. */
  alerts: readonly AlertView[];
  incidents: readonly IncidentLine[];
  /** What else needs a person: problems, and alerts of other areas. */
  others: Html;
  /** The areas of which the page shows something; `null` is all of them. */
  area: AlertArea | null;
  mayAct: boolean;
  /** The address of this list, to which a form returns. */
  href: string;
  nextHref: string | null;
}

export function alertsContent(view: AlertsPage): Html {
  const isEmpty = view.incidents.length + view.alerts.length === 0;
  return html`<h1 class="sr">Alerts</h1>
    <nav class="tabs" aria-label="Alerts by state">
      ${alertTabs.map(
        (tab) =>
          html`<a
            id="tab-${tab}"
            href="${alertsHref(tab, view.area)}"
            ${tab === view.tab ? html`aria-current="page"` : ''}
            >${tab}</a
          >`,
      )}
    </nav>
    <nav class="tabs" aria-label="Alerts by area">
      ${[null, ...alertAreas].map(
        (area) =>
          html`<a
            id="area-${area ?? 'all'}"
            href="${alertsHref(view.tab, area)}"
            ${area === view.area ? html`aria-current="page"` : ''}
            >${area ?? 'all areas'}</a
          >`,
      )}
    </nav>
    ${view.others} ${view.incidents.map((incident) => incidentDetails(incident, view))}
    ${isEmpty && (view.area ?? 'plants') === 'plants' ? html`<p class="empty">${emptyWords[view.tab]}</p>` : ''}
    ${view.alerts.length === 0 ? '' : alertTable(view.alerts, view)}
    ${view.nextHref === null ? '' : html`<p class="more"><a class="button" href="${view.nextHref}">Older</a></p>`}`;
}

/** The address of the page. */
function alertsHref(tab: AlertTab, area: AlertArea | null): string {
  const params = new URLSearchParams({
    ...(tab !== 'active' && { tab }),
    ...(area !== null && { area }),
  }).toString();
  return params === '' ? '/alerts' : `/alerts?${params}`;
}

const emptyWords: Readonly<Record<AlertTab, string>> = {
  active: 'No alert of a plant is active.',
  acknowledged: 'Nothing is acknowledged at present.',
  resolved: 'No alert has been resolved yet.',
};

function incidentDetails({ id, sentence, note, alerts }: IncidentLine, view: AlertsPage): Html {
  return html`<details class="incident" id="incident-${id}">
    <summary>
      <strong>${sentence}</strong>
      <span class="muted">${note}</span>
    </summary>
    <div>
      ${alerts.length === 0 ? html`<p class="muted">None of its plants has such an alert.</p>` : alertTable(alerts, view)}
    </div>
  </details>`;
}

function alertTable(alerts: readonly AlertView[], view: AlertsPage): Html {
  const { tab, mayAct, href, nowMs, zone } = view;
  const when = (at: Date, { timezone }: AlertView): Html =>
    time(at.getTime(), zone ?? timezone, nowMs);
  const none = html`<span class="muted">–</span>`;
  const columns: Column<AlertView>[] = [
    column('severity', 'c-status', (alert) => statusMark(alert.severity)),
    column(
      'plant',
      'c-name',
      (alert) =>
        html`<a href="${plantPath(alert.plant_id)}">${alert.plant_name}</a>
          <small class="muted">${brandName(alert.brand)}</small>`,
    ),
    column(
      'alert',
      'c-what',
      (alert) =>
        html`${alert.message}
          <small class="muted">${alertType(alert)}</small
          >${alert.state === 'RESOLVED' ? '' : html` <small>${alertHolds(alert, view)}</small>`}`,
    ),
    column('device', 'w2', (alert) => alert.device_sn ?? none),
    column('since', 'c-since', (alert) => {
      const durationMs = (alert.resolved_at?.getTime() ?? nowMs) - alert.started_at.getTime();
      return html`${when(alert.started_at, alert)}
        <small class="muted">${durationText(Math.max(0, durationMs))}</small>`;
    }),
    // When the rule last found the cause, which is not when the plant was last seen.
    column('last found', 'w2', (alert) => when(alert.last_seen_at, alert)),
    column('kWh ≈', 'num w2', (alert) => alertCost(alert).replace('≈ ', '') || none),
    column('state', 'c-state', (alert) => alertState(alert, view)),
  ];
  if (mayAct && tab !== 'resolved')
    columns.push(
      column(html`<span class="sr">action</span>`, 'c-act', (alert) => ackMenu(alert, href)),
    );
  const idOf = ({ id }: AlertView): string => `alert-${id}`;
  return table({ className: 'alerts', caption: `Alerts, ${tab}`, named: 1, idOf }, alerts, columns);
}
