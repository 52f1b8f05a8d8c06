import { type AlertView, listAlerts } from '../../db/plants/alerts.ts';
import { findAccounts } from '../../db/plants/credentials.ts';
import type { Db } from '../../db/database.ts';
import { findOpenPeriod } from '../../db/ledger/periods.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import { findPlantIn, listPlants, type PlantRow, type PlantView } from '../../db/plants/plants.ts';
import { listPollLogs, type PollLogRow } from '../../db/plants/poll-logs.ts';
import { findDays, type StoredDay } from '../../db/plants/snapshots.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { PlantWarning } from '../../domain/plants/plausible.ts';
import { nextClosing } from '../../domain/plants/closing.ts';
import { roundedKwh, roundedW } from '../../domain/rounding.ts';
import { nextSlotAfter } from '../../domain/slots.ts';
import { addDays, localDateAt } from '../../domain/zone.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import { workflowLink } from '../links.ts';
import { settingWarnings } from './plant-view.ts';

/** Reads one plant for a person: its page, its JSON and `plants show` all show these values. */

/** Limit of alerts of one plant; the list of its alerts shows more. */
const alertsShown = 50;

/** A plant and everything that its page shows, at one time. */
export interface PlantDetail {
  /** When it was read, ms. */
  nowMs: number;
  plant: PlantView;
  devices: NonNullable<PlantRow['devices']>;
  account: { id: string; name: string; has_credentials: boolean };
  /** null while the plant is not polled, or before its loop has planned it. */
  nextSlotAt: Date | null;
  nextClosingAt: Date | null;
  /** The active alerts, the worst first. */
  alerts: AlertView[];
  /** The newest polls, newest first. */
  polls: PollLogRow[];
  /** Today and earlier days, newest first; a day without a row is absent. */
  days: StoredDay[];
  /** What looks wrong in its settings. */
  warnings: PlantWarning[];
  workflowId: string;
  /** The page of its loop in the Temporal Web UI; null: no Web UI is known. */
  workflowUrl: string | null;
}

/** How much of a plant's past to read. */
export interface PlantPast {
  polls: number;
  /** Whether `polls` includes daily closings. */
  withClosings: boolean;
  days: number;
}

const shortPast: PlantPast = { polls: 10, withClosings: false, days: 7 };

/** @returns undefined for a plant that is unknown or outside of the scope; a removed one until it is purged. */
export async function readPlant(
  db: Db,
  plantId: string,
  ask: {
    scope: PlantScope;
    nowMs: number;
    /** The Temporal Web UI and the namespace of the loops. */
    temporal: { webUiUrl: string | null; namespace: string };
    past?: PlantPast;
  },
): Promise<PlantDetail | undefined> {
  const { scope, nowMs, temporal, past = shortPast } = ask;
  const [plant] = await listPlants(db, { ids: [plantId], removed: 'TOO' }, scope);
  if (plant === undefined) return undefined;
  const today = localDateAt(nowMs, plant.timezone);
  const accountId = plant.vendor_account_id;
  const [row, [account], period, alerts, polls, days] = await Promise.all([
    findPlantIn(db, scope, plantId),
    findAccounts(db, [accountId]),
    findOpenPeriod(db, plantLedger, plantId),
    listAlerts(db, { plantId, limit: alertsShown }),
    listPollLogs(db, plantId, past.polls, { jobType: past.withClosings ? undefined : 'POLL' }),
    findDays(db, plantId, addDays(today, 1 - past.days), today),
  ]);
  // A pause is in the plant's row at once; the period ends when the loop has seen it.
  const isDue = plant.integration_status === 'ACTIVE' && period?.reason === 'ACTIVE';
  const workflowId = pollWorkflowId(plantId);
  return {
    nowMs,
    plant,
    devices: (row?.devices ?? []).map((device) => ({
      ...device,
      powerW: roundedW(device.powerW),
      todayEnergyKwh: roundedKwh(device.todayEnergyKwh),
    })),
    account: account ?? { id: accountId, name: accountId, has_credentials: false },
    nextSlotAt: isDue ? new Date(nextSlotAfter(period, Math.max(nowMs, period.fromMs - 1))) : null,
    nextClosingAt: isDue ? new Date(nextClosing(plantId, plant.timezone, nowMs).atMs) : null,
    alerts,
    polls,
    days: days.toReversed(),
    warnings: settingWarnings(plant),
    workflowId,
    workflowUrl: workflowLink(temporal.webUiUrl, temporal.namespace, workflowId),
  };
}
