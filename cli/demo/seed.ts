import type { Kysely } from 'kysely';

import { Breaker } from '../../activities/plants/breaker.ts';
import { createPlantActivities } from '../../activities/create.ts';
import { type MasterKeys, sealCredentials } from '../../db/sealing.ts';
import type { ActivityDeps } from '../../activities/plants/deps.ts';
import { createVendors } from '../../activities/plants/vendor.ts';
import { createFixtureAdapter, registry } from '../../adapters/clouds/registry.ts';
import { findAccounts, insertAccount, replaceCredentials } from '../../db/plants/credentials.ts';
import { noLocks } from '../../db/lock.ts';
import { markFinished, markUnfinished, removeUnfinished } from '../../db/plants/demo-unfinished.ts';
import { findTakenPlants, insertPlants, updatePlants } from '../../db/plants/plants.ts';
import type { Database } from '../../db/tables.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { addDays, dayMs, localDateAt } from '../../domain/zone.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import { demoChoices, type DemoPlant, demoPlantsAt, generatedPlant } from './fleet.ts';
import type { Log } from '../../environment/log.ts';
import { playPlant, type Player } from './play.ts';

/** Number of past days whose snapshots come from the vendors' series. */
const pastDays = 30;
/** The part of the past that is played poll by poll, ms. */
const playedMs = dayMs;
/** Interval of the played past, also if the demo has another one. */
const playedIntervalS = 600;
/** Number of last slots that are played at the demo's own interval. */
const lastSlotsPlayed = 5;
/** Plants played at once: as many as two cores and one database manage. */
const playedAtOnce = 4;

export interface SeedOptions {
  db: Kysely<Database>;
  masterKeys: MasterKeys;
  /** Number of generated ordinary plants. */
  generated: number;
  intervalS: number;
  log: Log;
  /** Shows a line to the person. */
  progress: (line: string) => void;
  /** Aborted: the seeding ends, with the signal's reason as its error. The next one finishes it. */
  signal?: AbortSignal;
}

/**
 * Creates the demo's twelve plants with their past, and generated plants up to the wanted number. Existing plants stay as they
 * are, except those that an earlier seeding left without their whole past: they are made anew.
 *
 * @returns the number of created plants.
 */
export async function seedDemo(options: SeedOptions): Promise<{ demo: number; generated: number }> {
  const { db, progress } = options;
  const nowMs = Date.now();
  const unfinished = await removeUnfinished(db);
  if (unfinished > 0) progress(`an earlier seeding was cut off: it is finished now`);
  const fresh = await missingOf(db, demoPlantsAt(nowMs));
  if (fresh.length > 0) {
    progress(
      `seeding ${fresh.length} demo plants: ${pastDays} days of energy and the last 24 hours, poll by poll`,
    );
    await insertDemo(options, fresh, {
      intervalS: playedIntervalS,
      activatedAtMs: nowMs - (pastDays + 1) * dayMs,
      isUnfinished: true,
    });
    await playPast(options, fresh, nowMs);
  }
  const wanted = Array.from({ length: options.generated }, (_, n) => generatedPlant(n));
  const generated = await missingOf(db, wanted);
  if (generated.length > 0) {
    await insertDemo(options, generated, { intervalS: options.intervalS, activatedAtMs: nowMs });
    progress(`added ${generated.length} generated plants`);
  }
  return { demo: fresh.length, generated: generated.length };
}

/** The plants whose ids are not in the database. */
async function missingOf(db: Kysely<Database>, plants: readonly DemoPlant[]): Promise<DemoPlant[]> {
  const known = new Set((await findTakenPlants(db, plants)).map(({ id }) => id));
  return plants.filter(({ id }) => !known.has(id));
}

