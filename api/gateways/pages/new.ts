import { html } from 'hono/html';

import { defaultPort, priorities } from '../../../domain/gateways/gateway.ts';
import type { Preset } from '../../../domain/gateways/preset.ts';
import type { Html } from '../../pages/components.ts';
import { busyText, sentInPlace } from '../../pages/forms.ts';
import { gatewaysPath } from './paths.ts';

/** The form of a new gateway with one unit; more units and own points come by file. */
export function newGatewayContent(presets: readonly Preset[]): Html {
  const field = (name: string, label: string, attributes: Html): Html =>
    html`<label><span>${label}</span><input id="${name}" name="${name}" ${attributes} /></label>`;
  const optional = html`maxlength="200" autocomplete="off"`;
  return html`<div class="head">
      <a href="${gatewaysPath}">‹ Gateways</a>
      <h1>New gateway</h1>
    </div>
    <form class="point-fields" ${sentInPlace(gatewaysPath)}>
      ${field('id', 'Id', html`required maxlength="63" pattern="[a-z0-9][a-z0-9\\-]*" placeholder="roof-inverter" autocomplete="off"`)}
      ${field('name', 'Name', html`required maxlength="200" autocomplete="off"`)}
      ${field('host', 'Host', html`required maxlength="253" placeholder="10.4.3.21" autocomplete="off"`)}
      ${field('port', 'Port', html`type="number" min="1" max="65535" value="${defaultPort}"`)}
      ${field('unit_id', 'Unit', html`type="number" min="0" max="255" value="1" required`)}
      <label
        ><span>Preset</span
        ><select id="preset" name="preset">
          ${presets.map(({ name, title }) => html`<option value="${name}">${title}</option>`)}
        </select></label
      >
      <label
        ><span>Priority</span
        ><select id="priority" name="priority">
          ${priorities.map((one) => html`<option ${one === 'NORMAL' ? html`selected` : ''}>${one}</option>`)}
        </select></label
      >
      ${field('poll_interval_s', 'Interval, s', html`type="number" min="10" max="86400" placeholder="as the priority says"`)}
      ${field('plant_id', 'Id of its plant, if it stands on one', optional)}
      <p class="muted">
        Several units, own points and quirks: <code>heliograph gateways add FILE.json</code>.
      </p>
      <p class="form-error" role="alert"></p>
      <button class="main" type="submit">${busyText('Add the gateway', 'adding…')}</button>
    </form>`;
}
