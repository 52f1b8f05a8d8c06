import { findGateway } from '../../../db/gateways/gateways.ts';
import { loadMaps } from '../../../db/gateways/points.ts';
import { pageReadings, type ReadingView, streamReadings } from '../../../db/gateways/readings.ts';
import { allPlants } from '../../../db/scope.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { withDatabase } from '../../../environment/services.ts';
import { instant, onePositional, readFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { FieldProblem } from '../../plant-fields.ts';
import { nothing, outputWidth, print } from '../../render.ts';
import { right, tableText } from '../../table.ts';
import { failureOf } from './refusals.ts';
import { valueText } from './words.ts';

const limitDefault = 20;
const limitMax = 10_000;

/** `heliograph gateways readings ID`: the newest readings, or all of a time as CSV. */
export const gatewaysReadings: Command = {
  name: 'gateways readings',
  usage: 'ID [--from TIME] [--to TIME] [--limit N] [--csv] [--json]',
  flags: ['from', 'to', 'limit'],
  switches: ['csv'],
  async run(context) {
    const gatewayId = onePositional(context, 'name one gateway by its ID');
    const from = readFlag(context, 'from', instant);
    const to = readFlag(context, 'to', instant);
    const limit = readFlag(context, 'limit', readLimit) ?? limitDefault;
    const filter = { fromMs: from?.getTime(), toMs: to?.getTime() };
    if (context.json && context.switches.has('csv'))
      throw usageError(context, '--csv and --json are two forms: give only one');
    await withDatabase(context.config(), async (db) => {
      const view = await findGateway(db, allPlants, gatewayId);
      if (view === undefined) throw failureOf({ refusal: 'UNKNOWN_GATEWAY', gatewayId });
      if (context.switches.has('csv')) {
        const points = (await loadMaps(db, [view.map_id])).get(view.map_id) ?? [];
        await writeCsv(context, points, {
          mapId: view.map_id,
          rows: streamReadings(db, gatewayId, filter),
        });
        return;
      }
      const { rows } = await pageReadings(db, gatewayId, filter, { after: null, limit });
      print(context, rows, () =>
        rows.length === 0
          ? `gateway ${gatewayId} has no readings of that time\n`
          : readingsTable(rows, outputWidth(context.io)),
      );
    });
  },
};

function readLimit(text: string): number {
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= limitMax) return limit;
  throw new FieldProblem(`must be a number from 1 to ${limitMax}`);
}

/** Readings with their first values, the newest first. */
export function readingsTable(rows: readonly ReadingView[], width: number): string {
  return tableText(
    ['AT', 'TRIGGER', 'OUTCOME', ...right('LATE', 'TOOK'), 'VALUES'],
    rows.map((row) => [
      row.read_at.toISOString(),
      row.trigger,
      row.slots_missed > 1 ? `${row.slots_missed} × ${row.outcome}` : row.outcome,
      row.late_ms === null ? nothing : `${row.late_ms} ms`,
      row.duration_ms === null ? nothing : `${row.duration_ms} ms`,
      row.reason ?? (row.values ?? []).map((value) => valueText(value, null)).join(' '),
    ]),
    width,
  );
}

/** One line for each reading, in the columns of the present list of points; readings of other lists have no values. */
async function writeCsv(
  { io }: CommandContext,
  points: readonly UnitPoint[],
  { mapId, rows }: { mapId: number; rows: AsyncGenerator<ReadingView[]> },
): Promise<void> {
  const names = points.map(({ unitId, key }) => `${unitId}/${key}`);
  io.stdout.write(
    `read_at,trigger,outcome,reason,slots_missed,late_ms,duration_ms,${names.join(',')}\n`,
  );
  for await (const part of rows) {
    const lines = part.map((row) => {
      const values = points.map((_, n) => (row.map_id === mapId ? (row.values?.[n] ?? '') : ''));
      const {
        trigger,
        outcome,
        reason,
        slots_missed: missed,
        late_ms: late,
        duration_ms: took,
      } = row;
      return [
        row.read_at.toISOString(),
        trigger,
        outcome,
        reason ?? '',
        missed,
        late ?? '',
        took ?? '',
        ...values,
      ].join(',');
    });
    io.stdout.write(`${lines.join('\n')}\n`);
  }
}
