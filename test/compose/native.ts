import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { sql } from 'kysely';

import { openDatabase } from '../../db/database.ts';
import { cacheFolder } from '../../stack/cache.ts';
import { PortBook, type PortName } from '../../stack/ports.ts';
import { startPostgres } from '../../stack/postgres.ts';
import type { ManagedServer } from '../../stack/up.ts';
import { durationMs, root, type Service } from './model.ts';
import { type Program, provideProgram } from './tools.ts';

/**
 * Runs services of the compose file on this machine, without an engine: their own commands, environment and health checks,
 * with names of containers and paths of secrets replaced by what they are here.
 */
export interface NativeStack {
  /** Starts a service; answers when it is healthy, or, for one that ends, has ended well. */
  up(name: string, service: Service): Promise<void>;
  /** SIGTERM, and how long it took to end, ms. */
  down(name: string): Promise<number>;
  /** What a service wrote. */
  log(name: string): string;
  /** `host:port` of a container's port here. */
  address(name: string, port: number): string;
  /** A command in the environment of a service, as `docker compose run` would run it. */
  run(
    service: Service,
    name: string,
    command: readonly string[],
  ): Promise<{ code: number; stdout: string; stderr: string }>;
  close(): Promise<void>;
}

/** What is listened on, by container. Ports that are in no environment are Temporal's own, between its services. */
const listened: Readonly<Record<string, readonly number[]>> = {
  postgres: [5432],
  'temporal-postgres': [5432],
  redis: [6379],
  temporal: [7233, 8000],
  'temporal-ui': [8080],
  worker: [9464],
  api: [8080],
};
const temporalInternalPorts = [
  'FRONTEND_HTTP_PORT',
  'FRONTEND_MEMBERSHIP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
] as const;
const nativePrograms: readonly Program[] = [
  'temporal-server',
  'temporal-sql-tool',
  'temporal-ui',
  'temporal',
];
const healthyWithinMs = 90_000;

