import { createHash, createSecretKey } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { z } from 'zod';

import type { MasterKey, MasterKeys } from '../db/sealing.ts';
import { statusProfiles } from '../domain/daylight.ts';
import { isValidTimezone, type ReaderZone } from '../domain/zone.ts';
import { allQueues } from '../workflows/queues.ts';
import { gatewayVariables } from './gateways/variables.ts';
import { notificationProblems, notificationVariables } from './notifications/variables.ts';

/** Reads the configuration: one schema for all environment variables, parsed once. An error names every problem. */

/** The exit codes of every command. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  serviceAway: 69,
  configuration: 78,
} as const;

/** An error for the person at the terminal: a sentence and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

const packageRoot = fileURLToPath(new URL('../', import.meta.url));

/** Default data folder of the embedded stack. */
export const defaultDataDir = join(packageRoot, '.data');

const keyBytes = 32;
/** A key in base64 with a number of bytes that `isEnough` accepts. */
const keyOf = (what: string, isEnough: (bytes: number) => boolean) =>
  z
    .string()
    .refine(
      (text) => /^[A-Za-z0-9+/]+={0,2}$/.test(text) && isEnough(Buffer.from(text, 'base64').length),
      `must be ${what} in base64 (openssl rand -base64 ${keyBytes})`,
    );
const masterKey = keyOf(`${keyBytes} bytes`, (bytes) => bytes === keyBytes);
/** The output length of HMAC-SHA-256; a shorter key would be the weaker part. */
const jwtKey = keyOf(`at least ${keyBytes} bytes`, (bytes) => bytes >= keyBytes);

