import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type Kysely, sql } from 'kysely';

import { openDatabase } from '../../db/database.ts';
import { migrateToLatest } from '../../db/migrate.ts';
import type { Database } from '../../db/tables.ts';
import { type ControlFigures, readFarmFigures } from '../../stack/gateways/control.ts';
import { isPortFree } from '../../stack/ports.ts';
import { bringUpStack, type Stack } from '../../stack/up.ts';
import { workerEnvironment } from '../fleet.ts';
import { endProcess } from '../processes.ts';
import { type BenchGateway, insertBenchGateways } from './insert.ts';

/** A stack, a farm of simulated gateways and their rows, which no walker polls yet. Nothing remains afterwards. */
export interface GatewayArena {
  stack: Stack;
  db: Kysely<Database>;
  /** PostgreSQL's process behind `db`, whose cost is the bench's own. */
  ownBackendPid: number;
  env: NodeJS.ProcessEnv;
  /** Removed in the end. */
  dataDir: string;
  gateways: readonly BenchGateway[];
  gatewayIds: readonly string[];
  /** One for each misbehaviour; empty unless asked for. */
  hostileIds: readonly string[];
  intervalMs: number;
  farmPid: number;
  farmFigures(): Promise<ControlFigures[]>;
  /** Its log is whole then. */
  endFarm(): Promise<void>;
  stop(): Promise<void>;
}

export interface ArenaOptions {
  gateways: number;
  intervalS: number;
  isHostile: boolean;
  /** Whether the farm writes `farm.log` in the data folder. */
  isLogged?: boolean;
  say: (line: string) => void;
  signal: AbortSignal;
}

const farmPath = fileURLToPath(new URL('../../cli/demo/gateway-farm.ts', import.meta.url));
const farmPortFirst = 20_502;
/** Holds the farm and whatever else runs on loopback. */
export const loopbackNetworks = '127.0.0.0/8';

export async function openArena(options: ArenaOptions): Promise<GatewayArena> {
  const { say, signal, intervalS } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-gateways-'));
  const endings: (() => unknown)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of endings.splice(0).toReversed()) await end();
  };
  try {
    const { PATH, HOME, XDG_CACHE_HOME } = process.env;
    const stack = await bringUpStack({
      dataDir,
      log: say,
      env: { PATH, HOME, XDG_CACHE_HOME },
      temporalUi: false,
      signal,
    });
    endings.push(() => stack.stop());
    const farm = await startFarmProcess({
      ...options,
      ...(options.isLogged === true ? { logFile: join(dataDir, 'farm.log') } : {}),
    });
    endings.push(() => endProcess(farm.child));
    const db = openDatabase({ url: stack.databaseUrl, poolSize: 1 });
    endings.push(() => db.destroy());
    await migrateToLatest(db);
    const gateways: BenchGateway[] = await readFarmFigures(farm.controlUrl);
    await insertBenchGateways(db, gateways, intervalS);
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
    const ids = gateways.map(({ id }) => id);
    return {
      stack,
      db,
      ownBackendPid: rows[0]?.pid ?? 0,
      env: { ...workerEnvironment(stack), GATEWAY_NETWORKS: loopbackNetworks },
      dataDir,
      gateways,
      gatewayIds: ids.slice(0, options.gateways),
      hostileIds: ids.slice(options.gateways),
      intervalMs: intervalS * 1_000,
      farmPid: farm.child.pid ?? 0,
      endFarm: () => endProcess(farm.child),
      farmFigures: () => readFarmFigures(farm.controlUrl),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface FarmProcess {
  child: ChildProcess;
  controlUrl: string;
  port: number;
}

/** Starts a farm whose gateways are told apart by their addresses. */
export async function startFarmProcess({
  gateways,
  isHostile,
  logFile,
}: {
  gateways: number;
  isHostile: boolean;
  /** Gets a line for each request; absent: none. */
  logFile?: string;
}): Promise<FarmProcess> {
  let port = farmPortFirst;
  while (!(await isPortFree(port))) port += 1;
  const args = [
    '--count',
    String(gateways),
    '--port',
    String(port),
    ...(isHostile ? ['--hostile'] : []),
    ...(logFile === undefined ? [] : ['--log', logFile]),
  ];
  const child = spawn(process.execPath, [farmPath, ...args], {
    // Ctrl-C reaches only the bench, which stops everything in order. The farm ends when the bench ends.
    detached: true,
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the farm ended before it listened');
  });
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [{ started: string }];
  ended.catch(() => {});
  return { child, controlUrl: message.started, port };
}
