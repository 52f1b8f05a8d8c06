import { sql } from 'kysely';

import { countByMinute, type PolledMinute, readLateness } from '../../db/plants/polling.ts';
import type { ApiDeps } from '../deps.ts';
import type { Health, HealthReader } from './health.ts';

/** What the system page shows beside the checks. */
export interface SystemView {
  health: Health;
  /** Each of the last 60 minutes, the oldest first. */
  minutes: PolledMinute[];
  /** Of the last hour, ms. */
  lateness: { p50: number; p99: number } | null;
  oldestDueSlotAgeMs: number | null;
  versions: (readonly [string, string])[];
}

const hourMs = 3_600_000;

export async function readSystem(deps: ApiDeps, healthReader: HealthReader): Promise<SystemView> {
  const nowMs = deps.clock();
  const [health, minutes, lateness, postgres] = await Promise.all([
    healthReader.read(),
    countByMinute(deps.db, nowMs, 60),
    readLateness(deps.db, nowMs - hourMs),
    sql<{ version: string }>`select current_setting('server_version') as version`.execute(deps.db),
  ]);
  const oldest = health.pulse?.oldestDueAt;
  return {
    health,
    minutes,
    lateness,
    oldestDueSlotAgeMs: oldest == null ? null : Math.max(0, nowMs - oldest.getTime()),
    versions: [
      ['Heliograph', deps.version],
      ['Node', process.versions.node],
      ['PostgreSQL', postgres.rows[0]?.version ?? ''],
      ['Temporal', health.temporalVersion ?? 'not known'],
    ],
  };
}
