import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { cacheFolder } from '../stack/cache.ts';
import { isServing } from '../stack/grpc-health.ts';
import { isPortFree, PortBook } from '../stack/ports.ts';
import { startPostgres } from '../stack/postgres.ts';
import { dynamicConfig, goRuntime } from '../stack/temporal.ts';
import { provideProgram } from '../test/compose/tools.ts';
import { say } from './command.ts';
import { cpuMsOf } from './processes.ts';

/**
 * `node bench/temporal-store.ts --store sqlite|postgresql --shards N [-- ARGUMENTS OF bench.ts]`: the bench over Temporal's production server
 * on another store. It prints the CPU time of the server and its store at the end, for the whole bench; of the bench's
 * own figures only "the whole machine" includes them.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string', default: 'sqlite' },
    shards: { type: 'string', default: '4' },
  },
});
if (values.store !== 'sqlite' && values.store !== 'postgresql')
  throw new Error(`--store must be sqlite or postgresql, not ${values.store}`);
if (!/^[1-9]\d{0,3}$/.test(values.shards))
  throw new Error(`--shards must be a whole number from 1 to 9999, not ${values.shards}`);
const folder = mkdtempSync(join(tmpdir(), 'heliograph-store-'));
const startMsMax = 60_000;

/** A port below the ephemeral range, because Temporal stores its members' ports in PostgreSQL as signed 16-bit numbers. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    if (await isPortFree(port)) return port;
  }
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}:\n${stderr}`);
}

function sqliteStore(name: string) {
  return {
    sql: {
      pluginName: 'sqlite',
      databaseName: join(folder, `${name}.db`),
      connectAddr: 'localhost',
      connectProtocol: 'tcp',
      connectAttributes: { mode: 'rwc', setup: 'true', journal_mode: 'wal', synchronous: '1' },
      maxConns: 1,
      maxIdleConns: 1,
      maxConnLifetime: '24h',
    },
  };
}

async function postgresStores() {
  const dataDir = join(folder, 'postgresql');
  mkdirSync(dataDir);
  const { url, server } = await startPostgres({
    dataDir,
    cacheDir: cacheFolder(process.env),
    ephemeral: false,
    ports: new PortBook(join(dataDir, 'ports.json'), dataDir),
    log: () => {},
  });
  const { hostname, port, username, password } = new URL(url);
  const store = (databaseName: string, schema: string) => {
    const place = ['--plugin', 'postgres12_pgx', '--ep', hostname, '-p', port, '-u', username];
    const tool = (...words: string[]) =>
      run(provideProgram('temporal-sql-tool'), [
        ...place,
        '--pw',
        decodeURIComponent(password),
        '--db',
        databaseName,
        ...words,
      ]);
    tool('create');
    tool('setup-schema', '-v', '0.0');
    tool('update-schema', '--schema-name', `postgresql/v12/${schema}`);
    return {
      sql: {
        pluginName: 'postgres12_pgx',
        databaseName,
        connectAddr: `${hostname}:${port}`,
        connectProtocol: 'tcp',
        user: username,
        password: decodeURIComponent(password),
        maxConns: 20,
        maxIdleConns: 20,
        maxConnLifetime: '1h',
      },
    };
  };
  return {
    stores: { main: store('temporal', 'temporal'), visibility: store('visibility', 'visibility') },
    server,
  };
}

const { stores, server: postgres } =
  values.store === 'postgresql'
    ? await postgresStores()
    : {
        stores: { main: sqliteStore('temporal'), visibility: sqliteStore('temporal') },
        server: null,
      };
const ports = await Promise.all(Array.from({ length: 9 }, freePort));
const [frontend = 0, frontendMembership, http, ...others] = ports;
const rpc = (grpcPort: number | undefined, membershipPort: number | undefined, more = {}) => ({
  rpc: { grpcPort, membershipPort, bindOnLocalHost: true, ...more },
});
const address = `127.0.0.1:${frontend}`;
writeFileSync(
  join(folder, 'dynamic.yaml'),
  JSON.stringify(
    Object.fromEntries(
      Object.entries(dynamicConfig).map(([key, value]) => [
        key,
        [{ value: JSON.parse(value) as unknown }],
      ]),
    ),
  ),
);
writeFileSync(
  join(folder, 'server.yaml'),
  JSON.stringify({
    log: { stdout: true, level: 'error' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'visibility',
      numHistoryShards: Number(values.shards),
      datastores: stores,
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: {
      frontend: rpc(frontend, frontendMembership, { httpPort: http }),
      matching: rpc(others[0], others[1]),
      history: rpc(others[2], others[3]),
      worker: rpc(others[4], others[5]),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: address,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    dynamicConfigClient: { filepath: join(folder, 'dynamic.yaml'), pollInterval: '1m' },
  }),
);
const log = openSync(join(folder, 'server.log'), 'a');
const server = spawn(
  provideProgram('temporal-server'),
  ['--config-file', join(folder, 'server.yaml'), '--allow-no-auth', 'start'],
  { stdio: ['ignore', log, log], env: { ...process.env, ...goRuntime } },
);
closeSync(log);
const exited = once(server, 'exit');
try {
  const endsAt = performance.now() + startMsMax;
  while (!(await isServing(address, 'temporal.api.workflowservice.v1.WorkflowService'))) {
    if (server.exitCode !== null || performance.now() > endsAt)
      throw new Error(`Temporal does not serve: ${join(folder, 'server.log')}`);
    await delay(250);
  }
  const temporal = provideProgram('temporal');
  run(temporal, [
    'operator',
    'namespace',
    'create',
    '-n',
    'default',
    '--retention',
    '24h',
    '--address',
    address,
  ]);
  for (const name of ['PlantBrand', 'PlantStatus'])
    run(temporal, [
      'operator',
      'search-attribute',
      'create',
      '--name',
      name,
      '--type',
      'Keyword',
      '--address',
      address,
    ]);
  // Every part of the server knows the namespace only after a while.
  await delay(10_000);
  const before = {
    server: cpuMsOf(server.pid ?? 0),
    store: postgres === null ? 0 : cpuMsOf(postgres.pid),
  };
  const bench = spawn(
    process.execPath,
    [fileURLToPath(new URL('./bench.ts', import.meta.url)), ...positionals],
    { stdio: 'inherit', env: { ...process.env, BENCH_TEMPORAL_ADDRESS: address } },
  );
  const [code] = (await once(bench, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
  const spent = (name: string, ms: number) =>
    say(`${name}: ${Math.round(ms / 1_000)} s of CPU in all`);
  spent('Temporal', cpuMsOf(server.pid ?? 0) - before.server);
  if (postgres !== null) spent('its PostgreSQL', cpuMsOf(postgres.pid) - before.store);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
} finally {
  server.kill('SIGTERM');
  await Promise.race([exited, delay(10_000, undefined, { ref: false })]);
  server.kill('SIGKILL');
  await postgres?.stop();
}
