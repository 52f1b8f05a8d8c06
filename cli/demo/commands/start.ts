import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { migrateToLatest } from '../../../db/migrate.ts';
import { listFleet } from '../../../db/plants/fleet.ts';
import { requireOnlyOurs } from '../../../stack/data-dir.ts';
import { claimDataDir } from '../../../stack/lock.ts';
import { type MailCatcher, startMailCatcher } from '../../../stack/mail/catcher.ts';
import { isPortFree } from '../../../stack/ports.ts';
import { Restarts } from '../../../stack/restarts.ts';
import {
  bringUpStack,
  checkPrerequisites,
  DataDirError,
  type Stack,
  StackError,
} from '../../../stack/up.ts';
import type { Command } from '../../command.ts';
import {
  CommandError,
  type Config,
  defaultDataDir,
  exitCodes,
  loadConfig,
  requireMasterKeys,
  type StackFile,
  stackFilePath,
  withFiles,
} from '../../../environment/config.ts';
import { createLog } from '../../../environment/log.ts';
import { seedDemoGateways } from '../gateways.ts';
import { repeatLink } from '../repeat-link.ts';
import { type DemoFarm, startDemoFarm } from '../run-farm.ts';
import { demoEmail, demoSignIn, isLinkOpen } from '../user.ts';
import { seedDemo, type SeedOptions } from '../seed.ts';
import { checkMasterKeys, withDatabase } from '../../../environment/services.ts';
import { supervise, type Supervised } from '../../../worker/supervise.ts';
import { readDemo } from './seed.ts';

/** Port of the API unless API_PORT is set or another program has the port. */
const apiPortUsual = 8080;
/** Up to this number of plants, polls run in steps unless POLL_COURSE is set: the Web UI then shows each step. */
const plantsInStepsMax = 500;

