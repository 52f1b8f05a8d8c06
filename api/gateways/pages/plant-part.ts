import { html } from 'hono/html';

import {
  mainReadings,
  placeText,
  pointReadings,
} from '../../../operations/gateways/gateway-view.ts';
import { powerText } from '../../../domain/wording.ts';
import { difference, type Html, missing, statusMark } from '../../pages/components.ts';
import { type ListedGateway, markOf } from './list.ts';
import { gatewayPath } from './paths.ts';

/** The gateways of a plant on its page: their power beside that of the vendor's cloud. */

/** A value counts as fresh for two intervals and 5 s. */
function isFresh({ row }: ListedGateway, nowMs: number): boolean {
  const seenMs = row.last_seen_at?.getTime() ?? null;
  return seenMs !== null && nowMs - seenMs <= 2 * row.poll_interval_s * 1_000 + 5_000;
}

/** The power of a gateway, W; null if it has none, or an old one. */
export function powerOf(one: ListedGateway, nowMs: number): number | null {
  if (!isFresh(one, nowMs)) return null;
  const power = mainReadings(pointReadings(one.points, one.row.last_reading)).find(
    ({ point }) => point.unit === 'W' || point.unit === 'kW',
  );
  if (power === undefined || power.value === null) return null;
  return power.point.unit === 'kW' ? power.value * 1_000 : power.value;
}

/** Empty for a plant without a gateway. @param cloudW the vendor's fresh power; null: none. */
export function gatewaysOfPlantPart(
  gateways: readonly ListedGateway[],
  { cloudW, nowMs }: { cloudW: number | null; nowMs: number },
): Html {
  if (gateways.length === 0) return html``;
  const lines = gateways.map((one) => {
    const { row } = one;
    const powerW = powerOf(one, nowMs);
    const shown =
      powerW === null
        ? missing('No fresh power', { left: true })
        : html`<b>${powerText(powerW)}</b>`;
    return html`<li>
      ${statusMark(markOf[row.status], row.status)} <a href="${gatewayPath(row.id)}">${row.name}</a>
      <small class="muted">${placeText(row)}</small> ${shown}${comparison(powerW, cloudW)}
    </li>`;
  });
  return html`<section aria-labelledby="h-gateways">
    <h2 id="h-gateways">Gateways on site</h2>
    <ul class="site-gateways">
      ${lines}
    </ul>
  </section>`;
}

/** "cloud 40.0 kW, −3 %": how the vendor's cloud differs, where both are fresh. */
function comparison(powerW: number | null, cloudW: number | null): Html {
  if (powerW === null || cloudW === null) return html``;
  const differs = powerW > 0 ? `, ${difference(cloudW / powerW)}` : '';
  return html` <span class="muted">cloud ${powerText(cloudW)}${differs}</span>`;
}
