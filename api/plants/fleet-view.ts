import type { Kysely } from 'kysely';

import { listPlants, type PlantView } from '../../db/plants/plants.ts';
import { type RecentDays, readRecentDays } from '../../db/plants/recent-days.ts';
import { allPlants, type PlantScope } from '../../db/scope.ts';
import type { Database } from '../../db/tables.ts';
import { minuteMs } from '../../domain/zone.ts';
import { type FleetRow, fleetRow } from './fleet-row.ts';

/** The lines of all plants at `takenAtMs`, worst first. */
export interface Fleet {
  takenAtMs: number;
  rows: readonly FleetRow[];
}

/** The whole fleet's lines in memory: lists filter, sort and cut pages from them. */
export interface FleetView {
  /** The fleet, at most 2 s old. It holds all customers' plants: see `scopedRows`. */
  read(): Promise<Fleet>;
  /** Drops the kept fleet: the next `read` waits for a new one. */
  invalidate(): void;
}

/** A younger fleet is returned as it is. */
const freshMs = 1_000;
/** A younger fleet is returned while the next one is read, so that requests seldom wait. */
const usableMs = 2_000;
/** A plant's days are read again after each poll and after this time, because closings and late uploads also change days. */
const daysKeptMs = 10 * minuteMs;

interface KeptDays {
  lastSlotMs: number | null;
  readAtMs: number;
  recent: RecentDays | undefined;
}

/** @param clock ms since the epoch. */
export function createFleetView(db: Kysely<Database>, clock: () => number): FleetView {
  const daysOf = new Map<string, KeptDays>();
  let fleet: Fleet | null = null;
  let flight: Promise<Fleet> | null = null;
  let generation = 0;

  async function refreshDays(plants: readonly PlantView[], nowMs: number): Promise<void> {
    const known = new Set(plants.map((plant) => plant.id));
    for (const id of daysOf.keys()) if (!known.has(id)) daysOf.delete(id);
    const outdated = plants.filter((plant) => {
      const kept = daysOf.get(plant.id);
      return (
        kept === undefined ||
        kept.lastSlotMs !== (plant.last_slot?.getTime() ?? null) ||
        nowMs - kept.readAtMs > daysKeptMs
      );
    });
    if (outdated.length === 0) return;
    const recent = await readRecentDays(
      db,
      outdated.map((plant) => plant.id),
      nowMs,
    );
    for (const plant of outdated) {
      daysOf.set(plant.id, {
        lastSlotMs: plant.last_slot?.getTime() ?? null,
        readAtMs: nowMs,
        recent: recent.get(plant.id),
      });
    }
  }

  async function take(): Promise<Fleet> {
    const takenAtMs = clock();
    const plants = await listPlants(db, {}, allPlants);
    await refreshDays(plants, takenAtMs);
    const rows = plants.map((plant) => fleetRow(plant, daysOf.get(plant.id)?.recent, takenAtMs));
    return { takenAtMs, rows };
  }

  function refresh(): Promise<Fleet> {
    if (flight !== null) return flight;
    const startedIn = generation;
    const mine = take()
      .then((taken) => {
        if (startedIn === generation) fleet = taken;
        return taken;
      })
      .finally(() => {
        if (flight === mine) flight = null;
      });
    flight = mine;
    return mine;
  }

  return {
    async read() {
      const ageMs = fleet === null ? Infinity : clock() - fleet.takenAtMs;
      if (fleet === null || ageMs >= usableMs) return refresh();
      // A failing refresh rejects at the next read that waits for one.
      if (ageMs >= freshMs) refresh().catch(() => {});
      return fleet;
    },
    invalidate() {
      generation += 1;
      fleet = null;
      flight = null;
    },
  };
}

const scopedByFleet = new WeakMap<Fleet, Map<string | null, readonly FleetRow[]>>();

/** The lines within the scope, worst first. */
export function scopedRows(fleet: Fleet, scope: PlantScope): readonly FleetRow[] {
  if (scope.customerId === null) return fleet.rows;
  const byCustomer = scopedByFleet.get(fleet) ?? new Map<string | null, readonly FleetRow[]>();
  scopedByFleet.set(fleet, byCustomer);
  const known = byCustomer.get(scope.customerId);
  if (known !== undefined) return known;
  const rows = fleet.rows.filter((row) => row.customer_id === scope.customerId);
  byCustomer.set(scope.customerId, rows);
  return rows;
}
