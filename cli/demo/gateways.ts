import type { Kysely } from 'kysely';

import { loadPresets } from '../../adapters/modbus/presets.ts';
import {
  findTaken,
  type GatewayEntry,
  insertGateways,
  loadDrafts,
  updateGateways,
} from '../../db/gateways/gateways.ts';
import { allPlants } from '../../db/scope.ts';
import type { Database } from '../../db/tables.ts';
import type { GatewayDraft } from '../../domain/gateways/gateway.ts';
import { pointsOfGateway } from '../../domain/gateways/preset.ts';
import { demoDevices } from './gateway-devices.ts';

/** The four gateways of a demo: each stands on the site of a demo plant, and one of them misbehaves. */

interface Described extends Pick<GatewayDraft, 'name' | 'quirks'> {
  preset: string;
}

/** By the ids of `demoDevices`. */
const described: Readonly<Record<string, Described>> = {
  'canal-inverter': { name: 'Canal House, inverter', preset: 'sunspec-inverter', quirks: {} },
  'olive-inverter': { name: 'Olive Press, inverter', preset: 'huawei-sun2000', quirks: {} },
  // The meter refuses longer requests.
  'wharf-meter': { name: 'Wharf Store, meter', preset: 'sdm630', quirks: { maxRegisters: 50 } },
  'mill-logger': { name: 'Old Mill, failing logger', preset: 'sdm630', quirks: {} },
};

const capacityKw = 10;
const pollIntervalS = 10;
const host = '127.0.0.1';

/** The definitions, for a farm that listens on these ports: one for each of `demoDevices`. */
export function demoGateways(ports: readonly number[]): GatewayDraft[] {
  return demoDevices.map(({ id, plantId, unitId }, n) => {
    const about = described[id];
    if (about === undefined) throw new Error(`the demo does not say what ${id} is`);
    const { name, preset, quirks } = about;
    return {
      id,
      name,
      host,
      port: ports[n] as number,
      plantId,
      customerId: null,
      pollIntervalS,
      priority: 'HIGH',
      quirks,
      units: [{ unitId, preset, quirks: {}, capacityKw, points: [] }],
    };
  });
}

/**
 * Adds the demo's gateways that the database has never had, and gives the others the ports on which the farm listens now.
 *
 * @returns how many were added.
 */
export async function seedDemoGateways(
  db: Kysely<Database>,
  ports: readonly number[],
): Promise<number> {
  const presets = loadPresets();
  const drafts = demoGateways(ports);
  const ids = drafts.map(({ id }) => id);
  return db.transaction().execute(async (trx) => {
    const plantIds = drafts.flatMap(({ plantId }) => plantId ?? []);
    const { takenIds, unknownPlantIds } = await findTaken(trx, allPlants, { ids, plantIds });
    const entryOf = (draft: GatewayDraft): GatewayEntry => ({
      draft,
      points: pointsOfGateway(draft, presets),
    });
    const fresh = drafts
      .filter(({ id }) => !takenIds.has(id))
      // A person may have removed the plant.
      .map((draft) =>
        unknownPlantIds.has(draft.plantId ?? '') ? { ...draft, plantId: null } : draft,
      );
    const moved = (await loadDrafts(trx, ids)).flatMap((draft) => {
      const port = drafts.find(({ id }) => id === draft.id)?.port ?? draft.port;
      // A person may have named a real one.
      return draft.host !== host || draft.port === port ? [] : [{ ...draft, port }];
    });
    if (fresh.length > 0) await insertGateways(trx, fresh.map(entryOf), Date.now());
    if (moved.length > 0) await updateGateways(trx, moved.map(entryOf), Date.now());
    return fresh.length;
  });
}
