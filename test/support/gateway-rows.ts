import type { Kysely } from 'kysely';

import { insertGateways } from '../../db/gateways/gateways.ts';
import type { Database } from '../../db/tables.ts';

/** Inserts ordinary gateways that are due every 10 s, as people add them. */
export async function saveGateways(
  db: Kysely<Database>,
  gateways: readonly { id: string; host?: string; port?: number; intervalS?: number }[],
  atMs: number,
): Promise<void> {
  const entries = gateways.map(
    ({ id, host = `${id}.example.org`, port = 502, intervalS = 10 }) => ({
      draft: {
        id,
        name: `Gateway ${id}`,
        host,
        port,
        plantId: null,
        customerId: null,
        pollIntervalS: intervalS,
        priority: 'HIGH' as const,
        quirks: {},
        units: [{ unitId: 1, preset: null, quirks: {}, capacityKw: null, points: [] }],
      },
      points: [],
    }),
  );
  await db.transaction().execute((trx) => insertGateways(trx, entries, atMs));
}