/** `heliograph start`: runs everything that a development machine needs in one process tree. */
export const start: Command = {
  name: 'start',
  usage: '[--fresh] [--plants N] [--interval SECONDS] [--mail] [--data DIR]',
  flags: ['plants', 'interval'],
  switches: ['fresh', 'mail'],
  async run(context) {
    const demo = readDemo(context);
    const dataDir = resolve(context.dataDir);
    const given = withFiles(context.io.env);
    const say = (line: string) => void context.io.stdout.write(`${line}\n`);
    const stopping = new AbortController();
    const stop = () => {
      if (!stopping.signal.aborted) say('stopping what was started');
      stopping.abort();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    let stack: Stack | null = null;
    let mail: MailCatcher | null = null;
    let farm: DemoFarm | null = null;
    try {
      checkPrerequisites(given);
      if (context.switches.has('mail')) mail = await catchMails(given);
      if (context.switches.has('fresh')) beginAnew(dataDir, say);
      const up = await bringUpStack({
        dataDir,
        log: say,
        env: given,
        restart: true,
        signal: stopping.signal,
      });
      stack = up;
      const signal = AbortSignal.any([stopping.signal, up.broken]);
      farm = await startDemoFarm(dataDir, say);
      const { ports: gatewayPorts, controlUrl } = farm;
      const keyFiles = { master: keepKey(dataDir, 'master.key'), jwt: keepKey(dataDir, 'jwt.key') };
      const writeFile = (apiUrl: string | null) =>
        writeStackFile(dataDir, up, keyFiles, { apiUrl, controlUrl });
      writeFile(null);
      const env: NodeJS.ProcessEnv = {
        ...childEnvironment(given, up, { dataDir, ...keyFiles }),
        ...mailEnvironment(mail),
      };
      const { plants, signInToken } = await prepare(
        loadConfig(env, dataDir),
        { ...demo, gatewayPorts, signal },
        say,
      );
      env['POLL_COURSE'] ||= plants <= plantsInStepsMax ? 'steps' : 'whole';
      signal.throwIfAborted();
      // Only now: another program may take the usual port while the demo is seeded.
      env['API_PORT'] ||= (await isPortFree(apiPortUsual)) ? String(apiPortUsual) : '0';
      const children = { env, signal, beforeRestart: up.untilWhole };
      await runChildren(children, say, (apiUrl) => {
        writeFile(apiUrl);
        const api = { url: apiUrl, signInToken };
        say(whatIsWhere(up, dataDir, { ...api, mailUrl: mail?.url ?? null }));
        repeatSignIn(loadConfig(env, dataDir), { api, dataDir }, say, signal);
      });
      signal.throwIfAborted();
    } catch (error) {
      if (stopping.signal.aborted) return;
      throw withExitCode(error);
    } finally {
      if (stack !== null) {
        if (!stopping.signal.aborted) say('stopping what was started');
        rmSync(stackFilePath(dataDir), { force: true });
        await stack.stop();
      }
      await farm?.stop();
      await mail?.close();
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    }
  },
};

/** Says the link again and again, until it is used or cannot be looked up. */
function repeatSignIn(
  config: Config,
  { api, dataDir }: { api: { url: string; signInToken: string }; dataDir: string },
  say: (line: string) => void,
  signal: AbortSignal,
): void {
  const isOpen = () => isLinkOpen(config, api.signInToken);
  const link = { line: signInLine(api, dataDir), isOpen };
  repeatLink(link, say, signal).catch((error: unknown) =>
    say(`the link is not repeated: ${String(error)}`),
  );
}

/** The error as a command's, where the stack says what is wrong. */
function withExitCode(error: unknown): unknown {
  if (!(error instanceof StackError)) return error;
  const isFolder = error instanceof DataDirError;
  const code = isFolder ? exitCodes.configuration : exitCodes.serviceAway;
  return new CommandError(error.message, code, { cause: error });
}

/** Port of the page that shows mails, unless another program has it. */
const mailPagePortUsual = 8025;

/** `--mail`: a mail server that keeps what it gets, and a page that shows it. */
async function catchMails(given: NodeJS.ProcessEnv): Promise<MailCatcher> {
  if (given['MAIL_HOST'])
    throw new CommandError(
      '--mail brings a mail server of its own: leave MAIL_HOST unset, or leave --mail out',
      exitCodes.usage,
    );
  const isUsualPortFree = await isPortFree(mailPagePortUsual);
  return startMailCatcher({ smtp: 0, http: isUsualPortFree ? mailPagePortUsual : 0 });
}

/** What the worker needs to send to the mail catcher; nothing without one. */
function mailEnvironment(mail: MailCatcher | null): NodeJS.ProcessEnv {
  if (mail === null) return {};
  return {
    MAIL_HOST: '127.0.0.1',
    MAIL_PORT: String(mail.smtpPort),
    MAIL_TLS: 'none',
    MAIL_FROM: 'heliograph@demo.example',
    ADMIN_EMAIL: 'admin@demo.example',
  };
}

/** `--fresh`: deletes the data folder of an earlier start. */
function beginAnew(dataDir: string, say: (line: string) => void): void {
  if (!existsSync(dataDir)) return;
  requireOnlyOurs(dataDir);
  // Fails while another start uses the folder.
  const { release } = claimDataDir(dataDir);
  release();
  rmSync(dataDir, { recursive: true, force: true });
  say(`began anew in ${dataDir}`);
}

interface KeyFiles {
  master: string;
  jwt: string;
}

/** The path of a key of the demo, which is generated once and readable by its owner only. */
function keepKey(dataDir: string, name: string): string {
  const path = join(dataDir, name);
  if (!existsSync(path))
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  return path;
}

function writeStackFile(
  dataDir: string,
  stack: Stack,
  keyFiles: KeyFiles,
  { apiUrl, controlUrl }: { apiUrl: string | null; controlUrl: string },
): void {
  const file: StackFile = {
    state: apiUrl === null ? 'starting' : 'ready',
    temporal_address: stack.temporalAddress,
    temporal_namespace: stack.temporalNamespace,
    temporal_ui: stack.temporalUiUrl,
    database_url: stack.databaseUrl,
    redis_url: stack.redisUrl,
    redis_key_prefix: stack.redisKeyPrefix,
    pid: process.pid,
    master_key_file: keyFiles.master,
    jwt_key_file: keyFiles.jwt,
    api_url: apiUrl,
    gateway_control_url: controlUrl,
  };
  // Commands that wait for the start read the file all the time, and must not see half of it.
  const unfinished = `${stackFilePath(dataDir)}.new`;
  writeFileSync(unfinished, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, stackFilePath(dataDir));
}

function childEnvironment(
  env: NodeJS.ProcessEnv,
  stack: Stack,
  { dataDir, ...keyFiles }: KeyFiles & { dataDir: string },
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
    WATCHED_FOLDERS: [env['WATCHED_FOLDERS'] || [], dataDir].flat().join(','),
    ...demoIncidents(env),
    // Where the simulated gateways listen.
    GATEWAY_NETWORKS: env['GATEWAY_NETWORKS'] || '127.0.0.0/8',
    ...(stack.temporalUiUrl === null ? {} : { TEMPORAL_UI_URL: stack.temporalUiUrl }),
    MASTER_KEY_CURRENT: env['MASTER_KEY_CURRENT'] || readFileSync(keyFiles.master, 'utf8').trim(),
    JWT_SECRET: env['JWT_SECRET'] || readFileSync(keyFiles.jwt, 'utf8').trim(),
  };
}

/** Limits of incidents that suit a demo: it has three plants of a brand, and a visitor does not wait five minutes. */
function demoIncidents(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    INCIDENT_PLANTS_MIN: env['INCIDENT_PLANTS_MIN'] || '3',
    INCIDENT_AFTER_SECONDS: env['INCIDENT_AFTER_SECONDS'] || '30',
  };
}

