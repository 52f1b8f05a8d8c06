import { setTimeout as delay } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { sql } from 'kysely';

import { query } from '../../db/database.ts';
import type { ManagedServer } from '../../stack/up.ts';
import { misbehaviours } from '../../stack/gateways/behaviour.ts';
import { type GatewayArena, openArena } from './arena.ts';
import {
  type BenchProcesses,
  countSettled,
  cpuPerPoll,
  firstPollAfterMs,
  gatewaysWalkedBy,
  memoryOf,
  readBenchVersions,
  readCounters,
  readDevices,
  readLate,
  readRowBytes,
  readSlots,
  type Window,
} from './figures.ts';
import { type BenchProcess, startProcess } from './walker.ts';
import { isWrongValue } from './wrong-values.ts';

/** The runs of the bench: each on a stack and a farm of its own. */

export interface RunOptions {
  gateways: number;
  intervalS: number;
  /** How long the fleet is watched. */
  seconds: number;
  say: (line: string) => void;
  signal: AbortSignal;
}

const warmUpMsMax = 300_000;
const lookPauseMs = 500;
/** The newest slots may still wait for their batch. */
const settleMarginMs = 1_000;
const settleMsMax = 120_000;
/** A walker that has come to rest is measured; its first polls open all sockets. */
const restIntervals = 1;

interface Running extends BenchProcesses {
  arena: GatewayArena;
  walkers: BenchProcess[];
  options: RunOptions;
}

/** Opens an arena, polls until every gateway has a row, runs, and ends everything. */
async function onArena<Result>(
  options: RunOptions & { isHostile?: boolean; walkers?: number },
  run: (running: Running) => Promise<Result>,
): Promise<Result> {
  const { say, signal } = options;
  say(`bringing up a stack of its own and ${options.gateways} simulated gateways`);
  const arena = await openArena({ ...options, isHostile: options.isHostile === true });
  const processes: BenchProcess[] = [];
  const walkers: BenchProcess[] = [];
  try {
    const fleet = await startProcess('fleet', arena.env, { signal });
    processes.push(fleet);
    for (let n = 0; n < (options.walkers ?? 1); n += 1)
      walkers.push(await startProcess('walker', arena.env, { signal }));
    const running: Running = { arena, fleet, walkers, options };
    say(`polling every ${options.intervalS} s`);
    await untilAllPolled(running);
    await pause(running, restIntervals * options.intervalS * 1_000);
    return await run(running);
  } finally {
    for (const one of [...walkers, ...processes]) await one.stop();
    await arena.stop();
  }
}

async function pause({ options, walkers, fleet }: Running, ms: number): Promise<void> {
  const ends = [fleet, ...walkers].map(({ ended }) => ended);
  await Promise.race([delay(ms, undefined, { signal: options.signal }), ...ends]);
}

async function untilAllPolled(running: Running): Promise<void> {
  const { arena, options } = running;
  const wanted = arena.gatewayIds.length + arena.hostileIds.length;
  const endsAt = performance.now() + warmUpMsMax;
  for (;;) {
    const polled = await countSettled(arena.db, 0);
    if (polled >= wanted) return;
    if (performance.now() > endsAt)
      throw new Error(`${polled} of ${wanted} gateways polled after ${warmUpMsMax / 1_000} s`);
    options.say(`  ${polled} of ${wanted} gateways polled`);
    await pause(running, 2_000);
  }
}

/** Waits until no slot of the window can still get its row, or for two minutes. */
async function settle(running: Running, toMs: number): Promise<void> {
  const { arena, options } = running;
  const wanted = arena.gatewayIds.length + arena.hostileIds.length;
  const endsAt = performance.now() + settleMsMax + 2_000 * options.intervalS;
  while ((await countSettled(arena.db, toMs)) < wanted && performance.now() < endsAt)
    await pause(running, lookPauseMs);
  await pause(running, settleMarginMs);
}

/** Figures of a fleet to which nothing happens. */
async function measure(running: Running, except: readonly string[] = []) {
  const { arena, options } = running;
  const before = await readCounters(arena, running);
  await pause(running, options.seconds * 1_000);
  const after = await readCounters(arena, running);
  const window: Window = { fromMs: before.atMs, toMs: after.atMs };
  const rss = memoryOf(running);
  await settle(running, window.toMs);
  const { polls, ...late } = await readLate(arena.db, window);
  const seconds = (window.toMs - window.fromMs) / 1_000;
  return {
    gateways: options.gateways,
    interval_s: options.intervalS,
    seconds: Math.round(seconds),
    polls,
    polls_per_s: Math.round(polls / seconds),
    late,
    late_of_others: except.length === 0 ? null : await readLate(arena.db, window, except),
    slots: await readSlots(arena.db, window),
    devices: await readDevices(arena, after.requests - before.requests, polls, except),
    cpu_ms_per_poll: cpuPerPoll(before, after, polls),
    walker_rss_mb: rss,
    row_bytes: await readRowBytes(arena.db),
    versions: await readBenchVersions(arena.db),
  };
}

export type Measured = Awaited<ReturnType<typeof measure>>;

/** A fleet on its slots. */
export function runSteady(options: RunOptions): Promise<Measured> {
  return onArena(options, (running) => measure(running));
}

