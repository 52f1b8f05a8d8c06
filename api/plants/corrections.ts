import type { Act, Decided } from '../../operations/plants/actions.ts';
import {
  correctVendorPlant,
  movePlant,
  purgePlant,
  removePlants,
} from '../../operations/plants/correct.ts';
import type { Acting } from './actions.ts';
import { orProblem } from './refusals.ts';

/** What a signed-in person can do about a wrong plant: a part of `createActions`. */
export function createCorrections<Told>({
  act,
  decided,
}: {
  act: (acting: Acting) => Act;
  /** Tells the loop of a decision. Throws Problem if it was refused. */
  decided: (plantId: string, decision: Decided, options?: { pollNow?: boolean }) => Promise<Told>;
}) {
  return {
    /** For a plant that never answered. Its loop polls at once. */
    async correctVendorPlant(
      acting: Acting,
      plantId: string,
      change: Parameters<typeof correctVendorPlant>[2],
    ) {
      const corrected = await correctVendorPlant(act(acting), plantId, change);
      return decided(plantId, corrected, { pollNow: true });
    },

    async move(acting: Acting, plantId: string, accountId: string) {
      const moved = await movePlant(act(acting), plantId, accountId);
      return decided(plantId, moved, { pollNow: true });
    },

    async remove(acting: Acting, plantId: string) {
      return decided(plantId, await removePlants(act(acting), [plantId]));
    },

    /** Deletes what is kept of a removed plant. */
    async purge(acting: Acting, plantId: string) {
      const { ledgerRows } = orProblem(await purgePlant(act(acting), plantId));
      return { ledger_rows: ledgerRows };
    },
  };
}
