import { spans } from '../../pages/form.ts';
import { html } from 'hono/html';

import type { AlertView } from '../../../db/plants/alerts.ts';
import { energyText } from '../../../domain/wording.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import { pauseSentence, silenceSentence } from '../../../operations/plants/plant-view.ts';
import { type Html, time } from '../../pages/components.ts';
import { busyText, sheetForm } from '../../pages/forms.ts';

/** The parts of an alert that several pages show. */

/** When, and by whose clock, the page is read. */
export interface Reader {
  nowMs: number;
  zone: ReaderZone;
}

const typeWords: Readonly<Record<AlertView['type'], string>> = {
  OFFLINE: 'offline',
  LOW_GENERATION: 'low generation',
  MOCK_FAULT: 'vendor alarm',
  API_ERROR: 'vendor access',
  DEVICE_DOWN: 'device down',
};

/** "vendor alarm 2129". */
export function alertType(alert: AlertView): string {
  const code = alert.vendor_alarm_code;
  return code === null ? typeWords[alert.type] : `${typeWords[alert.type]} ${code}`;
}

/** The estimated loss of energy; empty if it is unknown. */
export function alertCost(alert: AlertView): string {
  if (alert.at_risk_kwh !== null) return `≈ ${energyText(alert.at_risk_kwh)} at risk`;
  if (alert.estimated_lost_kwh !== null) return `≈ ${energyText(alert.estimated_lost_kwh)} lost`;
  return '';
}

/** The state: NEW, resolved, or who acknowledged it, until when and with which comment. */
export function alertState(alert: AlertView, { nowMs, zone }: Reader): Html {
  const timezone = zone ?? alert.timezone;
  switch (alert.state) {
    case 'NEW':
      return html`<b>NEW</b>`;
    case 'RESOLVED':
      return html`resolved
      ${alert.resolved_at === null ? '' : time(alert.resolved_at.getTime(), timezone, nowMs)}`;
    case 'ACKED':
      return html`acknowledged by
      ${alert.acked_by ?? 'somebody'}${
        alert.acked_until === null
          ? ''
          : html` until ${time(alert.acked_until.getTime(), timezone, nowMs)}`
      }${alert.ack_comment === null ? '' : html`: “${alert.ack_comment}”`}`;
  }
}

/** Who paused the alert's plant or silenced its alerts, until when and why; empty where nobody did. */
export function alertHolds(alert: AlertView, { nowMs, zone }: Reader): string {
  return [pauseSentence(alert, nowMs, zone), silenceSentence(alert, nowMs, zone)]
    .filter((sentence) => sentence !== null)
    .join(' ');
}

/** The choice of how long something holds; `endless` is the words for no end. */
export function spanField(id: string, label: string, endless: string): Html {
  return html`<label
    ><span>${label}</span
    ><select id="${id}" name="for">
      <option value="">${endless}</option>
      ${Object.entries(spans).map(
        ([words, seconds]) => html`<option value="${seconds}">for ${words}</option>`,
      )}
    </select></label
  >`;
}

/** "Ack" with a comment and an end, unfolded in place. */
export function ackMenu(alert: AlertView, back: string): Html {
  const id = `ack-${alert.id}`;
  const fields = html`<input type="hidden" name="back" value="${back}" />
    <label
      ><span>Comment</span
      ><textarea id="${id}-comment" name="comment" maxlength="500" rows="2">
${alert.ack_comment ?? ''}</textarea>
    </label>
    ${spanField(`${id}-for`, 'Quiet', 'until it is resolved')}`;
  return html`<details class="menu act small" id="${id}">
    <summary>
      ${alert.state === 'NEW' ? 'Ack' : 'Change'}<span class="sr">
        alert of ${alert.plant_name}: ${alert.message}</span
      >
    </summary>
    ${sheetForm({
      action: `/alerts/${alert.id}/ack`,
      fields,
      button: busyText('Acknowledge', 'acknowledging…'),
      focusNext: `#${id} > summary`,
    })}
  </details>`;
}
