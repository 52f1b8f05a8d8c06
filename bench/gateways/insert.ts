import { createHash } from 'node:crypto';

import type { Kysely } from 'kysely';

import { query, queryRow } from '../../db/database.ts';
import type { Database } from '../../db/tables.ts';
import { canonicalAddress } from '../../domain/gateways/gateway.ts';
import { fnv1a32, phaseMs } from '../../domain/slots.ts';
import { generatedUnitId } from '../../stack/gateways/generated.ts';
import { benchPoints } from './points.ts';

/** Adds gateways in bulk, as rows: shorter intervals than people may set, and no audit log. */

export interface BenchGateway {
  id: string;
  host: string;
  port: number;
}

/** All of them read the bench's points, from now on. */
export async function insertGateways(
  db: Kysely<Database>,
  gateways: readonly BenchGateway[],
  intervalS: number,
): Promise<void> {
  const points = JSON.stringify(
    benchPoints.map((point) => ({ ...point, unitId: generatedUnitId })),
  );
  const digest = createHash('sha256').update(points).digest();
  await db.transaction().execute(async (trx) => {
    const { id: mapId } = await queryRow(trx)<{ id: number }>`
      insert into gateway_maps (digest, points) values (${digest}, ${points}::jsonb)
      on conflict (digest) do update set digest = excluded.digest returning id`;
    const ids = gateways.map(({ id }) => id);
    const hosts = gateways.map(({ host }) => host);
    const ports = gateways.map(({ port }) => port);
    const hashes = gateways.map(({ host, port }) => fnv1a32(canonicalAddress(host, port)));
    await query(trx)`
      insert into gateways (id, name, host, port, poll_interval_s, priority, map_id, address_hash)
      select id, id, host, port, ${intervalS}, 'HIGH', ${mapId}, hash
      from unnest(${ids}::text[], ${hosts}::text[], ${ports}::int[], ${hashes}::bigint[]) as g (id, host, port, hash)`;
    await query(trx)`
      insert into gateway_units (gateway_id, position, unit_id, points)
      select id, 0, ${generatedUnitId}, ${JSON.stringify(benchPoints)}::jsonb from unnest(${ids}::text[]) as id`;
    const phases = ids.map((id) => phaseMs(id, intervalS * 1_000));
    await query(trx)`
      insert into gateway_periods (gateway_id, from_at, interval_s, phase_ms, reason)
      select id, now(), ${intervalS}, phase, 'ACTIVE' from unnest(${ids}::text[], ${phases}::int[]) as p (id, phase)`;
    await query(trx)`insert into gateway_state (gateway_id) select unnest(${ids}::text[])`;
  });
}
