import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import { cpuMsOf, machineBusyMs } from '../processes.ts';
import { type Arena, openArena } from './arena.ts';
import { driftMs, judge, recoveryMs, type Verdict } from './judge.ts';
import type { Row, Sustained } from './rows.ts';
import { type Engine, Supervisor } from './supervisor.ts';
import { readVendorLog } from './vendor-log.ts';

/** Runs one row for one engine, once. */
export interface RowResult extends Verdict {
  row: string;
  engine: Engine;
  plants: number;
  interval_s: number;
  seconds: number;
  /** From the fault until slots are polled in time again, ms; null: not within the run, or no fault. */
  recovery_ms: number | null;
  drift_ms: number | null;
  /** CPU time of an answer: of the whole machine, and of worker and servers only. Only in rows without a fault that run alone. */
  cpu_ms_per_poll: { machine: number; processes: number } | null;
  /** Number of times that the worker ended by itself. */
  crashes: number;
}

const warmUpMsMax = 300_000;
const lookPauseMs = 250;
/** A late loop writes its missed slots at its next poll; the bench waits this number of intervals for it, and at least this time. */
const settleIntervals = 3;
/** Two hanging requests and the pause between them. */
const settleMsMin = 30_000;
/** An engine that writes nothing for this time has finished; a plant may hang in a request for 8 s. */
const silenceMs = 15_000;

export async function runRow(
  row: Row,
  engine: Engine,
  options: { seed: number; sustained: Sustained; signal: AbortSignal; watchPart: number },
): Promise<{ result: RowResult; versions: Arena['versions'] }> {
  const { seed, signal } = options;
  const plants = row.plants(engine, options.sustained);
  const isOurs = engine === 'heliograph';
  const arena = await openArena({
    needsTemporal: isOurs,
    isRedisDurable: row.isRedisDurable && !isOurs,
    plants,
    intervalS: row.intervalS,
    signal,
  });
  let supervisor: Supervisor | null = null;
  try {
    const logFile = join(arena.dir, 'vendor.log');
    const vendor = { logFile, seed, temper: row.temper };
    supervisor = await Supervisor.start({ engine, env: arena.env, vendor });
    await untilAllPolled(arena, signal);
    // By then everything has run once, loops and jobs are on their slots, and the work of the first polls is done.
    await delay(row.intervalS * 1_000, undefined, { signal });
    const watched = await watch(row, { arena, supervisor, signal, part: options.watchPart });
    await settle(arena, watched.toMs, row.intervalS * 1_000, signal);
    await supervisor.stop();
    const { verdict, slots } = judge({
      plants: arena.plants,
      calls: readVendorLog(logFile),
      rows: await readRows(arena, watched),
      ...watched,
    });
    const { faultAtMs } = watched;
    return {
      versions: arena.versions,
      result: {
        row: row.name,
        engine,
        plants,
        interval_s: row.intervalS,
        seconds: (watched.toMs - watched.fromMs) / 1_000,
        ...verdict,
        recovery_ms: faultAtMs === null ? null : recoveryMs(slots, faultAtMs),
        drift_ms: row.cycles === undefined ? null : driftMs(slots, row.cycles),
        cpu_ms_per_poll: watched.cpuMs === null ? null : perPoll(watched.cpuMs, verdict.answers),
        crashes: supervisor.crashes,
      },
    };
  } finally {
    await supervisor?.stop();
    await arena.stop();
  }
}

/** The first poll of a plant (its first alarms, gaps of three days) is not measured. */
async function untilAllPolled({ db, plants }: Arena, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + warmUpMsMax;
  for (;;) {
    const { polled } = await db
      .selectFrom('poll_logs')
      .select(({ fn }) => fn.count<number>('plant_id').distinct().as('polled'))
      .where('job_type', '=', 'POLL')
      .executeTakeFirstOrThrow();
    if (polled >= plants.length) return;
    if (performance.now() > endsAt) {
      throw new Error(`${polled} of ${plants.length} plants polled after ${warmUpMsMax / 1_000} s`);
    }
    await delay(lookPauseMs, undefined, { signal });
  }
}

interface Watched {
  fromMs: number;
  toMs: number;
  faultAtMs: number | null;
  cpuMs: { machine: number; processes: number } | null;
}

async function watch(
  row: Row,
  subject: { arena: Arena; supervisor: Supervisor; signal: AbortSignal; part: number },
): Promise<Watched> {
  const { arena, supervisor, signal, part } = subject;
  const { redis } = arena;
  const before = readCpu(arena, supervisor);
  const fromMs = Date.now();
  const until = (atMs: number) =>
    delay(Math.max(0, atMs - Date.now()), undefined, { signal, ref: true });
  let faultAtMs: number | null = null;
  if (row.fault !== null) {
    await until(fromMs + row.faultAfterMs);
    faultAtMs = Date.now();
    await row.fault({ supervisor, redis });
  }
  await until(fromMs + part * row.watchMs);
  const toMs = Date.now();
  const after = readCpu(arena, supervisor);
  const cpuMs =
    row.fault !== null || row.isTogether === true || supervisor.crashes > 0
      ? null
      : {
          machine: after.machine - before.machine,
          processes: after.processes - before.processes,
        };
  return { fromMs, toMs, faultAtMs, cpuMs };
}

function readCpu(arena: Arena, supervisor: Supervisor) {
  const pids = [...arena.serverPids(), supervisor.pid ?? 0];
  return {
    machine: machineBusyMs(),
    processes: pids.reduce((sum, pid) => sum + (pid === 0 ? 0 : cpuMsOf(pid)), 0),
  };
}

function perPoll(cpuMs: { machine: number; processes: number }, polls: number) {
  return { machine: cpuMs.machine / polls, processes: cpuMs.processes / polls };
}

/**
 * Waits until every plant has a row of its last judged slot or a later one, and so of all earlier missed slots, or until
 * nothing writes any more.
 */
async function settle(
  { db, plants }: Arena,
  toMs: number,
  intervalMs: number,
  signal: AbortSignal,
): Promise<void> {
  const beganAt = performance.now();
  const limitMs = Math.max(settleMsMin, settleIntervals * intervalMs);
  let wroteAt = beganAt;
  let before = 0;
  while (performance.now() < beganAt + limitMs && performance.now() < wroteAt + silenceMs) {
    const { settled, written } = await db
      .selectFrom('poll_logs')
      .select(({ fn }) => [
        fn.count<number>('plant_id').distinct().as('settled'),
        fn.countAll<number>().as('written'),
      ])
      .where('job_type', '=', 'POLL')
      .where('scheduled_for', '>', new Date(toMs - 2 * intervalMs))
      .executeTakeFirstOrThrow();
    if (settled >= plants.length) return;
    if (written !== before) wroteAt = performance.now();
    before = written;
    await delay(lookPauseMs, undefined, { signal });
  }
}

/** The slots that have a row of any kind. */
async function readRows(
  { db }: Arena,
  { fromMs, toMs }: Watched,
): Promise<Map<string, Set<number>>> {
  const result = await sql<{ plant_id: string; scheduled_for: Date }>`
    select plant_id, scheduled_for from poll_logs
    where job_type = 'POLL' and scheduled_for >= ${new Date(fromMs)} and scheduled_for < ${new Date(toMs)}`.execute(
    db,
  );
  const rows = new Map<string, Set<number>>();
  for (const { plant_id: id, scheduled_for: at } of result.rows) {
    const slots = rows.get(id) ?? new Set();
    slots.add(at.getTime());
    rows.set(id, slots);
  }
  return rows;
}