/** @param folder takes everything: data, logs, `secrets/` as `deploy/make-secrets.sh` made them. */
export async function createNativeStack(folder: string): Promise<NativeStack> {
  const book = new PortBook(join(folder, 'ports.json'), folder);
  const claim = (key: string) => book.claim(key as PortName);
  const ports = new Map<string, number>();
  for (const [name, containerPorts] of Object.entries(listened))
    for (const port of containerPorts) ports.set(`${name}:${port}`, await claim(`${name}-${port}`));
  const internal = Object.fromEntries(
    await Promise.all(
      temporalInternalPorts.map(async (name) => [name, String(await claim(name))] as const),
    ),
  );
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of nativePrograms) symlinkSync(provideProgram(name), join(bin, name));
  symlinkSync(process.execPath, join(bin, 'node'));
  const children = new Map<string, ChildProcess>();
  const databases: ManagedServer[] = [];

  const portOf = (name: string, port: number | string) => {
    const native = ports.get(`${name}:${port}`);
    if (native === undefined) throw new Error(`nothing of ${name} listens on ${port}`);
    return String(native);
  };

  /** A text of the service `self`, with every place in it replaced by where it is here. */
  function native(self: string, text: string): string {
    return text
      .replaceAll('/run/secrets/', `${join(folder, 'secrets')}/`)
      .replaceAll(/\b([a-z][a-z-]*):(\d{4})\b/g, (all, name: string, port: string) =>
        ports.has(`${name}:${port}`) ? `127.0.0.1:${portOf(name, port)}` : all,
      )
      .replaceAll(/\b(?:0\.0\.0\.0|127\.0\.0\.1):(\d{4})\b/g, (all, port: string) =>
        ports.has(`${self}:${port}`) ? `127.0.0.1:${portOf(self, port)}` : all,
      );
  }

  function environmentOf(name: string, service: Service): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      HOME: folder,
    };
    for (const [key, value] of Object.entries(service.environment ?? {})) {
      env[key] = native(name, value);
      if (/(^|_)(HOST|SEEDS|BIND_ON_IP)$/.test(key)) env[key] = '127.0.0.1';
      if (key === 'DB_PORT')
        env[key] = portOf(service.environment?.['POSTGRES_SEEDS'] ?? '', value);
      else if (key.endsWith('_PORT')) env[key] = portOf(name, value);
    }
    if (name === 'temporal') Object.assign(env, internal);
    if (name === 'temporal-ui') env['TEMPORAL_UI_HOST'] = '127.0.0.1';
    return env;
  }

  function begin(name: string, service: Service, command: readonly string[]): ChildProcess {
    const [program = '', ...args] = command;
    const log = openSync(join(folder, `${name}.log`), 'a');
    const child = spawn(program, args, {
      cwd: root,
      env: environmentOf(name, service),
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    children.set(name, child);
    return child;
  }

  async function untilHealthy(
    name: string,
    service: Service,
    isAlive: () => boolean,
  ): Promise<void> {
    const [kind, program = '', ...rest] = service.healthcheck?.test ?? [];
    if (kind !== 'CMD') throw new Error(`${name} has no health check`);
    // `-p 5432` names a port of the container.
    const args = rest.map((arg, index) =>
      rest[index - 1] === '-p' && ports.has(`${name}:${arg}`)
        ? portOf(name, arg)
        : native(name, arg),
    );
    const endsAt = performance.now() + healthyWithinMs;
    for (;;) {
      const check = await runToEnd(program, args, {
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
        HOME: folder,
      });
      if (check.code === 0) return;
      if (!isAlive()) throw new Error(`${name} ended while it was starting:\n${tail(name)}`);
      if (performance.now() > endsAt)
        throw new Error(`${name} is not healthy: ${check.stderr}\n${tail(name)}`);
      await sleep(250);
    }
  }

  function tail(name: string): string {
    return readFileSync(join(folder, `${name}.log`), 'utf8').slice(-3_000);
  }

  /** The image's own entry makes the cluster, with this user and database; then it runs the command. */
  async function upPostgres(name: string, service: Service): Promise<void> {
    const port = Number(portOf(name, 5432));
    const dataDir = join(folder, name);
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'ports.json'), JSON.stringify({ postgres: port }));
    const { url, server } = await startPostgres({
      dataDir,
      cacheDir: cacheFolder(process.env),
      ephemeral: true,
      ports: new PortBook(join(dataDir, 'ports.json'), dataDir),
      log: () => {},
    });
    databases.push(server);
    const { POSTGRES_USER: user = '', POSTGRES_DB: database = '' } = service.environment ?? {};
    const secret = native(name, service.environment?.['POSTGRES_PASSWORD_FILE'] ?? '');
    const password = readFileSync(secret, 'utf8').trim();
    const admin = openDatabase({ url, poolSize: 1 });
    try {
      const made = user === 'heliograph' ? sql`alter role` : sql`create role`;
      await sql`${made} ${sql.id(user)} login superuser password ${sql.lit(password)}`.execute(
        admin,
      );
      if (database !== 'heliograph')
        await sql`create database ${sql.id(database)} owner ${sql.id(user)}`.execute(admin);
      for (const [index, arg] of service.command.entries()) {
        if (arg !== '-c') continue;
        const [key = '', value = ''] = (service.command[index + 1] ?? '').split('=');
        await sql`alter system set ${sql.raw(key)} = ${sql.lit(value)}`.execute(admin);
      }
    } finally {
      await admin.destroy();
    }
    await server.stop();
    await server.start();
    writeFileSync(join(folder, `${name}.log`), '');
    await untilHealthy(name, service, () => true);
  }

  return {
    async up(name, service) {
      if (service.image.startsWith('postgres:')) return upPostgres(name, service);
      const command = service.command.map((arg) => native(name, arg));
      if (name === 'redis')
        command.push('--port', portOf('redis', 6379), '--bind', '127.0.0.1', '--dir', folder);
      const child = begin(name, service, command);
      if (service.restart.startsWith('on-failure')) {
        const code = await exitCode(child);
        children.delete(name);
        if (code !== 0) throw new Error(`${name} ended with code ${code}:\n${tail(name)}`);
        return;
      }
      await untilHealthy(name, service, () => child.exitCode === null);
    },
    async down(name) {
      const child = children.get(name);
      if (child === undefined) throw new Error(`${name} does not run`);
      children.delete(name);
      const began = performance.now();
      child.kill('SIGTERM');
      await exitCode(child);
      return performance.now() - began;
    },
    log: (name) => readFileSync(join(folder, `${name}.log`), 'utf8'),
    address: (name, port) => `127.0.0.1:${portOf(name, port)}`,
    run: (service, name, [program = '', ...args]) =>
      runToEnd(program, args, environmentOf(name, service)),
    async close() {
      const ending = [...children.values()].map(async (child) => {
        child.kill('SIGTERM');
        const force = setTimeout(() => child.kill('SIGKILL'), durationMs('20s'));
        await exitCode(child);
        clearTimeout(force);
      });
      await Promise.all(ending);
      await Promise.all(databases.map((server) => server.stop()));
    },
  };
}

function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((settle, reject) => {
    child.once('exit', (code) => settle(code));
    child.once('error', reject);
  });
}

async function runToEnd(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = new Promise<number | null>((settle, reject) => {
    child.once('close', (code) => settle(code));
    child.once('error', reject);
  });
  return { code: (await closed) ?? -1, stdout, stderr };
}
