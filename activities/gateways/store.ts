import type { Kysely } from 'kysely';

import { findOpenHalt } from '../../db/halts.ts';
import {
  loadLayouts,
  loadLearned,
  saveLayout,
  saveLearned,
  siteKey,
} from '../../db/gateways/learned.ts';
import { renewLeases } from '../../db/gateways/leases.ts';
import { listPastPeriods } from '../../db/gateways/past-periods.ts';
import { answerRequest, listOpenRequests } from '../../db/gateways/requests.ts';
import { loadShard } from '../../db/gateways/walk.ts';
import { isRowRefused, writeBatch } from '../../db/gateways/write-batch.ts';
import type { Database } from '../../db/tables.ts';
import { nothingLearned } from '../../domain/gateways/read-plan.ts';
import type { SunSpecLayout } from '../../domain/gateways/sunspec.ts';
import type { EvaluateGateways } from './evaluate.ts';
import { leaseTtlMs } from './walk/guard.ts';
import type { SiteKnowledge, WalkStore } from './walk/ports.ts';

/** What a walker writes and reads, on PostgreSQL. */

export interface StoreOptions {
  db: Kysely<Database>;
  /** The process, as `operations/process-owner.ts` names it. */
  owner: string;
  evaluate: EvaluateGateways;
}

export function createWalkStore({ db, owner, evaluate }: StoreOptions): WalkStore {
  const ttlMs = leaseTtlMs;
  return {
    writeBatch: (leases, rows) => writeBatch(db, { owner, ttlMs, leases, rows }),
    isRowRefused,
    async renew(leases) {
      const [held, halt] = await Promise.all([
        renewLeases(db, { owner, ttlMs, leases }),
        findOpenHalt(db),
      ]);
      return { held, isHalted: halt !== null };
    },
    async loadShard(place, known, ids) {
      const news = await loadShard(db, place, known, ids);
      const changed = news.changed.map(({ id }) => id);
      return { ...news, past: changed.length === 0 ? [] : await listPastPeriods(db, changed) };
    },
    async loadSites(addresses) {
      const [learned, layouts] = await Promise.all([
        loadLearned(db, addresses),
        loadLayouts(db, addresses),
      ]);
      return new Map(
        addresses.map((address): [string, SiteKnowledge] => {
          const key = siteKey(address);
          const refusals = learned.get(key);
          const found = (layouts.get(key) ?? []).map((one): [number, SunSpecLayout | null] => [
            one.unitId,
            one.layout,
          ]);
          return [
            key,
            {
              learned: refusals === undefined ? nothingLearned : { refusals },
              layouts: new Map(found),
            },
          ];
        }),
      );
    },
    // One refusal is a suspicion, not worth storing.
    saveLearned: (address, { refusals }) =>
      saveLearned(
        db,
        address,
        refusals.filter(({ times }) => times > 1),
      ),
    saveLayout: ({ unitId, ...address }, layout, foundAtMs) =>
      saveLayout(db, address, { unitId, layout, foundAtMs }),
    listRequests: (place) => listOpenRequests(db, place),
    answerRequest: (id, answer) => answerRequest(db, id, answer),
    async evaluate(lease, gatewayIds, nowMs) {
      await evaluate({ lease: { ...lease, owner }, gatewayIds }, nowMs);
    },
  };
}