const wholeNumber = (min: number, max: number, what = 'a whole number') =>
  z
    .string()
    .refine(
      (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `must be ${what} from ${min} to ${max}`,
    )
    .transform(Number);

/** The parts of a comma-separated list. */
const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const seconds = wholeNumber(1, 86_400, 'a whole number of seconds');

/** Refuses text that is no URL here, because later errors would show the text with its password. */
const urlOf = (...schemes: string[]) =>
  z
    .string()
    .refine(
      (text) => schemes.some((scheme) => text.startsWith(`${scheme}://`)) && URL.canParse(text),
      {
        message: `must be a URL that begins with ${schemes[0] ?? ''}:// (in a password, write # as %23, / as %2F, % as %25)`,
      },
    );

/**
 * Reads whose clock times follow: `plant` (each plant's own: null), `local` (this machine's), `utc` or the name of a zone;
 * undefined for another text.
 */
export function parseZone(text: string): ReaderZone | undefined {
  switch (text.toLowerCase()) {
    case 'plant':
      return null;
    case 'local':
      return new Intl.DateTimeFormat().resolvedOptions().timeZone;
    case 'utc':
      return 'UTC';
    default:
      return isValidTimezone(text) ? text : undefined;
  }
}

export const zoneChoice = 'plant, local, utc or the name of a zone, such as Europe/Amsterdam';

/** The variables, their defaults and their meaning. `npm run gen` writes the README's table from this. */
export const environmentSchema = z.object({
  DATABASE_URL: urlOf('postgres', 'postgresql')
    .optional()
    .describe('URL of PostgreSQL, the record'),
  REDIS_URL: urlOf('redis', 'rediss')
    .optional()
    .describe(
      'URL of Redis, which holds a second lock on each poll; if empty, PostgreSQL alone prevents doubled polls',
    ),
  REDIS_KEY_PREFIX: z
    .string()
    .default('')
    .describe('prefix of every Redis key, for a Redis that other programs use too'),
  TEMPORAL_ADDRESS: z.string().min(1).optional().describe('host:port of the Temporal frontend'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').describe('the Temporal namespace'),
  TEMPORAL_UI_URL: urlOf('http', 'https')
    .optional()
    .describe("URL of Temporal's Web UI; the pages link to it"),
  TEMPORAL_DOWNLOAD: z
    .string()
    .optional()
    .describe(
      "where `npm start` gets Temporal's server: by default from the official release; `off` builds it with Go; a URL names a mirror of the release's folder",
    ),
  INTEGRATION_MOCK_MODE: z
    .string()
    .optional()
    .describe('must be `true`: this version talks to recorded vendors only'),
  MASTER_KEY_CURRENT: masterKey.optional().describe('seals vendor credentials; 32 bytes, base64'),
  MASTER_KEY_PREVIOUS: masterKey
    .optional()
    .describe('previous master key; opens credentials that it sealed'),
  POLL_INTERVAL_SECONDS: seconds.default(600).describe('polling interval of new plants'),
  DEFAULT_STATUS_PROFILE: z
    .enum(statusProfiles)
    .default('STRICT')
    .describe(
      'status profile of new plants: `STRICT`, or `DAYLIGHT` if their coordinates are known',
    ),
  INCIDENT_PLANTS_MIN: wholeNumber(1, 999_999)
    .default(5)
    .describe(
      'an incident of a brand needs at least this number of failing plants, and a third of the brand',
    ),
  INCIDENT_AFTER_SECONDS: seconds
    .default(300)
    .describe('an incident opens after this time, in at least two reconciliations'),
  DISPLAY_ZONE: z
    .string()
    .refine((text) => parseZone(text) !== undefined, `must be ${zoneChoice}`)
    .default('plant')
    .describe(
      "whose clock the times of commands follow, unless `--zone` says it: `plant` (each plant's own), `local` (this machine's), `utc` or the name of a zone",
    ),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('lowest level that is logged'),
  WORKER_QUEUES: z
    .string()
    .default('')
    .transform(listOf)
    .refine(
      (queues) => queues.every((queue) => allQueues.includes(queue)),
      `must be a comma-separated choice of ${allQueues.join(', ')}`,
    )
    .describe('task queues that this worker serves, comma-separated; if empty, all'),
  MAX_CACHED_WORKFLOWS: wholeNumber(1, 9_999_999)
    .optional()
    .describe(
      "number of loops of each brand's queue that a worker keeps in memory, 127 KB each; if empty, as many as fit into half of the memory, at least 2000",
    ),
  METRICS_ADDRESS: z
    .string()
    .regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]\s]+):\d{1,5}$/, 'must be host:port, such as 127.0.0.1:9464')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'has no such port')
    .optional()
    .describe(
      "host:port where the worker serves `/health` and `/metrics` (Prometheus; also those of Temporal's SDK); if empty, nowhere",
    ),
  WATCHED_FOLDERS: z
    .string()
    .default('')
    .transform(listOf)
    .describe(
      "folders, comma-separated, whose disks `/health` watches: PostgreSQL's, for example; `npm start` adds its data folder",
    ),
  API_HOST: z.string().min(1).default('127.0.0.1').describe('address on which the API listens'),
  API_PORT: wholeNumber(0, 65_535, 'a port number')
    .default(8080)
    .describe('port of the API; 0 takes a free one'),
  JWT_SECRET: jwtKey
    .optional()
    .describe('signs tokens and sessions of the API; at least 32 bytes, base64'),
  PUBLIC_URL: urlOf('https', 'http')
    .transform((text) => new URL(text))
    .refine((url) => url.pathname === '/' && url.search === '' && url.hash === '', {
      message: 'must have no path: the API is served at the root',
    })
    .transform((url) => url.origin)
    .optional()
    .describe('URL at which people reach the API; with https, its cookies are Secure'),
  METRICS_TOKEN: z
    .string()
    .min(16, 'must have at least 16 characters')
    .optional()
    .describe(
      "bearer token with which a scraper reads the API's `/metrics`; if empty, only operators may read it, and clients on the same machine where `PUBLIC_URL` is empty too",
    ),
  TRUSTED_PROXIES: wholeNumber(0, 9)
    .default(0)
    .describe('number of trusted proxies in front of the API that append to X-Forwarded-For'),
  ...notificationVariables,
  ...gatewayVariables,
  POLL_COURSE: z
    .enum(['whole', 'steps'])
    .default('whole')
    .describe(
      "how polls run: `whole` makes an ordinary poll one step, which is cheapest; `steps` makes each step an activity that Temporal's Web UI shows; each loop takes a change at its next run",
    ),
  WORKFLOW_THREADS: z
    .enum(['lean', 'sdk'])
    .default('lean')
    .describe(
      "`sdk` gives Temporal's own time-out for workflow code and its stack traces in the Web UI, at twice the CPU",
    ),
});

export type Environment = z.output<typeof environmentSchema>;

/** The content of `.data/stack.json`, which describes a running embedded stack. */
const stackFileSchema = z.object({
  /** `ready`: the worker polls and the API listens. */
  state: z.enum(['starting', 'ready']).default('ready'),
  temporal_address: z.string(),
  temporal_namespace: z.string().default('default'),
  temporal_ui: z.string().nullable(),
  database_url: z.string(),
  redis_url: z.string().nullable(),
  redis_key_prefix: z.string().default(''),
  pid: z.number(),
  master_key_file: z.string(),
  jwt_key_file: z.string().nullable().default(null),
  /** null until the API listens. */
  api_url: z.string().nullable().default(null),
});

export type StackFile = z.output<typeof stackFileSchema>;

