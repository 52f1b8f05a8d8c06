import { html } from 'hono/html';

import type { listAlertsOfGateways } from '../../../db/gateways/views.ts';
import { durationText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { column, type Html, statusMark, table, time } from '../../pages/components.ts';
import { ackForm } from './gateway.ts';
import { gatewayPath } from './paths.ts';

/** Alerts of gateways on the page of alerts. */

type Line = Awaited<ReturnType<typeof listAlertsOfGateways>>[number];

/** Empty if there is none. */
export function gatewayAlertsPart(
  alerts: readonly Line[],
  view: { href: string; nowMs: number; zone: ReaderZone; mayAct: boolean },
): Html {
  if (alerts.length === 0) return html``;
  const { href, nowMs, zone, mayAct } = view;
  const list = table<Line>(
    {
      className: 'alerts',
      caption: 'Alerts of gateways',
      named: 1,
      idOf: ({ id }) => `alert-${id}`,
    },
    alerts,
    [
      column('severity', 'c-status', ({ severity }) => statusMark(severity)),
      column(
        'gateway',
        'c-name',
        ({ gateway_id: id, gateway_name: name, unit }) =>
          html`<a href="${gatewayPath(id)}">${name}</a>
            ${unit === null ? '' : html`<small class="muted">unit ${unit}</small>`}`,
      ),
      column(
        'alert',
        'c-what',
        ({ message, type }) =>
          html`${message} <small class="muted">${type.toLowerCase().replaceAll('_', ' ')}</small>`,
      ),
      column('since', 'c-since', (alert) => {
        const durationMs = (alert.resolved_at?.getTime() ?? nowMs) - alert.started_at.getTime();
        return html`${time(alert.started_at.getTime(), zone ?? alert.timezone, nowMs)}
          <small class="muted">${durationText(Math.max(0, durationMs))}</small>`;
      }),
      column('state', 'c-state', (alert) => stateWords(alert, zone ?? alert.timezone, nowMs)),
      column(html`<span class="sr">action</span>`, 'c-act', (alert) =>
        mayAct && alert.state !== 'RESOLVED' ? ackForm(alert, href) : '',
      ),
    ],
  );
  return html`<h2>Gateways</h2>
    <div class="wide space-after" tabindex="0" role="region" aria-label="Alerts of gateways">
      ${list}
    </div>`;
}

function stateWords(alert: Line, timezone: string, nowMs: number): Html {
  if (alert.state === 'NEW') return html`<b>NEW</b>`;
  if (alert.state === 'ACKED')
    return html`acknowledged by
    ${alert.acked_by ?? 'somebody'}${alert.ack_comment === null ? '' : html`: “${alert.ack_comment}”`}`;
  return html`resolved
  ${alert.resolved_at === null ? '' : time(alert.resolved_at.getTime(), timezone, nowMs)}`;
}
