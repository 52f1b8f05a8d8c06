import type { Kysely } from 'kysely';

import { nextClosing } from '../../domain/plants/closing.ts';
import { nextSlotAfter } from '../../domain/slots.ts';
import { addDays, localDateAt } from '../../domain/zone.ts';
import { type AlertView, listAlerts } from './alerts.ts';
import { findAccounts } from './credentials.ts';
import { findOpenPeriod } from '../ledger/periods.ts';
import { plantLedger } from './ledger.ts';
import { findPlantIn, listPlants, type PlantRow, type PlantView } from './plants.ts';
import { listPollLogs, type PollLogRow } from './poll-logs.ts';
import type { PlantScope } from '../scope.ts';
import { findDays, type StoredDay } from './snapshots.ts';
import type { Database } from '../tables.ts';

const pollsShown = 10;
const daysShown = 7;
/** No plant has more worth reading; a list of its alerts shows more. */
const alertsShown = 50;

/** A plant with all that belongs to it, at one time. */
export interface PlantDetail {
  plant: PlantView;
  devices: NonNullable<PlantRow['devices']>;
  account: { id: string; name: string; has_credentials: boolean };
  /** null while the plant is not polled, or no loop has looked at it yet. */
  nextSlotAt: Date | null;
  nextClosingAt: Date | null;
  alerts: AlertView[];
  /** The newest polls, newest first. */
  polls: PollLogRow[];
  /** Today and the days before it, newest first. */
  days: StoredDay[];
}

/** undefined for an unknown plant, or one beyond the scope. */
export async function readPlantDetail(
  db: Kysely<Database>,
  scope: PlantScope,
  plantId: string,
  nowMs: number,
): Promise<PlantDetail | undefined> {
  const [plant] = await listPlants(db, { ids: [plantId] }, scope);
  if (plant === undefined) return undefined;
  const today = localDateAt(nowMs, plant.timezone);
  const [row, [account], period, alerts, polls, days] = await Promise.all([
    findPlantIn(db, scope, plantId),
    findAccounts(db, [plant.vendor_account_id]),
    findOpenPeriod(db, plantLedger, plantId),
    listAlerts(db, { plantId, limit: alertsShown }),
    listPollLogs(db, plantId, pollsShown, { jobType: 'POLL' }),
    findDays(db, plantId, addDays(today, 1 - daysShown), today),
  ]);
  const isDue = plant.integration_status === 'ACTIVE' && period?.reason === 'ACTIVE';
  return {
    plant,
    devices: row?.devices ?? [],
    account: account ?? {
      id: plant.vendor_account_id,
      name: plant.vendor_account_id,
      has_credentials: false,
    },
    nextSlotAt: isDue ? new Date(nextSlotAfter(period, Math.max(nowMs, period.fromMs - 1))) : null,
    nextClosingAt: isDue ? new Date(nextClosing(plantId, plant.timezone, nowMs).atMs) : null,
    alerts,
    polls,
    days: days.toReversed(),
  };
}
