import { html } from 'hono/html';

import { defaultPort } from '../../../domain/gateways/gateway.ts';
import type { Preset } from '../../../domain/gateways/preset.ts';
import type {
  PointTested,
  TestGatewayResult,
  UnitShown,
  UnitTested,
} from '../../../workflows/gateways/messages.ts';
import { column, decimal, type Html, missing, table } from '../../pages/components.ts';
import { busyText } from '../../pages/forms.ts';
import { answeredInPlace, gatewayAnswer } from './gateway.ts';
import { gatewaysPath, testAddressPath } from './paths.ts';

/** The page "Test an address", and what a test found: decoded values beside the raw registers. */

/** The form, with the place of its answer. */
export function testAddressContent(presets: readonly Preset[]): Html {
  return html`<div class="head">
      <a href="${gatewaysPath}">‹ Gateways</a>
      <h1>Test an address</h1>
    </div>
    <p class="muted">The worker that polls gateways connects, reads once and saves nothing.</p>
    <form class="point-fields" ${answeredInPlace(testAddressPath)}>
      <label
        ><span>Host</span
        ><input
          id="host"
          name="host"
          required
          maxlength="253"
          placeholder="10.4.3.21"
          autocomplete="off"
      /></label>
      <label
        ><span>Port</span
        ><input id="port" name="port" type="number" min="1" max="65535" value="${defaultPort}"
      /></label>
      <label
        ><span>Unit</span
        ><input id="unit_id" name="unit_id" type="number" min="0" max="255" value="1" required
      /></label>
      <label
        ><span>Preset</span
        ><select id="preset" name="preset">
          <option value="">the one that fits</option>
          ${presets.map(({ name, title }) => html`<option value="${name}">${title}</option>`)}
        </select></label
      >
      <label
        ><span>What to do</span
        ><select id="discover" name="discover">
          <option value="">read the points of the preset</option>
          <option value="true">look what is there</option>
        </select></label
      >
      <p class="form-error" role="alert"></p>
      <button class="main" type="submit">${busyText('Test', 'testing…')}</button>
    </form>
    ${gatewayAnswer('')}`;
}

/** What a test found, unit by unit. */
export function testedPart({ host, port, units }: TestGatewayResult): Html {
  return html`${units.map((unit) => unitPart(`${host}:${port} unit ${unit.unit_id}`, unit))}`;
}

function unitPart(place: string, { preset, outcome, message, points, found }: UnitTested): Html {
  const good = points.filter(({ value }) => value !== null).length;
  const parts =
    outcome === null
      ? [found === null ? 'there is nothing to read' : foundWords(found)]
      : [
          outcome.toLowerCase(),
          ...(preset === null ? [] : [`preset ${preset}`]),
          `${good} of ${points.length} points`,
          ...(message === null ? [] : [message]),
        ];
  return html`<p><b>Test of ${place}:</b> ${parts.join(', ')}</p>
    ${points.length === 0 ? '' : pointTable(place, points)}
    ${found === null ? '' : foundPart(found)}`;
}

function foundWords({ answers, failure, presets }: UnitShown): string {
  if (!answers) return failure?.message ?? 'it does not answer';
  return presets.length === 0 ? 'it answers, and no preset fits' : 'it answers';
}

function pointTable(place: string, points: readonly PointTested[]): Html {
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table of ${place}">
    ${table<PointTested>({ className: 'live-values', caption: `Points of ${place}` }, points, [
      column('point', '', ({ key }) => key),
      column('value', 'num', (point) => valueOf(point) ?? missing(point.quality)),
      column('quality', '', ({ quality }) => quality),
      column('raw registers', '', ({ raw }) =>
        raw === null ? missing('Not answered') : html`<code>${registersText(raw)}</code>`,
      ),
    ])}
  </div>`;
}

function valueOf({ value, unit }: PointTested): string | null {
  if (value === null || typeof value === 'string') return value;
  const text = decimal(value, Number.isInteger(value) ? 0 : 3);
  return unit === null ? text : `${text} ${unit}`;
}

/** "41c80000" → "41c8 0000": a register has four digits. */
function registersText(raw: string): string {
  return raw.replaceAll(/(.{4})(?=.)/g, '$1 ');
}

function foundPart(found: UnitShown): Html {
  const { functions, identity, sunspec, no_sunspec: why, word_order: order, presets } = found;
  if (!found.answers) return html``;
  const models = (sunspec?.models ?? []).map(({ id, address }) => `${id} at ${address}`).join(', ');
  const sunspecText =
    sunspec === null
      ? `none${why.length === 0 ? '' : ` (${why.join('; ')})`}`
      : [`at ${sunspec.base}: ${models || 'no models'}`, ...sunspec.problems].join('; ');
  const facts = [
    ['Functions', functions.map((one) => `${one.function}: ${one.said}`).join('; ')],
    ['Device', Object.values(identity).join(' ') || 'it does not name itself'],
    ['SunSpec', sunspecText],
    ['Word order', order === null ? 'too few values tell it' : `${order.order}: ${order.reason}`],
    [
      'Presets that fit',
      presets.map(({ name, fits, of }) => `${name} (${fits} of ${of} points)`).join(', ') || 'none',
    ],
  ] as const;
  return html`<dl class="how">
    ${facts.map(
      ([name, text]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${text}</dd>
        </div>`,
    )}
  </dl>`;
}