export function stackFilePath(dataDir: string): string {
  return join(dataDir, 'stack.json');
}

/** Null if there is no file. @throws CommandError 78 if `start` did not write it. */
export function readStackFile(dataDir: string): StackFile | null {
  const path = stackFilePath(dataDir);
  if (!existsSync(path)) return null;
  try {
    return stackFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new CommandError(
      `${path} cannot be read as a stack file: delete it and run \`npm start\` again`,
      exitCodes.configuration,
      { cause },
    );
  }
}

/** Whether the embedded stack in `dataDir` is being started, and a command in this environment would use it. */
export function isStackStarting(env: NodeJS.ProcessEnv, dataDir: string): boolean {
  const stack = readStackFile(dataDir);
  const given = env['DATABASE_URL'] || env['DATABASE_URL_FILE'];
  if (given && given !== stack?.database_url) return false;
  if (stack !== null && isAlive(stack.pid)) return stack.state === 'starting';
  // Before its servers run, a start has only claimed the folder. The file of one that was killed says nothing any more.
  return isAlive(ownerOf(dataDir));
}

/** The process that has claimed a data folder, as `claimDataDir` writes it; NaN if there is none. */
function ownerOf(dataDir: string): number {
  try {
    return Number.parseInt(readFileSync(join(dataDir, 'owner.pid'), 'utf8'), 10);
  } catch {
    return NaN;
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export interface Config extends Environment {
  dataDir: string;
  /** The embedded stack whose database is used. */
  stack: StackFile | null;
  masterKeys: MasterKeys | null;
}

/** Longer than any valid value. */
const valueFileBytesMax = 64 * 1024;

/** Temporal's own variables that hold secrets; see `temporalSecurity`. */
export const temporalVariables = [
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
];

/**
 * The environment with each `NAME_FILE` replaced by `NAME`, whose value is the trimmed content of that file. A secret
 * then need not be in the environment, which other processes may read.
 *
 * @throws CommandError 78 with every file that cannot be read, and every variable that is given twice.
 */
export function withFiles(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const filled = { ...env };
  const problems: string[] = [];
  for (const name of [...Object.keys(environmentSchema.shape), ...temporalVariables]) {
    const fileName = `${name}_FILE`;
    const path = env[fileName];
    delete filled[fileName];
    if (path === undefined || path === '') continue;
    if (env[name] !== undefined && env[name] !== '') {
      problems.push(`  ${name} and ${fileName} are both set: one of them is enough`);
      continue;
    }
    const value = readValueFile(path);
    if (value === null)
      problems.push(`  ${fileName} names ${path}, which cannot be read as a value`);
    else filled[name] = value;
  }
  if (problems.length > 0) throw wrongEnvironment(problems);
  return filled;
}

/** @param problems one a line. */
function wrongEnvironment(problems: readonly string[]): CommandError {
  return new CommandError(
    `the environment is wrong:\n${problems.join('\n')}`,
    exitCodes.configuration,
  );
}

/** Null if the file is missing, empty, or too large to be a value. */
function readValueFile(path: string): string | null {
  try {
    if (statSync(path).size > valueFileBytesMax) return null;
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? null : text;
  } catch {
    return null;
  }
}

/**
 * Reads the configuration. What the environment does not name comes from the embedded stack in `dataDir`, unless the
 * environment names another database than the stack's: locks, loops and keys belong to their database.
 *
 * @throws CommandError 78 with every problem, one a line.
 */
export function loadConfig(env: NodeJS.ProcessEnv, dataDir: string = defaultDataDir): Config {
  const present = Object.fromEntries(
    Object.entries(withFiles(env)).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse(present);
  if (!parsed.success) {
    const { issues } = parsed.error;
    throw wrongEnvironment(issues.map(({ path, message }) => `  ${path.join('.')} ${message}`));
  }
  const environment = parsed.data;
  const problems = notificationProblems(environment);
  if (problems.length > 0) throw wrongEnvironment(problems.map((sentence) => `  ${sentence}`));
  const stack = stackOf(environment, dataDir);
  const watched = [...new Set([...environment.WATCHED_FOLDERS, resolve(dataDir)])];
  const filled =
    stack === null
      ? environment
      : { ...filledFrom(stack, environment, present), WATCHED_FOLDERS: watched };
  return { ...filled, dataDir, stack, masterKeys: masterKeysOf(filled, stack) };
}

/** The embedded stack whose database is used; null if there is none. */
function stackOf({ DATABASE_URL }: Environment, dataDir: string): StackFile | null {
  const stack = readStackFile(dataDir);
  const isItsDatabase = DATABASE_URL === undefined || DATABASE_URL === stack?.database_url;
  return isItsDatabase ? stack : null;
}

/** @param present the variables that are set. */
function filledFrom(
  stack: StackFile,
  environment: Environment,
  present: NodeJS.ProcessEnv,
): Environment {
  const redis = {
    ...(stack.redis_url === null ? {} : { REDIS_URL: stack.redis_url }),
    REDIS_KEY_PREFIX: stack.redis_key_prefix,
  };
  const temporal = {
    TEMPORAL_ADDRESS: stack.temporal_address,
    TEMPORAL_NAMESPACE: present['TEMPORAL_NAMESPACE'] ?? stack.temporal_namespace,
  };
  return {
    ...environment,
    DATABASE_URL: stack.database_url,
    // An embedded stack polls recorded vendors only.
    INTEGRATION_MOCK_MODE: present['INTEGRATION_MOCK_MODE'] ?? 'true',
    ...(isNamed(present['REDIS_URL'], stack.redis_url ?? '') ? {} : redis),
    ...(isNamed(present['TEMPORAL_ADDRESS'], stack.temporal_address) ? {} : temporal),
  };
}

/** Whether the environment names another service than the stack's. */
function isNamed(given: string | undefined, ofStack: string): boolean {
  return given !== undefined && given !== ofStack;
}

function masterKeysOf(environment: Environment, stack: StackFile | null): MasterKeys | null {
  const { MASTER_KEY_CURRENT: given, MASTER_KEY_PREVIOUS: previous } = environment;
  const current = given ?? (stack === null ? undefined : readKey(stack.master_key_file, masterKey));
  if (current === undefined) return null;
  return {
    current: namedKey(current),
    previous: previous === undefined ? null : namedKey(previous),
  };
}

/** A key of the embedded stack. @throws CommandError 78 */
function readKey(path: string, schema: z.ZodType<string>): string {
  try {
    return schema.parse(readFileSync(path, 'utf8').trim());
  } catch {
    throw new CommandError(
      `the key file ${path} cannot be read as ${keyBytes} bytes in base64`,
      exitCodes.configuration,
    );
  }
}

/** @throws CommandError 78 without a key. */
export function requireJwtKey({ JWT_SECRET, stack }: Config): string {
  if (JWT_SECRET !== undefined) return JWT_SECRET;
  if (stack?.jwt_key_file) return readKey(stack.jwt_key_file, jwtKey);
  throw new CommandError(
    `JWT_SECRET is not set: at least ${keyBytes} bytes in base64 (openssl rand -base64 ${keyBytes}), with which the API signs tokens and sessions.`,
    exitCodes.configuration,
  );
}

/** Names a key by its digest, so that a wrong key can be told from a damaged row. */
export function namedKey(base64: string): MasterKey {
  const bytes = Buffer.from(base64, 'base64');
  return {
    key: createSecretKey(bytes),
    version: createHash('sha256')
      .update('heliograph master key')
      .update(bytes)
      .digest('hex')
      .slice(0, 12),
  };
}

/** @throws CommandError 78 unless INTEGRATION_MOCK_MODE is `true`. */
export function requireMockMode(config: Config): void {
  if (config.INTEGRATION_MOCK_MODE !== 'true') {
    throw new CommandError(
      'INTEGRATION_MOCK_MODE must be `true`: this version polls recorded vendors only and opens no connection to a real one. Set INTEGRATION_MOCK_MODE=true.',
      exitCodes.configuration,
    );
  }
}

/** URL of the Temporal Web UI: from the environment, else the embedded stack's; null if neither is known. */
export function webUiUrl({ TEMPORAL_UI_URL, stack }: Config): string | null {
  return TEMPORAL_UI_URL ?? stack?.temporal_ui ?? null;
}

/** @throws CommandError 78 that names the missing variable and where it comes from. */
export function requireService<Name extends 'DATABASE_URL' | 'TEMPORAL_ADDRESS'>(
  config: Pick<Config, Name | 'dataDir'>,
  name: Name,
): string {
  const value = config[name];
  if (value === undefined) {
    throw new CommandError(
      `${name} is not set and no embedded stack has written ${stackFilePath(config.dataDir)}: start one with \`npm start\`, or name the service in the environment.`,
      exitCodes.configuration,
    );
  }
  return value;
}

/** @throws CommandError 78 without a key. */
export function requireMasterKeys(config: Config): MasterKeys {
  if (config.masterKeys === null) {
    throw new CommandError(
      'MASTER_KEY_CURRENT is not set: 32 bytes in base64 (openssl rand -base64 32), the key that sealed the stored credentials.',
      exitCodes.configuration,
    );
  }
  return config.masterKeys;
}
