import {
  findToldAlerts,
  findToldIncidents,
  type FleetBrief,
  readFleetBrief,
  type ToldAlert,
  type ToldIncident,
} from '../../db/plants/notices.ts';
import { readPulse } from '../../db/plants/polling.ts';
import type { Db } from '../../db/database.ts';
import type { OutboxRow } from '../../db/outbox.ts';
import type { Notice } from '../../domain/notice.ts';
import { incidentSentence } from '../../domain/plants/incidents.ts';
import { type Brand, brandName } from '../../domain/plants/plant.ts';
import { hasStopped } from '../../domain/stopped.ts';
import { counted, energyText, localTimeText, percentText } from '../../domain/wording.ts';
import { noticeHead, type ReadNotices } from '../notices.ts';

/** Notifications of plants and of incidents in words, and the fleet in a few lines. */

/** What to do about an alert that our rules raised; a vendor's alarm says it itself. */
const actions: Readonly<Partial<Record<ToldAlert['type'], string>>> = {
  OFFLINE: 'Check the logger and its network; the vendor has no data either.',
  API_ERROR: "Check the account's rights and credentials at the vendor.",
  LOW_GENERATION: 'Compare the inverters; look for shade, snow, soiling or a tripped string.',
  DEVICE_DOWN: 'Check this inverter on site: the others of the plant produce.',
};

/** Notifications of plants' alerts. */
export const readPlantNotices: ReadNotices = async (db, rows) => {
  const alerts = await findToldAlerts(
    db,
    rows.flatMap(({ alertId }) => alertId ?? []),
  );
  const byId = new Map(alerts.map((alert) => [alert.alertId, alert]));
  return rows.flatMap((row) => {
    const alert = row.alertId === null ? undefined : byId.get(row.alertId);
    return alert === undefined ? [] : [alertNotice(row, alert)];
  });
};

function alertNotice(row: OutboxRow, alert: ToldAlert): Notice {
  const what = [alert.type, alert.vendorText, alert.deviceSn].filter((word) => word !== null);
  return {
    ...noticeHead(row, alert.state === 'RESOLVED'),
    isAcknowledged: alert.state === 'ACKED',
    brand: alert.brand,
    customerId: alert.customerId,
    plantId: alert.plantId,
    name: alert.plantName,
    what: what.join(' '),
    sinceMs: alert.startedAtMs,
    timezone: alert.timezone,
    why:
      alert.resolvedAtMs === null
        ? alert.message
        : `Over since ${localTimeText(alert.resolvedAtMs, alert.timezone)}. It was: ${alert.message}`,
    cost: costOf(alert),
    action: row.isEnd ? null : (actions[alert.type] ?? null),
    path: `/plants/${encodeURIComponent(alert.plantId)}`,
  };
}

function costOf({ estimatedLostKwh, atRiskKwh }: ToldAlert): string | null {
  if (estimatedLostKwh !== null && estimatedLostKwh > 0)
    return `about ${energyText(estimatedLostKwh)} lost`;
  return atRiskKwh !== null && atRiskKwh > 0 ? `${energyText(atRiskKwh)} unseen` : null;
}

/** Notifications of brand incidents. */
export const readIncidentNotices: ReadNotices = async (db, rows, nowMs) => {
  const ids = rows.map(({ subjectId }) => subjectId);
  const incidents = new Map((await findToldIncidents(db, ids)).map((one) => [String(one.id), one]));
  return rows.flatMap((row) => {
    const incident = incidents.get(row.subjectId);
    return incident === undefined ? [] : [incidentNotice(row, incident, nowMs)];
  });
};

function incidentNotice(row: OutboxRow, incident: ToldIncident, nowMs: number): Notice {
  const { brand, failingSinceMs, closedAtMs, plantsFailed, plantsActive, errors } = incident;
  const named = Object.entries(errors)
    .toSorted(([, a], [, b]) => b - a)
    .map(([type, plants]) => `${type} ${plants}`);
  const extent = `${plantsFailed} of ${counted(plantsActive, 'plant')} fail (${named.join(', ')}).`;
  const sentence = incidentSentence(incident, 'UTC', nowMs);
  return {
    ...noticeHead(row, closedAtMs !== null),
    isAcknowledged: false,
    brand,
    customerId: null,
    plantId: null,
    name: brand === null ? 'Our side' : brandName(brand),
    what: row.isEnd ? 'answers again' : 'not answering',
    sinceMs: failingSinceMs,
    timezone: 'UTC',
    why: closedAtMs === null ? `${sentence} ${extent}` : sentence,
    cost: null,
    action: row.isEnd ? null : incidentAction(brand),
    path: '/alerts',
  };
}

function incidentAction(brand: Brand | null): string {
  return brand === null
    ? 'Check the way to the Internet: no vendor answers.'
    : 'Nothing on the plants: wait for the vendor, whose status page may say more.';
}

/** The fleet in at most ten lines; empty if there is nothing that a person should look at and no energy to tell of. */
export async function readPlantsBrief(
  db: Db,
  scope: { customerIds: readonly string[]; brands: readonly string[] },
  nowMs: number,
): Promise<string[]> {
  return briefLines(await readFleetBrief(db, scope, nowMs));
}

/** @example ['2 plants are red: Norte 4, Vale 2.', 'Yesterday: 8,412.0 kWh, 97 % of the 7-day median (190 of 196 plants).'] */
export function briefLines(brief: FleetBrief): string[] {
  const { active, red, yellow, notPolled, redNames, yesterdayKwh, lostKwh, repaired } = brief;
  if (active === 0) return [];
  const lines: string[] = [];
  const more = red > redNames.length ? ' …' : '';
  if (red > 0)
    lines.push(`${counted(red, 'plant is', 'plants are')} red: ${redNames.join(', ')}${more}.`);
  if (yellow > 0) lines.push(`${counted(yellow, 'plant is', 'plants are')} yellow.`);
  if (notPolled > 0)
    lines.push(`${counted(notPolled, 'plant was', 'plants were')} not polled in time.`);
  if (red + yellow + notPolled === 0) lines.push(`All ${counted(active, 'plant')} are well.`);
  if (yesterdayKwh !== null)
    lines.push(`Yesterday: ${energyText(yesterdayKwh)}${comparison(brief)}.`);
  if (lostKwh !== null && lostKwh > 0)
    lines.push(`Open alerts have cost about ${energyText(lostKwh)}.`);
  if (repaired.length > 0)
    lines.push(`Well again since yesterday evening: ${repaired.join(', ')}.`);
  return lines;
}

function comparison({ compared, active, comparedKwh, medianKwh }: FleetBrief): string {
  if (comparedKwh === null || medianKwh === null || medianKwh === 0) return '';
  return `, ${percentText(comparedKwh / medianKwh)} of the 7-day median (${compared} of ${counted(active, 'plant')})`;
}

/** Whether polling has stopped, as a sentence; null: it goes on. */
export async function findPollingTrouble(db: Db, nowMs: number): Promise<string | null> {
  const { active, unpolled } = await readPulse(db, nowMs);
  return hasStopped(unpolled, active)
    ? `${unpolled} of ${counted(active, 'plant')} were not polled in time`
    : null;
}
