import { describe, expect } from 'vitest';

import { pollLogRow } from '../activities/plants/poll-log.ts';
import { applyAlertChanges } from '../db/alerts.ts';
import { plantSubject, readAlertsBefore, writePlantChanges } from '../db/plants/alerts.ts';
import { ackAlert, silencePlants } from '../db/plants/alerts-in-hand.ts';
import { allPlants } from '../db/scope.ts';
import { findCredentials, insertAccount, replaceCredentials } from '../db/plants/credentials.ts';
import { type Db, instant } from '../db/database.ts';
import { findOpenPeriod, replacePeriod, wasActiveBetween } from '../db/ledger/periods.ts';
import { plantLedger } from '../db/plants/ledger.ts';
import {
  findPlant,
  insertPlants,
  pauseAccount,
  pausePlants,
  plantFacts,
  resumeAccount,
  resumePlants,
  updatePlants,
} from '../db/plants/plants.ts';
import { readFetchBefore } from '../db/plants/polls.ts';
import {
  findBookedTotals,
  findLastSlot,
  hasDailyLog,
  insertMissed,
  insertPollLog,
} from '../db/plants/poll-logs.ts';
import {
  findClaims,
  findDays,
  forgetGaps,
  readDayBefore,
  recordGap,
  writeLiveDay,
  writeProposal,
  writeSeriesDay,
  writeTotalsByTime,
} from '../db/plants/snapshots.ts';
import type { Brand } from '../domain/plants/plant.ts';
import type { TestDatabase } from '../test/support/database.ts';
import { database, test } from '../test/support/test-database.ts';
import type { PollRow, Store, StoredPlant } from './store.ts';
import { drawLife } from './life.ts';
import { runSeed } from './run.ts';

/**
 * The store of the simulation against PostgreSQL: everything that a simulated life reads and writes is played again on a
 * database, call by call, and every answer must be the same.
 */

type Method = Extract<
  {
    [Name in keyof Store]: Store[Name] extends (...args: never[]) => unknown ? Name : never;
  }[keyof Store],
  string
>;

interface Call {
  method: Method;
  args: unknown[];
  result: unknown;
}

const days = 4;
const by = { actor: 'simulation', requestId: null };
const writer = { workflowId: 'simulated', runId: 'run' };

/** A store that remembers what it was asked, and what it said. */
function recorded(store: Store, calls: Call[]): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const call = { method: name as Method, args: structuredClone(args), result: undefined };
        calls.push(call);
        const result: unknown = Reflect.apply(value, target, args);
        call.result = structuredClone(result) as undefined;
        return result;
      };
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

/** The same call on the database; undefined where there is nothing to compare. */
type Play = (db: Db, brand: Brand, ...args: never[]) => Promise<unknown>;