/** Adds plants with their accounts and invented credentials. */
export async function insertDemo(
  options: Pick<SeedOptions, 'db' | 'masterKeys'>,
  plants: readonly DemoPlant[],
  row: { intervalS: number; activatedAtMs: number; isUnfinished?: boolean },
): Promise<void> {
  await options.db.transaction().execute(async (trx) => {
    const accounts = new Map(plants.map(({ account, brand }) => [account, brand]));
    for (const { id } of await findAccounts(trx, [...accounts.keys()])) accounts.delete(id);
    for (const [account, brand] of accounts) {
      await insertAccount(trx, { id: account, brand, name: account });
      await replaceCredentials(
        trx,
        sealCredentials(options.masterKeys, account, demoCredentials(brand, account)),
      );
    }
    await insertPlants(
      trx,
      plants.map(({ account, active, strict, ...plant }) => ({
        ...plant,
        status_profile: strict === true ? ('STRICT' as const) : ('DAYLIGHT' as const),
        vendor_account_id: account,
        poll_interval_s: row.intervalS,
        integration_status: active ? ('ACTIVE' as const) : ('PENDING_DOCS' as const),
        ...(active ? { activated_at: new Date(row.activatedAtMs) } : {}),
      })),
    );
    if (row.isUnfinished === true)
      await markUnfinished(
        trx,
        plants.map(({ id }) => id),
      );
  });
}

/** Invented values for the brand's credential fields; a host is one of the vendor's real regions. */
export function demoCredentials(brand: Brand, account: string): Record<string, string> {
  const secrets = registry[brand].definition.credentialFields.map((field) => [
    field,
    field === 'host' ? 'eu1' : `demo-${account}-${field}`,
  ]);
  return { ...Object.fromEntries(secrets), ...demoChoices[account] };
}

async function playPast(
  options: SeedOptions,
  plants: readonly DemoPlant[],
  nowMs: number,
): Promise<void> {
  const beganAt = performance.now();
  const waiting = plants.values();
  let done = 0;
  const ends = await Promise.allSettled(
    Array.from({ length: playedAtOnce }, async () => {
      for (const plant of waiting) {
        await playOne(options, plant, nowMs);
        done += 1;
        options.progress(
          `  ${done} of ${plants.length}: ${plant.name} (${((performance.now() - beganAt) / 1000).toFixed(0)} s)`,
        );
      }
    }),
  );
  // Only now, when no play uses the database any more.
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

async function playOne(options: SeedOptions, plant: DemoPlant, nowMs: number): Promise<void> {
  const { db } = options;
  const player = createPlayer(options, plant.id);
  const fromMs = nowMs - playedMs;
  if (plant.active) {
    player.setClock(fromMs);
    const today = localDateAt(fromMs, plant.timezone);
    const dates = Array.from({ length: pastDays }, (_, index) => addDays(today, index - pastDays));
    await player.activities.backfillDays({
      plantId: plant.id,
      dates,
      nowMs: fromMs,
      source: 'BACKFILL',
    });
  }
  // The last slots are played at the demo's own interval, up to now, so that no plant looks stale at the start. The loops
  // continue from there.
  const switchMs = nowMs - lastSlotsPlayed * options.intervalS * 1_000;
  await playPlant(player, plant.id, fromMs, Math.max(fromMs, switchMs));
  await updatePlants(db, [plant.id], { poll_interval_s: options.intervalS });
  await playPlant(player, plant.id, Math.max(fromMs, switchMs), Date.now());
  await markFinished(db, plant.id);
}

/** The production activities on a clock of their own. They need no locks: no loop polls a plant before it is complete. */
function createPlayer(options: SeedOptions, plantId: string): Player {
  let clockMs = 0;
  const deps: ActivityDeps = {
    db: options.db,
    locks: noLocks,
    lockDomain: 'seed',
    vendors: createVendors({ masterKeys: options.masterKeys, openAdapter: createFixtureAdapter }),
    breaker: new Breaker(),
    // It plays recorded days: nothing is sent.
    isHalted: async () => false,
    clock: () => clockMs,
    log: options.log,
    pollCourse: 'WHOLE',
    checkpoint: async () => {},
  };
  const { signal } = new AbortController();
  const workflowId = pollWorkflowId(plantId);
  const call = { workflowId, runId: 'seed', isLocal: false, signal, heartbeat: () => {} };
  return {
    activities: createPlantActivities(deps, () => call),
    setClock: (ms) => (clockMs = ms),
    signal: options.signal,
  };
}
