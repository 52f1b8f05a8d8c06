import type { PlantView } from '../db/plants.ts';
import { incidentSentence } from '../domain/incidents.ts';
import { statusSentence } from '../domain/status.ts';
import { sinceText } from './render.ts';

/** Plants as the commands show them. */

/** The reason of the plant's status as a sentence. */
export function plantSentence(plant: PlantView, nowMs: number): string {
  const incident =
    plant.incident_since === null
      ? ''
      : `${incidentSentence(plant.incident_brand, plant.incident_since.getTime(), plant.timezone, nowMs)} `;
  return (
    incident +
    statusSentence(plant.status_reason, {
      nowMs,
      timezone: plant.timezone,
      lastSeenAtMs: plant.last_seen_at?.getTime() ?? null,
      lastSeenSource: plant.last_seen_source,
      activatedAtMs: plant.activated_at?.getTime() ?? null,
      lastError: plant.last_poll?.error ?? null,
      redAlerts: plant.red_alerts,
      lowGenerationAlert: plant.low_generation_alert,
    })
  );
}

/** The colour's word; of a stale plant, first of all since when it was not polled. */
export function statusWords(plant: PlantView, nowMs: number): string {
  if (!plant.stale) return plant.status;
  const since = plant.last_polled_at ?? plant.activated_at;
  const text = since === null ? 'it was added' : sinceText(since, plant.timezone, nowMs);
  return `not polled since ${text}: ${plant.status}`;
}

/** For machines: snake_case, instants as ISO 8601. */
export function plantJson(plant: PlantView, nowMs: number): object {
  const { last_poll: _, red_alerts: __, low_generation_alert: ___, ...columns } = plant;
  return { ...columns, status_sentence: plantSentence(plant, nowMs) };
}
