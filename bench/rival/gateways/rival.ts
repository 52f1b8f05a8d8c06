import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Redis } from 'ioredis';

import { runBench, say, UsageError, wholeNumber } from '../../command.ts';
import { type GatewayArena, openArena } from '../../gateways/arena.ts';
import { cpuMsOf, rssMbOf } from '../../processes.ts';
import { installRival } from '../install.ts';
import { type Engine, engines, type RunningEngine, startEngine } from './engines.ts';
import { judgePolls, pollsOfLog, type PollVerdict } from './judge.ts';
import { buildTelegraf } from './telegraf.ts';

/**
 * `npm run bench:rival:gateways -- [--count N] [--interval S] [--seconds S] [--only ROW,ROW] [--engine NAME] [--json FILE]`: the
 * same simulated gateways polled by Heliograph, by Telegraf and by a job for each poll on BullMQ, one after the other, each on
 * servers of its own. The gateways' own log judges all of them.
 */

const rowNames = ['steady', 'kill', 'flushall', 'sustained'] as const;
type RowName = (typeof rowNames)[number];

interface RivalOptions {
  gateways: number;
  intervalS: number;
  seconds: number;
  signal: AbortSignal;
}

export interface RivalResult extends PollVerdict {
  row: RowName;
  engine: Engine;
  gateways: number;
  interval_s: number;
  /** Of the engine's processes, PostgreSQL, Redis and Temporal; null in rows with a fault. */
  cpu_ms_per_poll: { engine: number; servers: number } | null;
  rss_mb: number;
}

/** More than is comfortable: the rate is what an engine can do. */
const sustained = { gateways: 10_000, intervalS: 4 };

/** All schedulers and sockets are made by then. */
const warmUpMsMax = 300_000;
const lookPauseMs = 1_000;

async function runRow(
  row: RowName,
  engine: Engine,
  options: RivalOptions,
  telegraf: string | null,
) {
  const { seconds, signal } = options;
  const { gateways, intervalS } = row === 'sustained' ? sustained : options;
  const arena = await openArena({
    gateways,
    intervalS,
    isHostile: false,
    isLogged: true,
    say,
    signal,
  });
  let running: RunningEngine | null = null;
  try {
    running = await startEngine(engine, { arena, telegraf, signal });
    await untilAllPolled(arena, signal);
    await delay(arena.intervalMs, undefined, { signal });
    const before = cpuOf(arena, running);
    const fromMs = Date.now();
    await delay(arena.intervalMs, undefined, { signal });
    if (row === 'kill') await running.kill();
    if (row === 'flushall') await flushAll(arena);
    await delay(seconds * 1_000, undefined, { signal });
    const toMs = Date.now();
    const after = cpuOf(arena, running);
    const rss = running.pids().reduce((sum, pid) => sum + rssMbOf(pid), 0);
    // The last slots of the window have their whole interval.
    await delay(arena.intervalMs, undefined, { signal });
    await running.stop();
    running = null;
    await arena.endFarm();
    const verdict = judgePolls(pollsOfLog(join(arena.dataDir, 'farm.log')), arena.gatewayIds, {
      fromMs,
      toMs,
      intervalMs: arena.intervalMs,
    });
    const per = (name: 'engine' | 'servers') =>
      Math.round(((after[name] - before[name]) / Math.max(1, verdict.polls)) * 1_000) / 1_000;
    const result: RivalResult = {
      row,
      engine,
      gateways,
      interval_s: intervalS,
      ...verdict,
      cpu_ms_per_poll:
        row === 'steady' || row === 'sustained'
          ? { engine: per('engine'), servers: per('servers') }
          : null,
      rss_mb: rss,
    };
    return result;
  } finally {
    await running?.stop();
    await arena.stop();
  }
}

async function untilAllPolled(arena: GatewayArena, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + warmUpMsMax;
  for (;;) {
    const figures = await arena.farmFigures();
    const polled = figures.filter(({ requests }) => requests > 0).length;
    if (polled === figures.length) return;
    if (performance.now() > endsAt)
      throw new Error(
        `${polled} of ${figures.length} gateways polled after ${warmUpMsMax / 1_000} s`,
      );
    await delay(lookPauseMs, undefined, { signal });
  }
}

