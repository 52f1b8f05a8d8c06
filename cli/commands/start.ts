import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { migrateToLatest } from '../../db/migrate.ts';
import { listPlants } from '../../db/plants.ts';
import { claimDataDir } from '../../stack/lock.ts';
import { bringUpStack, checkPrerequisites, type Stack, StackError } from '../../stack/up.ts';
import { type Command, textFlag } from '../command.ts';
import {
  CommandError,
  type Config,
  exitCodes,
  loadConfig,
  type StackFile,
  stackFilePath,
  withFiles,
} from '../config.ts';
import { createLog } from '../log.ts';
import { seedDemo } from '../seed.ts';
import { checkMasterKeys, connectDatabase } from '../services.ts';
import { demoIntervalS, wholeNumberFlag } from './seed.ts';

const mainPath = fileURLToPath(new URL('../main.ts', import.meta.url));
/** A worker that ends by itself is started again, but not for ever. */
const workerStartsMax = 5;
/** The worker has this long to finish what runs; its own limit is shorter. */
const workerStopMsMax = 7_000;

/** `heliograph start`: everything that a development machine needs, in one process tree. */
export const start: Command = {
  name: 'start',
  usage: '[--fresh] [--plants N] [--interval SECONDS] [--data DIR]',
  options: { fresh: { type: 'boolean' }, plants: { type: 'string' }, interval: { type: 'string' } },
  async run(context) {
    const generated = wholeNumberFlag('plants', textFlag(context, 'plants'), {
      min: 0,
      max: 100_000,
      otherwise: 0,
    });
    const intervalS = wholeNumberFlag('interval', textFlag(context, 'interval'), {
      min: 1,
      max: 86_400,
      otherwise: demoIntervalS,
    });
    const dataDir = resolve(context.dataDir);
    const given = withFiles(context.io.env);
    const say = (line: string) => void context.io.stdout.write(`${line}\n`);
    const stopping = new AbortController();
    const stop = () => stopping.abort();
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    let stack: Stack | null = null;
    try {
      checkPrerequisites(given);
      if (context.values['fresh'] === true) beginAnew(dataDir, say);
      mkdirSync(dataDir, { recursive: true });
      stack = await bringUpStack({
        dataDir,
        log: say,
        env: given,
        signal: stopping.signal,
      });
      const keyFile = keepMasterKey(dataDir);
      writeStackFile(dataDir, stack, keyFile);
      const env = workerEnvironment(given, stack, keyFile);
      await prepare(loadConfig(env, dataDir), { generated, intervalS, say });
      if (stopping.signal.aborted) return exitCodes.done;
      await superviseWorker(
        env,
        stopping.signal,
        () => say(whatIsWhere(stack as Stack, dataDir)),
        say,
      );
      return exitCodes.done;
    } catch (error) {
      if (stopping.signal.aborted) return exitCodes.done;
      if (error instanceof StackError)
        throw new CommandError(error.message, exitCodes.serviceAway, { cause: error });
      throw error;
    } finally {
      if (stack !== null) {
        say('stopping what was started');
        rmSync(stackFilePath(dataDir), { force: true });
        await stack.stop();
      }
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    }
  },
};

/** `--fresh`: what an earlier start left in the folder goes, if it is one of ours. */
function beginAnew(dataDir: string, say: (line: string) => void): void {
  if (!existsSync(dataDir)) return;
  if (!existsSync(join(dataDir, 'master.key'))) {
    throw new CommandError(
      `${dataDir} is no data folder of heliograph (it holds no master.key): --fresh does not delete it`,
      exitCodes.usage,
    );
  }
  // Refused while another start runs on it; what that one's servers left behind ended with it.
  const { release } = claimDataDir(dataDir);
  release();
  rmSync(dataDir, { recursive: true, force: true });
  say(`began anew in ${dataDir}`);
}

/** The demo's master key: made once, readable by its owner alone. */
function keepMasterKey(dataDir: string): string {
  const path = join(dataDir, 'master.key');
  if (!existsSync(path))
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  return path;
}

