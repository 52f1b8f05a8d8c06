import type { IncidentView } from '../../db/plants/incidents.ts';
import { incidentSentence } from '../../domain/plants/incidents.ts';
import { counted } from '../../domain/wording.ts';
import type { ReaderZone } from '../../domain/zone.ts';

/** Incidents as people see them: the same in API, pages and commands. */

/** "HUAWEI not answering since 10:00 UTC+2. 21 of 21 plants fail.", by the reader's zone or the one of its plants. */
export function incidentWords(
  incident: IncidentView,
  nowMs: number,
  zone: ReaderZone = null,
): string {
  const { brand, timezone, plants_failed: failed, plants_active: active, closed_at } = incident;
  const times = {
    brand,
    failingSinceMs: incident.since.getTime(),
    recoveringSinceMs: incident.recovering_since?.getTime() ?? null,
    closedAtMs: closed_at?.getTime() ?? null,
  };
  const sentence = incidentSentence(times, zone ?? timezone, nowMs);
  if (failed === null) return sentence;
  return closed_at === null
    ? `${sentence} ${failed} of ${counted(active, 'plant')} ${failed === 1 && active === 1 ? 'fails' : 'fail'}.`
    : `${sentence} Up to ${counted(failed, 'plant')} failed.`;
}

/** "12 alerts kept, none announced"; of a closed incident the alerts that it explains. */
export function incidentAlertWords({ alerts, closed_at }: IncidentView): string {
  const count = counted(alerts, 'alert');
  return closed_at === null ? `${count} kept, none announced` : `${count} in it`;
}

/** An incident as JSON. */
export function incidentJson(incident: IncidentView, nowMs: number) {
  return {
    id: incident.id,
    brand: incident.brand,
    state: incident.closed_at === null ? ('open' as const) : ('closed' as const),
    sentence: incidentWords(incident, nowMs),
    since: incident.since.toISOString(),
    opened_at: incident.opened_at.toISOString(),
    recovering_since: incident.recovering_since?.toISOString() ?? null,
    closed_at: incident.closed_at?.toISOString() ?? null,
    plants_failed: incident.plants_failed,
    plants_active: incident.plants_active,
    alerts: incident.alerts,
    errors: incident.errors,
  };
}