function cpuOf({ stack, ownBackendPid }: GatewayArena, running: RunningEngine) {
  const servers = [stack.postgres, stack.redis, stack.temporal].flatMap(
    (server) => server?.pid ?? [],
  );
  return {
    engine: running.pids().reduce((sum, pid) => sum + cpuMsOf(pid), 0),
    servers: servers.reduce((sum, pid) => sum + cpuMsOf(pid, [ownBackendPid]), 0),
  };
}

async function flushAll({ stack }: GatewayArena): Promise<void> {
  if (stack.redisUrl === null) throw new Error('the bench needs Redis: install redis-server');
  const redis = new Redis(stack.redisUrl);
  try {
    await redis.flushall();
  } finally {
    redis.disconnect();
  }
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000' },
      interval: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '60' },
      only: { type: 'string', default: rowNames.join(',') },
      engine: { type: 'string', default: engines.join(',') },
      json: { type: 'string' },
    },
  });
  const chosen = <Word extends string>(option: string, text: string, known: readonly Word[]) =>
    text.split(',').map((word): Word => {
      const one = known.find((name) => name === word);
      if (one === undefined)
        throw new UsageError(`--${option} must be of ${known.join(', ')}, not ${word}`);
      return one;
    });
  return {
    gateways: wholeNumber('count', values.count, 60_000),
    intervalS: wholeNumber('interval', values.interval, 3_600),
    seconds: wholeNumber('seconds', values.seconds, 86_400),
    rows: chosen('only', values.only, rowNames),
    engines: chosen('engine', values.engine, engines),
    jsonFile: values.json ?? null,
  };
}

async function bench(signal: AbortSignal) {
  const { jsonFile, ...args } = readArguments();
  if (args.engines.includes('bullmq')) installRival();
  const telegraf = args.engines.includes('telegraf') ? buildTelegraf(say) : null;
  const results: RivalResult[] = [];
  for (const row of args.rows) {
    for (const engine of args.engines) {
      // Telegraf uses no Redis.
      if (row === 'flushall' && engine === 'telegraf') continue;
      say(`-- ${row}: ${engine}`);
      results.push(await runRow(row, engine, { ...args, signal }, telegraf));
      say(`  ${JSON.stringify(results.at(-1))}`);
    }
  }
  const report = {
    measured_at: new Date().toISOString(),
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    results,
  };
  return { result: report, jsonFile };
}

export type RivalReport = Awaited<ReturnType<typeof bench>>['result'];

const engineTitles: Record<Engine, string> = {
  heliograph: 'Heliograph',
  telegraf: 'Telegraf, Modbus input',
  bullmq: 'BullMQ, a job for each poll',
};
const rowTitles: Record<RowName, string> = {
  steady: 'nothing happens',
  kill: 'SIGKILL',
  flushall: 'Redis FLUSHALL',
  sustained: 'as much as it can',
};

/** The figures as a table in Markdown. */
export function rivalTable({ results }: Pick<RivalReport, 'results'>): string {
  const head = [
    '',
    'engine',
    'gateways, interval',
    'polls/s',
    'CPU ms a poll: engine, servers',
    'late p50, p99, max ms',
    'slots due',
    'lost',
    'polled twice',
    'memory',
  ];
  const lines = results.map((one) => [
    rowTitles[one.row],
    engineTitles[one.engine],
    `${one.gateways.toLocaleString('en')}, ${one.interval_s} s`,
    String(one.polls_per_s),
    one.cpu_ms_per_poll === null
      ? '–'
      : `${one.cpu_ms_per_poll.engine}, ${one.cpu_ms_per_poll.servers}`,
    one.late === null ? '–' : `${one.late.p50_ms}, ${one.late.p99_ms}, ${one.late.max_ms}`,
    one.slots_due.toLocaleString('en'),
    one.lost.toLocaleString('en'),
    one.doubled.toLocaleString('en'),
    `${one.rss_mb} MB`,
  ]);
  return [head, head.map(() => '---'), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');
}

if (import.meta.main) await runBench('bench:rival:gateways', bench, rivalTable, () => true);