const plays: Partial<Record<Method, Play>> = {
  async addPlant(db, brand, plant: StoredPlant) {
    await insertAccount(db, { id: plant.accountId, brand, name: 'Account' });
    if ((await findCredentials(db, plant.accountId)) === undefined)
      await replaceCredentials(db, sealedFor(plant.accountId));
    await insertPlants(db, [
      {
        id: plant.plantId,
        name: plant.plantId,
        customer_id: null,
        brand,
        vendor_account_id: plant.accountId,
        vendor_plant_id: plant.plantId,
        timezone: plant.timezone,
        latitude: plant.latitude,
        longitude: plant.longitude,
        installed_capacity_kw: plant.installedCapacityKw,
        poll_interval_s: plant.pollIntervalS,
        integration_status: plant.integrationStatus,
        activated_at: new Date(plant.activatedAtMs ?? 0),
        status_profile: plant.statusProfile,
      },
    ]);
    await db
      .updateTable('plants')
      .set({ status_since: new Date(plant.statusSinceMs) })
      .where('id', '=', plant.plantId)
      .execute();
  },
  async findPlant(db, _brand, id: string) {
    const row = await findPlant(db, id);
    if (row === undefined) return null;
    return {
      ...plantFacts(row),
      revision: row.revision,
      lastSlotMs: row.last_slot?.getTime() ?? null,
      lastPoll: row.last_poll,
      pausedUntilMs: row.paused_until?.getTime() ?? null,
      accountId: row.vendor_account_id,
    };
  },
  async readFetchBefore(db, _brand, id: string, slotMs: number) {
    const before = await readFetchBefore(db, id, slotMs);
    if (before === null) return null;
    const { claim, oldestVendorAlertMs } = before;
    return { plant: await plays.findPlant?.(db, _brand, id as never), claim, oldestVendorAlertMs };
  },
  readDayBefore: (db, _brand, id: string, nowMs: number) => readDayBefore(db, id, nowMs),
  async readAlertsBefore(db, _brand, id: string, ...times: [number, number, number]) {
    const [nowMs, measuredAtMs, endedSinceMs] = times;
    return (await readAlertsBefore(db, id, { nowMs, measuredAtMs, endedSinceMs }))?.before;
  },
  findDays: (db, _brand, id: string, from: string, to: string) => findDays(db, id, from, to),
  findClaims: (db, _brand, id: string, span: { fromMs: number; toMs: number }) =>
    findClaims(db, id, span),
  findLastSlot: (db, _brand, id: string) => findLastSlot(db, id),
  hasDailyLog: (db, _brand, id: string, atMs: number) => hasDailyLog(db, id, atMs),
  findBookedTotals: (db, _brand, id: string, date: string, fromMs: number, toMs: number) =>
    findBookedTotals(db, id, date, { fromMs, toMs }),
  findOpenPeriod: (db, _brand, id: string) => findOpenPeriod(db, plantLedger, id),
  wasActiveBetween: (db, _brand, id: string, fromMs: number, toMs: number) =>
    wasActiveBetween(db, plantLedger, id, { fromMs, toMs }),
  writeLiveDay: (db, _brand, ...args: Parameters<Store['writeLiveDay']>) => {
    const [plantId, slotMs, row, claim] = args;
    return writeLiveDay(db, plantId, slotMs, { row, claim });
  },
  writePlantChanges(db, _brand, ...args: Parameters<Store['writePlantChanges']>) {
    const [id, changes, fence, seenRevision] = args;
    return writePlantChanges(
      db,
      id,
      changes,
      fence.kind === 'SLOT' ? { ...fence, seenRevision } : fence,
    );
  },
  async applyAlertChanges(db, _brand, ...args: Parameters<Store['applyAlertChanges']>) {
    const [id, changes, nowMs] = args;
    const read = await readAlertsBefore(db, id, { nowMs });
    const active = read?.before.active ?? [];
    await applyAlertChanges(db, plantSubject(id), changes, { active, nowMs });
  },
  async pauseAccount(db, _brand, id: string) {
    return (await pauseAccount(db, id)).toSorted();
  },
  insertPollLog: (db, _brand, row: PollRow) =>
    insertPollLog(db, pollLogRow({ ...row, requestedAtMs: null }, writer)),
  insertMissed: (db, _brand, ...args: Parameters<Store['insertMissed']>) =>
    insertMissed(db, { ...args[1], plantId: args[0], ...writer }),
  writeSeriesDay: (db, _brand, ...args: Parameters<Store['writeSeriesDay']>) => {
    const [id, row, { oldKwh: oldEnergyKwh, source, atMs }] = args;
    return writeSeriesDay(db, id, row, { oldEnergyKwh, source, atMs });
  },
  writeProposal: (db, _brand, ...args: [string, string, number | null]) =>
    writeProposal(db, ...args),
  recordGap: (db, _brand, id: string, date: string) =>
    recordGap(db, id, date, { atMs: 0, note: 'tried' }),
  forgetGaps: (db, _brand, id: string) => forgetGaps(db, id),
  writeTotalsByTime: (db, _brand, ...args: [string, string, (number | null)[]]) =>
    writeTotalsByTime(db, ...args),
  replacePeriod: (db, _brand, ...[id, closeAtMs, period]: Parameters<Store['replacePeriod']>) =>
    replacePeriod(db, plantLedger, id, { closeAtMs, ...period }),
  async pausePlant(db, _brand, id: string, untilMs: number | null) {
    await pausePlants(db, [id], { until: instant(untilMs), reason: null });
  },
  async resumePlant(db, _brand, id: string, atMs: number) {
    await resumePlants(db, [id], new Date(atMs));
  },
  async setInterval(db, _brand, id: string, intervalS: number) {
    await updatePlants(db, [id], { poll_interval_s: intervalS });
  },
  async replaceCredentials(db, _brand, accountId: string, _version: number, atMs: number) {
    await replaceCredentials(db, sealedFor(accountId));
    await resumeAccount(db, accountId, new Date(atMs));
  },
};

function sealedFor(accountId: string) {
  return { accountId, keyVersion: 'simulated', iv: Buffer.alloc(12), sealed: Buffer.alloc(32) };
}