/** Migrates and seeds. @returns the number of plants, and the token of a link that signs the demo's user in. */
async function prepare(
  config: Config,
  {
    gatewayPorts,
    ...demo
  }: Pick<SeedOptions, 'generated' | 'intervalS' | 'signal'> & { gatewayPorts: readonly number[] },
  say: (line: string) => void,
): Promise<{ plants: number; signInToken: string }> {
  return withDatabase(
    config,
    async (db) => {
      const applied = await migrateToLatest(db);
      if (applied.length > 0) say(`database migrated (${applied.length} migrations)`);
      await checkMasterKeys(db, config);
      const masterKeys = requireMasterKeys(config);
      const log = createLog('error', process.stderr);
      await seedDemo({ db, masterKeys, ...demo, log, progress: say }).catch((error: unknown) => {
        say('the demo is not complete: the next start finishes it');
        throw error;
      });
      await seedDemoGateways(db, gatewayPorts);
      const plants = (await listFleet(db)).length;
      say(`${plants} plants, ${gatewayPorts.length} simulated gateways`);
      return { plants, signInToken: await demoSignIn(db) };
    },
    { needTables: false },
  );
}

interface ChildrenOptions extends Pick<Supervised, 'env' | 'beforeRestart'> {
  /** Aborted: the children end. */
  signal: AbortSignal;
}

/** Runs workers and API as children until `signal`. If one gives up, the other ends too. */
async function runChildren(
  { env, signal: stopping, beforeRestart }: ChildrenOptions,
  say: (line: string) => void,
  onServing: (apiUrl: string) => void,
): Promise<void> {
  const givenUp = new AbortController();
  const signal = AbortSignal.any([stopping, givenUp.signal]);
  const apiEnv = { ...env };
  // Messages link to the pages; people may reach these by other names too, so that the API itself is given none.
  const isPortKnown = env['API_PORT'] !== '0' && !env['PUBLIC_URL'];
  const links = isPortKnown ? { PUBLIC_URL: `http://127.0.0.1:${env['API_PORT']}` } : {};
  let isWorking = false;
  let apiUrl: string | null = null;
  let isTold = false;
  const tell = () => {
    if (!isWorking || apiUrl === null || isTold) return;
    isTold = true;
    onServing(apiUrl);
  };
  const children = [
    {
      command: 'worker',
      env: { ...env, ...links },
      onStarted: () => {
        isWorking = true;
        tell();
      },
    },
    {
      command: 'worker:gateways',
      // Two processes cannot serve their metrics at one address.
      env: { ...env, METRICS_ADDRESS: '' },
      onStarted: () => {},
    },
    {
      command: 'api',
      env: apiEnv,
      onStarted: (message: unknown) => {
        apiUrl = (message as { started: string }).started;
        // After a restart the API keeps its port.
        apiEnv['API_PORT'] = new URL(apiUrl).port;
        tell();
      },
    },
  ];
  const ends = await Promise.allSettled(
    children.map(async (child) => {
      const restarts = new Restarts();
      const allowAfterEnd = () => restarts.allowAfterEnd();
      try {
        await supervise({ ...child, allowAfterEnd, beforeRestart }, signal, say);
      } finally {
        givenUp.abort();
      }
    }),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function whatIsWhere(
  stack: Stack,
  dataDir: string,
  api: { url: string; signInToken: string; mailUrl: string | null },
): string {
  const data = dataFlag(dataDir);
  return [
    '',
    'Heliograph polls.',
    `  Pages and API    ${api.url}`,
    ...(api.mailUrl === null ? [] : [`  Mails            ${api.mailUrl}`]),
    `  Temporal Web UI  ${stack.temporalUiUrl ?? `none of ours; Temporal is at ${stack.temporalAddress}`}`,
    `  PostgreSQL       ${new URL(stack.databaseUrl).host} (the URL with its password is in ${stackFilePath(dataDir)})`,
    `  temporal CLI     ${stack.temporalBinary ?? 'none of ours'} (--address ${stack.temporalAddress})`,
    `  Redis            ${stack.redisUrl === null ? 'none: the database guards alone' : new URL(stack.redisUrl).host}`,
    '',
    '  In a second terminal:',
    `    npx heliograph plants list${data}`,
    `    npx heliograph plants show solis-canal${data}`,
    `    npx heliograph plants poll solis-canal${data}`,
    `    npx heliograph demo break --brand HUAWEI --for 3m${data}`,
    `    npx heliograph gateways list${data}`,
    `    npx heliograph demo break --gateway canal-inverter --for 2m${data}`,
    '',
    '  Ctrl-C ends everything.',
    '',
    // The last line: what is needed first.
    signInLine(api, dataDir),
  ].join('\n');
}

function signInLine(api: { url: string; signInToken: string }, dataDir: string): string {
  return isLoopback(api.url)
    ? `  Sign in once     ${api.url}/sign-in?token=${api.signInToken} (as ${demoEmail}, for an hour)`
    : `  Sign in          npx heliograph users link ${demoEmail}${dataFlag(dataDir)}`;
}

function dataFlag(dataDir: string): string {
  return dataDir === resolve(defaultDataDir) ? '' : ` --data ${dataDir}`;
}

/** The sign-in link is shown only if the API listens on this machine alone. */
function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
}
