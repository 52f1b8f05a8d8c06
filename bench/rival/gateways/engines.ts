import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { sql } from 'kysely';

import type { GatewayArena } from '../../gateways/arena.ts';
import { startProcess } from '../../gateways/walker.ts';
import { endProcess } from '../../processes.ts';
import { settingsVariable, type RivalSettings } from './settings.ts';
import { telegrafConfig } from './telegraf.ts';

/** The engines, each as one process under a service manager that starts it again a second after it dies. */

export const engines = ['heliograph', 'telegraf', 'bullmq'] as const;
export type Engine = (typeof engines)[number];

export interface RunningEngine {
  /** The processes whose cost is the engine's, besides the servers. */
  pids(): number[];
  /** SIGKILL, and a new process a second later. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** As systemd does it. */
const restartPauseMs = 1_000;

interface EngineOptions {
  arena: GatewayArena;
  telegraf: string | null;
  signal: AbortSignal;
}

export function startEngine(engine: Engine, options: EngineOptions): Promise<RunningEngine> {
  switch (engine) {
    case 'heliograph':
      return startHeliograph(options);
    case 'telegraf':
      return startTelegraf(options);
    case 'bullmq':
      return startBullMq(options);
  }
}

/** The worker that runs the shards' workflows stays; the walker is the process that dies. */
async function startHeliograph({ arena, signal }: EngineOptions): Promise<RunningEngine> {
  const fleet = await startProcess('fleet', arena.env, { signal });
  let walker = await startProcess('walker', arena.env, { signal });
  return {
    pids: () => [fleet.pid, walker.pid],
    async kill() {
      await walker.stop('SIGKILL');
      await delay(restartPauseMs);
      walker = await startProcess('walker', arena.env, { signal });
    },
    async stop() {
      await walker.stop();
      await fleet.stop();
    },
  };
}

/** Rows of the rivals. Telegraf makes its own table. */
async function makeRivalTable({ db }: GatewayArena): Promise<void> {
  await sql`
    create table if not exists rival_readings (
      gateway_id text not null, read_at timestamptz not null, outcome text not null, "values" float8[],
      primary key (gateway_id, read_at))`.execute(db);
}

async function startTelegraf({ arena, telegraf }: EngineOptions): Promise<RunningEngine> {
  if (telegraf === null) throw new Error('Telegraf was not built');
  const file = join(arena.dataDir, 'telegraf.conf');
  writeFileSync(
    file,
    telegrafConfig(arena.gateways, {
      intervalMs: arena.intervalMs,
      databaseUrl: arena.stack.databaseUrl,
    }),
  );
  return underSupervision(async () =>
    spawn(telegraf, [file], {
      detached: true,
      stdio: ['ignore', process.stderr.fd, 'inherit'],
      env: { PATH: process.env['PATH'] },
    }),
  );
}

async function startBullMq({ arena }: EngineOptions): Promise<RunningEngine> {
  await makeRivalTable(arena);
  const gatewaysFile = join(arena.dataDir, 'gateways.json');
  writeFileSync(gatewaysFile, JSON.stringify(arena.gateways));
  const settings: RivalSettings = { gatewaysFile, intervalMs: arena.intervalMs };
  const program = fileURLToPath(new URL('./bullmq-worker.ts', import.meta.url));
  return underSupervision(async () => {
    const child = spawn(process.execPath, [program], {
      env: { ...arena.env, [settingsVariable]: JSON.stringify(settings) },
      detached: true,
      stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
    });
    const ended = once(child, 'exit').then(() => {
      throw new Error('the worker on BullMQ ended while it was starting');
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {});
    return child;
  });
}

async function underSupervision(start: () => Promise<ChildProcess>): Promise<RunningEngine> {
  let child = await start();
  return {
    pids: () => (child.pid === undefined ? [] : [child.pid]),
    async kill() {
      await endProcess(child, 'SIGKILL');
      await delay(restartPauseMs);
      child = await start();
    },
    stop: () => endProcess(child),
  };
}
