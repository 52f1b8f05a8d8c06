import type { Kysely } from 'kysely';

import { insertGateways } from '../../db/gateways/gateways.ts';
import type { Database } from '../../db/tables.ts';
import { generatedUnitId } from '../../stack/gateways/generated.ts';
import { benchPoints } from './points.ts';

/** Adds simulated gateways in bulk, also with shorter intervals than people may set. */

export interface BenchGateway {
  id: string;
  host: string;
  port: number;
}

/** All of them read the bench's points, from now on. */
export async function insertBenchGateways(
  db: Kysely<Database>,
  gateways: readonly BenchGateway[],
  intervalS: number,
): Promise<void> {
  const points = benchPoints.map((point) => ({ ...point, unitId: generatedUnitId }));
  // Given once, as a preset would be: the units carry no copies.
  const unit = { unitId: generatedUnitId, preset: null, quirks: {}, capacityKw: null, points: [] };
  const entries = gateways.map(({ id, host, port }) => ({
    draft: {
      id,
      name: id,
      host,
      port,
      plantId: null,
      customerId: null,
      pollIntervalS: intervalS,
      priority: 'HIGH' as const,
      quirks: {},
      units: [unit],
    },
    points,
  }));
  await db.transaction().execute((trx) => insertGateways(trx, entries, Date.now()));
}
