import { listShards } from '../../db/gateways/leases.ts';
import { gatewayLedger } from '../../db/gateways/ledger.ts';
import { rollUp } from '../../db/gateways/rollups.ts';
import { countGateways } from '../../db/gateways/walk.ts';
import { makeLedgerParts } from '../../db/ledger/ledger.ts';
import type { Deps } from '../deps.ts';
import { createLoopReconciler, type Loops, type Reconciler } from '../fleet.ts';

/** The gateways' part in the reconciliation: all shards are walked while there is a gateway, and readings are rolled up. */

/** A walker says how it does every second; one that was silent for so long may be stuck. */
const silentMs = 60_000;
/** Quarters of an hour that one reconciliation rolls up of a shard: a fleet that was long without a worker catches up. */
const quartersMax = 8;

/** @param shards how many there are. */
export function createGatewaysReconciler(
  deps: Deps,
  loops: Loops<{ id: string }>,
  shards: number,
): Reconciler {
  const { db } = deps;
  const allShards = Array.from({ length: shards }, (_, shard) => ({ id: String(shard) }));
  const reconcileLoops = createLoopReconciler(
    loops,
    {
      kind: 'gateways',
      async listWanted() {
        if ((await countGateways(db)) === 0) return [];
        return allShards.map((shard) => ({ ...shard, changed: false }));
      },
      async listSilent(nowMs) {
        if ((await countGateways(db)) === 0) return [];
        const heard = await listShards(db);
        const silent = heard.filter(
          ({ shard, figuresAt }) =>
            shard < shards && figuresAt !== null && figuresAt.getTime() < nowMs - silentMs,
        );
        return silent.map(({ shard }) => ({ id: String(shard) }));
      },
    },
    deps,
  );
  return async (nowMs) => {
    const gatewayPartitions = await makeLedgerParts(db, gatewayLedger, new Date(nowMs));
    const { wanted, started, ended, restarted } = await reconcileLoops(nowMs);
    let quarters = 0;
    for (let shard = 0; shard < shards; shard += 1)
      quarters += (await rollUp(db, { shard, shards }, { nowMs, quartersMax })).quarters;
    return {
      shards: wanted,
      shardsStarted: started,
      shardsEnded: ended,
      shardsRestarted: restarted,
      gatewayPartitions,
      gatewayQuarters: quarters,
    };
  };
}
