import { sharedZone } from '../../../domain/zone.ts';
import type { AlertView } from '../../../db/plants/alerts.ts';
import type { AlertType } from '../../../domain/plants/facts.ts';
import { incidentSentence } from '../../../domain/plants/incidents.ts';
import type { Brand } from '../../../domain/plants/plant.ts';
import type { FleetRow } from '../fleet-row.ts';
import type { Reader } from './alert-parts.ts';
import type { IncidentLine } from './alerts.ts';

/** The types of alerts that a brand's incident explains. It never explains a vendor's own alarm. */
const explained: ReadonlySet<AlertType> = new Set(['OFFLINE', 'API_ERROR', 'LOW_GENERATION']);

/** Groups the alerts that a brand's incident explains under that incident. */
export function groupByIncident(
  alerts: readonly AlertView[],
  rows: readonly FleetRow[],
  reader: Reader,
): { alerts: AlertView[]; incidents: IncidentLine[] } {
  const affected = rows.filter((row) => row.incident_since !== null);
  const byBrand = Map.groupBy(affected, (row) => row.incident_brand);
  const incidents = [...byBrand].map(([brand, plants]): IncidentLine => {
    const ids = new Set(plants.map((plant) => plant.id));
    const ofBrand = rows.filter(
      (row) => row.integration_status === 'ACTIVE' && (brand === null || row.brand === brand),
    );
    return {
      brand,
      sentence: `${sinceSentence(brand, plants, reader)} ${plants.length} of ${ofBrand.length} plants`,
      alerts: alerts.filter((alert) => ids.has(alert.plant_id) && explained.has(alert.type)),
    };
  });
  const grouped = new Set(incidents.flatMap((incident) => incident.alerts));
  return { alerts: alerts.filter((alert) => !grouped.has(alert)), incidents };
}

/** The sentence of an incident, in the reader's zone, else in the one that all its plants share, else in UTC. */
function sinceSentence(
  brand: Brand | null,
  plants: readonly FleetRow[],
  { nowMs, zone }: Reader,
): string {
  const timezone = zone ?? sharedZone(plants);
  const sinceMs = Math.min(...plants.map((plant) => plant.incident_since?.getTime() ?? nowMs));
  return incidentSentence(brand, sinceMs, timezone, nowMs);
}
