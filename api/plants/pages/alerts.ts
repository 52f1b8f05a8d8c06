import { html } from 'hono/html';

import type { AlertView } from '../../../db/plants/alerts.ts';
import type { AlertState } from '../../../domain/plants/facts.ts';
import type { Brand } from '../../../domain/plants/plant.ts';
import { durationText } from '../../../domain/wording.ts';
import { ackMenu, alertCost, alertState, alertType } from './alert-parts.ts';
import { type Html, statusMark, time } from '../../pages/components.ts';

/** Which alerts need a person, and who has them in hand. */

export const alertTabs = ['active', 'acknowledged', 'resolved'] as const;
export type AlertTab = (typeof alertTabs)[number];

/** The states that a tab shows. */
export const statesOfTab: Readonly<Record<AlertTab, readonly AlertState[]>> = {
  active: ['NEW', 'ACKED'],
  acknowledged: ['ACKED'],
  resolved: ['RESOLVED'],
};

export interface IncidentLine {
  /** null: no vendor answers, our side. */
  brand: Brand | null;
  /** "HUAWEI not answering since 10:00 UTC. 12 of 14 plants". */
  sentence: string;
  alerts: readonly AlertView[];
}

export interface AlertsPage {
  tab: AlertTab;
  /** Of plants that belong to no incident. */
  alerts: readonly AlertView[];
  incidents: readonly IncidentLine[];
  mayAct: boolean;
  /** The address of this list, to come back to. */
  href: string;
  nextHref: string | null;
  nowMs: number;
}

export function alertsContent(view: AlertsPage): Html {
  const count = view.incidents.reduce((sum, { alerts }) => sum + alerts.length, view.alerts.length);
  return html`<h1 class="sr">Alerts</h1>
    <nav class="tabs" aria-label="Alerts by state">
      ${alertTabs.map(
        (tab) =>
          html`<a
            id="tab-${tab}"
            href="${tab === 'active' ? '/alerts' : `/alerts?tab=${tab}`}"
            ${tab === view.tab ? html`aria-current="page"` : ''}
            >${tab}</a
          >`,
      )}
    </nav>
    ${view.incidents.map((incident) => incidentDetails(incident, view))}
    ${count === 0 ? html`<p class="empty">${emptyWords[view.tab]}</p>` : ''}
    ${view.alerts.length === 0 ? '' : alertTable(view.alerts, view)}
    ${view.nextHref === null ? '' : html`<p class="more"><a class="button" href="${view.nextHref}">Older</a></p>`}`;
}

const emptyWords: Readonly<Record<AlertTab, string>> = {
  active: 'No alert is active.',
  acknowledged: 'Nothing is acknowledged at present.',
  resolved: 'No alert has been resolved yet.',
};

function incidentDetails({ brand, sentence, alerts }: IncidentLine, view: AlertsPage): Html {
  const word = alerts.length === 1 ? 'alert' : 'alerts';
  return html`<details class="incident" id="incident-${brand ?? 'ALL'}">
    <summary>
      <strong>${sentence}</strong>
      <span class="muted">${alerts.length} ${word} kept, none announced</span>
    </summary>
    <div>
      ${alerts.length === 0 ? html`<p class="muted">None of its plants has an alert yet.</p>` : alertTable(alerts, view)}
    </div>
  </details>`;
}

function alertTable(alerts: readonly AlertView[], view: AlertsPage): Html {
  return html`<table class="alerts" role="table">
    <caption class="sr">
      Alerts, ${view.tab}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        <th scope="col">severity</th>
        <th scope="col">plant</th>
        <th scope="col">alert</th>
        <th scope="col" class="w2">device</th>
        <th scope="col">since</th>
        <th scope="col" class="w2">last seen</th>
        <th scope="col" class="num w2">kWh ≈</th>
        <th scope="col">state</th>
        ${
          view.mayAct && view.tab !== 'resolved'
            ? html`<th scope="col"><span class="sr">action</span></th>`
            : ''
        }
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${alerts.map((alert) => alertRow(alert, view))}
    </tbody>
  </table>`;
}

function alertRow(alert: AlertView, { mayAct, tab, href, nowMs }: AlertsPage): Html {
  const startedMs = alert.started_at.getTime();
  const endMs = alert.resolved_at?.getTime() ?? nowMs;
  return html`<tr role="row" id="alert-${alert.id}">
    <td role="cell" class="c-status">${statusMark(alert.severity)}</td>
    <th role="rowheader" scope="row" class="c-name">
      <a href="/plants/${encodeURIComponent(alert.plant_id)}">${alert.plant_name}</a>
      <small class="muted">${alert.brand}</small>
    </th>
    <td role="cell" class="c-what">
      ${alert.message} <small class="muted">${alertType(alert)}</small>
    </td>
    <td role="cell" class="w2">${alert.device_sn ?? html`<span class="muted">–</span>`}</td>
    <td role="cell" class="c-since">
      ${time(startedMs, alert.timezone, nowMs)}
      <small class="muted">${durationText(Math.max(0, endMs - startedMs))}</small>
    </td>
    <td role="cell" class="w2">${time(alert.last_seen_at.getTime(), alert.timezone, nowMs)}</td>
    <td role="cell" class="num w2">
      ${alertCost(alert).replace('≈ ', '') || html`<span class="muted">–</span>`}
    </td>
    <td role="cell" class="c-state">${alertState(alert, nowMs)}</td>
    ${mayAct && tab !== 'resolved' ? html`<td role="cell" class="c-act">${ackMenu(alert, href)}</td>` : ''}
  </tr>`;
}
