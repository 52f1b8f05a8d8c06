import { type PlantDetail, readPlantDetail } from '../../db/plants/plant-detail.ts';
import { readRecentDays } from '../../db/plants/recent-days.ts';
import type { PlantScope } from '../../db/scope.ts';
import { workflowLink } from '../../operations/links.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import type { ApiDeps } from '../deps.ts';
import { type FleetRow, fleetRow } from './fleet-row.ts';

/** A plant with all that belongs to it, its line of the fleet included. */
export interface PlantPage extends PlantDetail {
  row: FleetRow;
  workflowId: string;
  /** Where the Temporal Web UI shows its loop; null where no Web UI is known. */
  workflowUrl: string | null;
}

/** undefined for an unknown plant, or one beyond the scope. */
export async function readPlantPage(
  deps: Pick<ApiDeps, 'db' | 'temporal' | 'temporalUiUrl'>,
  scope: PlantScope,
  plantId: string,
  nowMs: number,
): Promise<PlantPage | undefined> {
  const [detail, recent] = await Promise.all([
    readPlantDetail(deps.db, scope, plantId, nowMs),
    readRecentDays(deps.db, [plantId], nowMs),
  ]);
  if (detail === undefined) return undefined;
  const workflowId = pollWorkflowId(plantId);
  return {
    ...detail,
    row: fleetRow(detail.plant, recent.get(plantId), nowMs),
    workflowId,
    workflowUrl: workflowLink(deps.temporalUiUrl, deps.temporal.options.namespace, workflowId),
  };
}