/** Both in one form: rows by their date, numbers to a millionth, and of each only what both know. */
function plain(value: unknown): unknown {
  // Interpolated values lie on a half at times, and the two engines a bit on either side of it.
  if (typeof value === 'number') return Math.round(value * 1e6 + 1e-3) / 1e6;
  if (value === undefined) return null;
  if (Array.isArray(value))
    return value
      .map(plain)
      .toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : sortKey(a) > sortKey(b) ? 1 : 0));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !unknownToBoth.has(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, plain(one)]));
}

/** What the callers of `findDays` and `findOpenPeriod` are not given by both. */
const unknownToBoth = new Set(['slotMs', 'claim', 'totalsByTime', 'toMs']);

function sortKey(value: unknown): string {
  return JSON.stringify(value);
}

/** Seeds of few polls and many events. */
const seeds = Array.from({ length: 400 }, (_, index) => String(index + 1))
  .filter((seed) => {
    const { plants, outages } = drawLife(seed, days);
    const isSlow = plants.every(({ intervalS }) => intervalS >= 1_800);
    const hasEvents = plants.some(({ alarms, acts }) => alarms.length > 3 && acts.length > 6);
    return isSlow && hasEvents && outages.length > 0;
  })
  .slice(0, 3);

describe('the store in memory', () => {
  test.each(seeds)(
    'says what PostgreSQL says, throughout the life of seed %s',
    async (seed) => {
      const calls: Call[] = [];
      const result = await runSeed(seed, days, (store) => recorded(store, calls));
      expect(result.violation).toBeNull();
      const brand = drawLife(seed, days).plants[0]?.brand ?? 'SOLIS';
      const ids = new Map<string, string>();
      const played = new Set<Method>();
      for (const [index, { method, args, result: expected }] of calls.entries()) {
        const answer = await play(database, brand, method, withIds(args, ids), ids);
        if (answer === notPlayed) continue;
        played.add(method);
        if (method === 'applyAlertChanges') await learnIds(database, calls, index, ids);
        expect(
          plain(withIds(answer, ids, 'back')),
          `call ${index}: ${method} ${JSON.stringify(args).slice(0, 300)}`,
        ).toEqual(plain(expected));
      }
      expect(played.size).toBeGreaterThan(20);
    },
    300_000,
  );
});

const notPlayed = Symbol('not played');

async function play(
  { db }: TestDatabase,
  brand: Brand,
  method: Method,
  args: unknown[],
  ids: ReadonlyMap<string, string>,
): Promise<unknown> {
  if (method === 'ackAlert') {
    const [, alertId, untilMs, atMs] = args as [string, string, number | null, number];
    await ackAlert(
      db,
      Number(ids.get(alertId)),
      { comment: null, until: instant(untilMs) },
      { by, at: new Date(atMs), scope: allPlants },
    );
    return undefined;
  }
  if (method === 'silencePlant') {
    const [id, untilMs] = args as [string, number];
    await silencePlants(
      db,
      [id],
      { until: new Date(untilMs), reason: null },
      { by, at: new Date() },
    );
    return undefined;
  }
  const one = plays[method];
  return one === undefined ? notPlayed : one(db, brand, ...(args as never[]));
}

/** Alerts are numbered by the database and by the store, each from its own first one. */
async function learnIds(
  { db }: TestDatabase,
  calls: readonly Call[],
  upTo: number,
  ids: Map<string, string>,
): Promise<void> {
  const raised = calls
    .slice(0, upTo + 1)
    .filter(({ method }) => method === 'applyAlertChanges')
    .flatMap(({ args }) => args[1] as { kind: string }[])
    .filter(({ kind }) => kind === 'RAISE' || kind === 'RECORD_ENDED').length;
  const rows = await db
    .selectFrom('alerts')
    .select('id')
    .orderBy('id', 'desc')
    .limit(raised)
    .execute();
  for (const [index, row] of rows.toReversed().entries())
    ids.set(String(index + 1), String(row.id));
}

/** Ids of alerts, in changes and answers, from one numbering to the other. */
function withIds<T>(value: T, ids: ReadonlyMap<string, string>, way?: 'back'): T {
  const known = way === 'back' ? new Map([...ids].map(([a, b]) => [b, a])) : ids;
  const change = (one: unknown, key: string): unknown => {
    if (key === 'id' && typeof one === 'string') return known.get(one) ?? one;
    if (Array.isArray(one)) return one.map((item) => change(item, ''));
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(
      Object.entries(one).map(([name, item]) => [name, change(item, name)]),
    );
  };
  return change(value, '') as T;
}