function writeStackFile(dataDir: string, stack: Stack, keyFile: string): void {
  const file: StackFile = {
    temporal_address: stack.temporalAddress,
    temporal_namespace: stack.temporalNamespace,
    temporal_ui: stack.temporalUiUrl,
    database_url: stack.databaseUrl,
    redis_url: stack.redisUrl,
    redis_key_prefix: stack.redisKeyPrefix,
    pid: process.pid,
    master_key_file: keyFile,
  };
  writeFileSync(stackFilePath(dataDir), `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
}

function workerEnvironment(
  env: NodeJS.ProcessEnv,
  stack: Stack,
  keyFile: string,
): NodeJS.ProcessEnv {
  return {
    ...env,
    DATABASE_URL: stack.databaseUrl,
    ...(stack.redisUrl === null
      ? {}
      : { REDIS_URL: stack.redisUrl, REDIS_KEY_PREFIX: stack.redisKeyPrefix }),
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.temporalNamespace,
    INTEGRATION_MOCK_MODE: 'true',
    MASTER_KEY_CURRENT: env['MASTER_KEY_CURRENT'] || readFileSync(keyFile, 'utf8').trim(),
  };
}

async function prepare(
  config: Config,
  demo: { generated: number; intervalS: number; say: (line: string) => void },
): Promise<void> {
  const db = await connectDatabase(config, { needTables: false });
  try {
    const applied = await migrateToLatest(db);
    if (applied.length > 0) demo.say(`database migrated (${applied.length} migrations)`);
    await checkMasterKeys(db, config);
    if (config.masterKeys === null) return;
    await seedDemo({
      db,
      masterKeys: config.masterKeys,
      generated: demo.generated,
      intervalS: demo.intervalS,
      log: createLog('error', process.stderr),
      progress: demo.say,
    });
    demo.say(`${(await listPlants(db)).length} plants`);
  } finally {
    await db.destroy();
  }
}

/** Runs the worker as a child until told to stop; a worker that dies by itself is started again. */
async function superviseWorker(
  env: NodeJS.ProcessEnv,
  stopping: AbortSignal,
  onStarted: () => void,
  say: (line: string) => void,
): Promise<void> {
  for (let starts = 1; !stopping.aborted; starts += 1) {
    const child = spawn(process.execPath, [mainPath, 'worker'], {
      env,
      // Its own process group: Ctrl-C reaches this process alone, which stops the worker before the servers. The channel
      // ends with this process, and the worker with the channel.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (message) => {
      if (message === 'started') onStarted();
    });
    const code = await ended(child, stopping);
    if (stopping.aborted) return;
    if (code === exitCodes.configuration || starts >= workerStartsMax) {
      throw new CommandError(
        `the worker ended with code ${code ?? 'none'} for the ${starts}. time: see its lines above`,
        exitCodes.failed,
      );
    }
    say(`the worker ended with code ${code ?? 'none'} and is started again`);
  }
}

async function ended(child: ChildProcess, stopping: AbortSignal): Promise<number | null> {
  let force: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    force = setTimeout(() => child.kill('SIGKILL'), workerStopMsMax);
  };
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<number | null>((settle, reject) => {
      child.once('exit', (code) => settle(code));
      child.once('error', reject);
    });
  } finally {
    stopping.removeEventListener('abort', stop);
    clearTimeout(force);
  }
}

function whatIsWhere(stack: Stack, dataDir: string): string {
  const data =
    resolve(dataDir) === resolve(fileURLToPath(new URL('../../.data', import.meta.url)))
      ? ''
      : ` --data ${dataDir}`;
  return [
    '',
    'Heliograph polls.',
    `  Temporal Web UI  ${stack.temporalUiUrl ?? `none of ours; Temporal is at ${stack.temporalAddress}`}`,
    `  PostgreSQL       ${new URL(stack.databaseUrl).host} (the URL with its password is in ${stackFilePath(dataDir)})`,
    `  temporal CLI     ${stack.temporalBinary ?? 'none of ours'} (--address ${stack.temporalAddress})`,
    `  Redis            ${stack.redisUrl === null ? 'none: the database guards alone' : new URL(stack.redisUrl).host}`,
    '',
    '  In a second terminal:',
    `    npx heliograph plants list${data}`,
    `    npx heliograph plants show solis-canal${data}`,
    `    npx heliograph plants poll solis-canal${data}`,
    '',
    '  Ctrl-C ends everything.',
    '',
  ].join('\n');
}
