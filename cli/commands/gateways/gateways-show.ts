import { findGateway, type GatewayView, listFacts } from '../../../db/gateways/gateways.ts';
import { loadMaps } from '../../../db/gateways/points.ts';
import { pageReadings } from '../../../db/gateways/readings.ts';
import { allPlants } from '../../../db/scope.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { withDatabase } from '../../../environment/services.ts';
import { onePositional } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { outputWidth, print } from '../../render.ts';
import { factsText, right, section, tableText } from '../../table.ts';
import { readingsTable } from './gateways-readings.ts';
import { failureOf } from './refusals.ts';
import { agoText, qualityAt, successText, valueText } from './words.ts';

/** How many of the last polls are shown. */
const pollsShown = 5;

/** `heliograph gateways show ID`: everything known about one gateway. */
export const gatewaysShow: Command = {
  name: 'gateways show',
  usage: 'ID [--json]',
  async run(context) {
    const gatewayId = onePositional(context, 'name one gateway by its ID');
    const found = await withDatabase(context.config(), async (db) => {
      const view = await findGateway(db, allPlants, gatewayId);
      if (view === undefined) throw failureOf({ refusal: 'UNKNOWN_GATEWAY', gatewayId });
      const mapId = view.last_reading?.mapId ?? view.map_id;
      const points = (await loadMaps(db, [mapId])).get(mapId) ?? [];
      const { rows: polls } = await pageReadings(
        db,
        gatewayId,
        {},
        { after: null, limit: pollsShown },
      );
      return { view, points, polls, facts: await listFacts(db, gatewayId) };
    });
    const { view, points, polls, facts } = found;
    const values = pointValues(view, points);
    print(context, { ...view, points: values, last_polls: polls, facts }, () => {
      const width = outputWidth(context.io) - 2;
      const cells = values.map((one) => [
        String(one.unit_id),
        one.key,
        valueText(one.value, one.unit),
        one.quality,
      ]);
      const parts = [
        factsText(gatewayFacts(view)),
        section('values', tableText(['UNIT', 'POINT', ...right('VALUE'), 'QUALITY'], cells, width)),
        ...(facts.length === 0
          ? []
          : [
              section(
                'devices',
                factsText(facts.map((one) => [`${one.unit_id} ${one.key}`, one.value])),
              ),
            ]),
        ...(polls.length === 0 ? [] : [section('last polls', readingsTable(polls, width))]),
      ];
      return parts.join('\n');
    });
  },
};

/** The points with their newest values. */
export function pointValues(
  { last_reading: reading }: Pick<GatewayView, 'last_reading'>,
  points: readonly UnitPoint[],
) {
  return points.map(({ unitId, key, name, unit }, n) => ({
    unit_id: unitId,
    key,
    name,
    value: reading?.values[n] ?? null,
    unit,
    quality: reading === null ? 'MISSING(NOT_ANSWERED)' : qualityAt(reading.quality, n),
  }));
}

function gatewayFacts(view: GatewayView): [string, string | null][] {
  const nowMs = Date.now();
  const units = view.units.map(({ unit_id, preset }) => `${unit_id} ${preset ?? 'own points'}`);
  const status = `${view.status}${view.stale ? ' (not polled in time: is a worker up?)' : ''}, ${agoText(view.status_since, nowMs)}`;
  return [
    ['id', view.id],
    ['name', view.name],
    ['status', status],
    ['why', view.pause_reason ?? view.status_message],
    [
      'halted',
      view.halted ? 'all polling is stopped: `heliograph polling start --all` lifts it' : null,
    ],
    ['address', `${view.host}:${view.port}`],
    ['polled', `every ${view.poll_interval_s} s, ${view.priority}`],
    ['units', units.join(', ')],
    ['plant', view.plant_id === null ? null : `${view.plant_id} (${view.plant_name ?? ''})`],
    ['customer', view.customer_id],
    ['last seen', agoText(view.last_seen_at, nowMs)],
    ['last polled', agoText(view.last_polled_at, nowMs)],
    [
      'last 20 polls',
      view.recent === '' ? null : `${successText(view.recent)} good  ${view.recent}`,
    ],
    [
      'failures in a row',
      view.consecutive_failures === 0 ? null : String(view.consecutive_failures),
    ],
    ['next probe', view.next_probe_at?.toISOString() ?? null],
    ['silenced until', view.alerts_silenced_until?.toISOString() ?? null],
    ['open alerts', String(view.open_alerts)],
    ['removed', view.removed_at?.toISOString() ?? null],
  ];
}
