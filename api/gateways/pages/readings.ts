import { html } from 'hono/html';

import type { GatewayView } from '../../../db/gateways/gateways.ts';
import type { ReadingView } from '../../../db/gateways/readings.ts';
import { gatewayOutcomes, type GatewayOutcome } from '../../../domain/gateways/reading.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import type { ReaderZone } from '../../../domain/zone.ts';
import {
  mainReadings,
  pointReadings,
  qualityText,
  valueText,
} from '../../../operations/gateways/gateway-view.ts';
import {
  clockSeconds,
  column,
  type Html,
  missing,
  orMissing,
  table,
  whenText,
} from '../../pages/components.ts';
import { outcomeCell } from './gateway.ts';
import { gatewayPath } from './paths.ts';

/** The page of a gateway's readings: rows of its ledger with filters, and the export of a day. */

export interface ReadingsPage {
  row: GatewayView;
  outcome: GatewayOutcome | null;
  readings: readonly { reading: ReadingView; points: readonly UnitPoint[] }[];
  /** The `before` of the next page; null on the last one. */
  nextBefore: string | null;
  nowMs: number;
  zone: ReaderZone;
}

export function readingsContent(view: ReadingsPage): Html {
  const { row, outcome, nextBefore, nowMs } = view;
  const path = gatewayPath(row.id);
  const zone = view.zone ?? row.timezone;
  const csv = `/api/v1/gateways/${encodeURIComponent(row.id)}/readings?format=csv`;
  return html`<div class="head">
      <a href="${path}">‹ ${row.name}</a>
      <h1>Readings</h1>
      <div class="actions"><a class="button" href="${csv}">CSV of 24 h</a></div>
    </div>
    <form class="filters" method="get" action="${path}/readings" role="search">
      <label
        ><span class="sr">Outcome</span
        ><select id="outcome" name="outcome">
          <option value="">All outcomes</option>
          ${gatewayOutcomes.map((one) => html`<option value="${one}" ${one === outcome ? html`selected` : ''}>${one.toLowerCase().replace('_', ' ')}</option>`)}
        </select></label
      ><button type="submit">Filter</button>
    </form>
    ${view.readings.length === 0 ? html`<p class="empty">No reading matches.</p>` : readings(view, zone, nowMs)}
    ${nextBefore === null ? '' : html`<p class="more"><a class="button" href="${path}/readings?${new URLSearchParams({ ...(outcome !== null && { outcome }), before: nextBefore }).toString()}">Older</a></p>`}`;
}

function readings(view: ReadingsPage, zone: string, nowMs: number): Html {
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table of readings">
    ${table({ className: 'polls', caption: 'Readings, newest first' }, view.readings, [
      column('slot', '', ({ reading }) =>
        whenText(reading.read_at.getTime(), zone, nowMs, clockSeconds),
      ),
      column('outcome', '', ({ reading }) => outcomeCell(reading)),
      column('late', 'num', ({ reading }) =>
        orMissing(reading.late_ms, (ms) => `${ms} ms`, 'Nothing was polled'),
      ),
      column('values', '', ({ reading, points }) => values(reading, points)),
      column('points not good', '', ({ reading, points }) => notGood(reading, points)),
    ])}
  </div>`;
}

function pointsOf(
  { map_id: mapId, values: all, quality }: ReadingView,
  points: readonly UnitPoint[],
) {
  return mapId === null || all === null
    ? []
    : pointReadings(points, { mapId, values: all, quality });
}

function values(reading: ReadingView, points: readonly UnitPoint[]): Html | string {
  const main = mainReadings(pointsOf(reading, points));
  if (main.length === 0) return missing('The poll brought no value');
  return html`${main.map(({ point, value, quality }, index) => html`${index === 0 ? '' : ' · '}${value === null ? missing(qualityText(quality)) : valueText(point, value)}`)}`;
}

function notGood(reading: ReadingView, points: readonly UnitPoint[]): string {
  if (reading.quality === null) return '';
  return pointsOf(reading, points)
    .filter(({ quality }) => quality.quality !== 'GOOD')
    .map(({ point, quality }) => `${point.name}: ${qualityText(quality)}`)
    .join('; ');
}
