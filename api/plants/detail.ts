import type { z } from '@hono/zod-openapi';

import { readRecentDays } from '../../db/plants/recent-days.ts';
import type { PlantScope } from '../../db/scope.ts';
import { dayJson } from '../../operations/plants/plant-view.ts';
import { type PlantDetail, type PlantPast, readPlant } from '../../operations/plants/read-plant.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { fleetRow } from './fleet-row.ts';
import { apiField } from './refusals.ts';
import { alertJson, fleetRowJson, type plantDetailSchema, pollJson } from './schemas.ts';

/** The plant at the API's time, for its page and its document. Throws Problem 404. */
export async function readDetail(
  deps: Pick<ApiDeps, 'db' | 'clock' | 'temporal' | 'temporalUiUrl'>,
  scope: PlantScope,
  plantId: string,
  past?: PlantPast,
): Promise<PlantDetail> {
  const { namespace } = deps.temporal.options;
  // Temporal's Web UI is for those who run Heliograph.
  const webUiUrl = scope.customerId === null ? deps.temporalUiUrl : null;
  const plant = await readPlant(deps.db, plantId, {
    scope,
    nowMs: deps.clock(),
    temporal: { webUiUrl, namespace },
    ...(past === undefined ? {} : { past }),
  });
  if (plant === undefined) throw new Problem('not-found', 'There is no such plant.');
  return plant;
}

/** The plant as a JSON document. Throws Problem 404. */
export async function readDocument(
  deps: ApiDeps,
  scope: PlantScope,
  id: string,
): Promise<z.output<typeof plantDetailSchema>> {
  const [read, recent] = await Promise.all([
    readDetail(deps, scope, id),
    readRecentDays(deps.db, [id], deps.clock()),
  ]);
  return {
    ...fleetRowJson(fleetRow(read.plant, recent.get(id), read.nowMs), read.nowMs),
    account: read.account,
    next_slot: read.nextSlotAt?.toISOString() ?? null,
    next_closing: read.nextClosingAt?.toISOString() ?? null,
    devices: read.devices.map(
      ({ sn, state, powerW, todayEnergyKwh, measuredAtMs, downStreak }) => ({
        sn,
        state,
        power_w: powerW,
        today_energy_kwh: todayEnergyKwh,
        measured_at: measuredAtMs === null ? null : new Date(measuredAtMs).toISOString(),
        down_streak: downStreak,
      }),
    ),
    alerts: read.alerts.map(alertJson),
    last_polls: read.polls.map(pollJson),
    days: read.days.map(dayJson),
    warnings: read.warnings.map(({ field, warning: message }) => ({
      path: apiField(field),
      message,
    })),
    workflow_id: read.workflowId,
    workflow_url: read.workflowUrl,
  };
}
