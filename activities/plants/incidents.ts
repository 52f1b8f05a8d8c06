import {
  countBrands,
  findAnsweredProbes,
  findIncidents,
  writeIncidents,
} from '../../db/plants/incidents.ts';
import {
  decideIncidents,
  type Incident,
  type IncidentLimits,
} from '../../domain/plants/incidents.ts';
import type { ActivityDeps } from './deps.ts';

/** What one reconciliation did to incidents, by brand. `ALL` means all brands together: the fault is ours. */
export interface IncidentsReport {
  opened: string[];
  closed: string[];
  /** Plants whose pause for refused credentials was lifted, because the vendor was at fault. */
  lifted: string[];
}

/** Opens, follows and closes the incidents of brands by their plants' newest polls. */
export async function judgeIncidents(
  deps: Pick<ActivityDeps, 'db' | 'log'>,
  nowMs: number,
  limits: IncidentLimits,
): Promise<IncidentsReport> {
  const { db, log } = deps;
  const before = await findIncidents(db);
  const counts = await countBrands(db, nowMs, limits.afterMs);
  const isHeld = before.some(({ heldAtMs }) => heldAtMs !== null);
  const probes = isHeld ? await findAnsweredProbes(db) : [];
  const decided = decideIncidents(before, { counts, probesAnswered: probes }, nowMs, limits);
  const { incidents, forgotten } = decided;
  if (incidents.length + forgotten.length === 0) return { opened: [], closed: [], lifted: [] };
  const lifted = await writeIncidents(db, before, decided, nowMs);
  const opened = incidents.filter(({ openedAtMs }) => openedAtMs === nowMs);
  const closed = incidents.filter(({ closedAtMs }) => closedAtMs !== null);
  for (const one of opened)
    log.warn(fields(one), 'brand incident opened: alerts of its plants are not announced');
  for (const one of closed) log.info(fields(one), 'brand incident closed');
  if (lifted.length > 0)
    log.warn({ plants: lifted.length }, 'refused credentials are held back: their plants go on');
  return { opened: opened.map(nameOf), closed: closed.map(nameOf), lifted };
}

const nameOf = ({ brand }: Incident) => brand ?? 'ALL';

function fields(incident: Incident): object {
  return {
    brand: nameOf(incident),
    since: new Date(incident.failingSinceMs).toISOString(),
    plantsFailed: incident.plantsFailed,
    plantsActive: incident.plantsActive,
    errors: incident.errors,
  };
}