/** One gateway of each misbehaviour among the others, and what was stored of it. */
export function runHostile(options: RunOptions) {
  return onArena({ ...options, isHostile: true }, async (running) => {
    const { arena } = running;
    const measured = await measure(running, arena.hostileIds);
    const told = await query(arena.db)<{
      id: string;
      outcomes: string;
      reasons: string | null;
      stored: number;
      wrong: number;
    }>`
      select r.gateway_id as id, string_agg(distinct r.outcome, ', ') as outcomes,
        string_agg(distinct r.reason, ', ') as reasons, coalesce(sum(v.stored), 0)::int as stored,
        coalesce(sum(v.wrong), 0)::int as wrong
      from gateway_readings r
      left join lateral (
        select count(value) as stored, count(*) filter (where ${isWrongValue(sql`value`, sql`nth`)}) as wrong
        from unnest(r."values") with ordinality as v (value, nth)) v on true
      where r.gateway_id = any(${[...arena.hostileIds]}::text[]) and r.outcome <> 'MISSED'
      group by r.gateway_id order by r.gateway_id`;
    return { ...measured, misbehaving: told, behaviours: misbehaviours.length };
  });
}

interface Disturbed {
  /** From the event until a gateway was polled that it had left without a walker; null: none was. */
  polling_again_ms: number | null;
  slots: Awaited<ReturnType<typeof readSlots>>;
  late: Awaited<ReturnType<typeof readLate>>;
  devices: Awaited<ReturnType<typeof readDevices>>;
}

/** Watches the fleet, of which the first walker is what the event concerns, from before the event until all slots up to `afterMs` after it are settled. */
async function disturb(
  running: Running,
  afterMs: number,
  event: () => Promise<void>,
): Promise<Disturbed> {
  const { arena, walkers } = running;
  const walked = await gatewaysWalkedBy(arena.db, walkers[0]?.pid ?? 0);
  const before = await readCounters(arena, running);
  await pause(running, running.options.intervalS * 1_000);
  const atMs = Date.now();
  await event();
  await pause(running, afterMs);
  const after = await readCounters(arena, running);
  const window = { fromMs: before.atMs, toMs: after.atMs };
  await settle(running, window.toMs);
  const late = await readLate(arena.db, window);
  return {
    polling_again_ms: await firstPollAfterMs(arena.db, atMs, walked),
    slots: await readSlots(arena.db, window),
    late,
    devices: await readDevices(arena, after.requests - before.requests, late.polls),
  };
}

/**
 * The only walker dies. HERE: a new one starts at once, on the same host. ELSEWHERE: a second one already runs where nobody
 * can tell that the first has died.
 */
export function runKill(options: RunOptions, where: 'HERE' | 'ELSEWHERE'): Promise<Disturbed> {
  return onArena(options, async (running) => {
    const { walkers, arena } = running;
    const { signal } = options;
    const [first] = walkers as [BenchProcess];
    if (where === 'HERE')
      return disturb(running, options.seconds * 1_000, async () => {
        walkers.splice(0);
        await first.stop('SIGKILL');
        walkers.push(await startProcess('walker', arena.env, { signal }));
      });
    walkers.push(await startProcess('walker', arena.env, { signal, isElsewhere: true }));
    // Until the two have shared the shards.
    await pause(running, 30_000);
    return disturb(running, options.seconds * 1_000, async () => {
      walkers.splice(0, 1);
      await first.stop('SIGKILL');
    });
  });
}

/** Two walkers are replaced, one after the other, as a deploy does. */
export function runDeploy(options: RunOptions): Promise<Disturbed> {
  return onArena({ ...options, walkers: 2 }, async (running) => {
    const { walkers, arena } = running;
    const { signal } = options;
    await pause(running, 30_000);
    return disturb(running, options.seconds * 1_000, async () => {
      for (const _ of [0, 1]) {
        const old = walkers.shift() as BenchProcess;
        await old.stop('SIGTERM');
        walkers.push(await startProcess('walker', arena.env, { signal }));
        await pause(running, 10_000);
      }
    });
  });
}

export const services = ['database', 'redis', 'temporal'] as const;
export type Service = (typeof services)[number];
const awayMs: Readonly<Record<Service, number>> = {
  database: 30_000,
  redis: 30_000,
  temporal: 60_000,
};

/** A server is away for a while; Redis also comes back empty. */
export function runAway(options: RunOptions, service: Service): Promise<Disturbed> {
  return onArena(options, async (running) => {
    const { stack } = running.arena;
    const servers: Record<Service, ManagedServer | null> = {
      database: stack.postgres,
      redis: stack.redis,
      temporal: stack.temporal,
    };
    const server = servers[service];
    if (server === null) throw new Error(`the ${service} is not the bench's own: install it`);
    return disturb(running, options.seconds * 1_000, async () => {
      if (service === 'redis' && stack.redisUrl !== null) await flushAll(stack.redisUrl);
      await server.stop('SIGKILL');
      try {
        await pause(running, awayMs[service]);
      } finally {
        await server.start();
      }
    });
  });
}

async function flushAll(url: string): Promise<void> {
  const redis = new Redis(url);
  try {
    await redis.flushall();
  } finally {
    redis.disconnect();
  }
}
