import type { PlantScope } from '../../db/scope.ts';
import { type PlantDetail, type PlantPast, readPlant } from '../../operations/plants/read-plant.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';

/** The plant at the API's time, for its page and its document alike. Throws Problem 404. */
export async function readDetail(
  deps: Pick<ApiDeps, 'db' | 'clock' | 'temporal' | 'temporalUiUrl'>,
  scope: PlantScope,
  plantId: string,
  past?: PlantPast,
): Promise<PlantDetail> {
  const { namespace } = deps.temporal.options;
  const plant = await readPlant(deps.db, plantId, {
    scope,
    nowMs: deps.clock(),
    temporal: { webUiUrl: deps.temporalUiUrl, namespace },
    ...(past === undefined ? {} : { past }),
  });
  if (plant === undefined) throw new Problem('not-found', 'There is no such plant.');
  return plant;
}
