import { findGateway } from '../../../db/gateways/gateways.ts';
import { loadMaps } from '../../../db/gateways/points.ts';
import { allPlants } from '../../../db/scope.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { pointJson } from '../../../domain/gateways/point-json.ts';
import { withDatabase } from '../../../environment/services.ts';
import { onePositional } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { nothing, outputWidth, print } from '../../render.ts';
import { right, tableText } from '../../table.ts';
import { failureOf } from './refusals.ts';

/** `heliograph gateways points ID`: the data points that are read. */
export const gatewaysPoints: Command = {
  name: 'gateways points',
  usage: 'ID [--json]',
  async run(context) {
    const gatewayId = onePositional(context, 'name one gateway by its ID');
    const points = await withDatabase(context.config(), async (db) => {
      const view = await findGateway(db, allPlants, gatewayId);
      if (view === undefined) throw failureOf({ refusal: 'UNKNOWN_GATEWAY', gatewayId });
      return (await loadMaps(db, [view.map_id])).get(view.map_id) ?? [];
    });
    print(
      context,
      points.map((point) => ({ unit_id: point.unitId, ...pointJson(point) })),
      () =>
        tableText(
          [
            'UNIT',
            'POINT',
            ...right('FC', 'ADDRESS'),
            'TYPE',
            'ORDER',
            ...right('SCALE'),
            'MEASURE',
            'NAME',
          ],
          points.map(pointCells),
          outputWidth(context.io),
        ),
    );
  },
};

function pointCells(point: UnitPoint): string[] {
  const given = point.documented === null ? '' : ` (${point.documented.address})`;
  const address = point.address === null ? 'SunSpec' : `${point.address}${given}`;
  return [
    String(point.unitId),
    point.key,
    String(point.function),
    address,
    point.type,
    point.order,
    String(point.scale),
    point.unit ?? nothing,
    point.name,
  ];
}
