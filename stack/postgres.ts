import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { loopback, type PortBook } from './ports.ts';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { preparePostgresHome, type PostgresHome } from './postgres-home.ts';
import { commandLineOf, endProcess, processIdentity, run, type EndingStep } from './process.ts';
import { endOrphan, sendSignal, ServerProcess, type ServerSpec } from './server.ts';
import { startOnFreePorts } from './start.ts';
import { codeOf, StackError } from './stack-error.ts';

const name = 'PostgreSQL';
const pidFileName = 'postgres.pid';
const userName = 'heliograph';
const databaseName = 'heliograph';

/** Fast shutdown (open transactions are rolled back), then immediate (recovery at the next start), then SIGKILL. */
const ending: readonly EndingStep[] = [
  { signal: 'SIGINT', patienceMs: 4_500 },
  { signal: 'SIGQUIT', patienceMs: 1_500 },
  { signal: 'SIGKILL', patienceMs: 1_500 },
];

export interface PostgresOptions {
  dataDir: string;
  /** For a copy of PostgreSQL's programs, if one is needed. */
  cacheDir: string;
  ephemeral: boolean;
  ports: PortBook;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

export interface Postgres {
  url: string;
  server: ServerProcess;
}

/** Starts PostgreSQL on 127.0.0.1, and first creates its files (database and superuser `heliograph`) if there are none. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { dataDir, ephemeral, ports, log, signal } = options;
  const home = await preparePostgresHome(dataDir, ephemeral, log);
  const binaries = await findPostgresBinaries(home.account, options.cacheDir, log);
  const cluster = join(home.dir, 'data');
  await endOrphan(name, join(dataDir, pidFileName), ending);
  await endForeignPostmaster(cluster);
  const password = await prepareCluster(cluster, home, binaries, options);
  return startOnFreePorts(signal, async () => {
    const port = await ports.claim('postgres');
    const server = new ServerProcess(specOf(options, home, binaries, cluster, port));
    await server.start(signal);
    const url = `postgresql://${userName}:${password}@${loopback}:${port}/${databaseName}`;
    return { url, server };
  });
}

function specOf(
  { dataDir, ephemeral, log }: PostgresOptions,
  { account, dir }: PostgresHome,
  { postgres }: PostgresBinaries,
  cluster: string,
  port: number,
): ServerSpec {
  const settings = [
    `listen_addresses=${loopback}`,
    'unix_socket_directories=',
    // Survives the death of the server, not of the machine. `synchronous_commit` stays on in both cases: without it a killed
    // server forgets what it confirmed.
    ...(ephemeral ? ['fsync=off', 'full_page_writes=off'] : []),
  ];
  return {
    name,
    command: postgres,
    args: ['-D', cluster, '-p', String(port), ...settings.flatMap((each) => ['-c', each])],
    cwd: dir,
    account,
    logFile: join(dataDir, 'postgres.log'),
    pidFile: join(dataDir, pidFileName),
    ending,
    isReady: (pid) => Promise.resolve(isServing(cluster, pid)),
    passingTrouble: {
      message: /shared memory block .* is still in use/,
      clear: () => {
        endStrayChildren(cluster);
      },
    },
    log,
  };
}

/** PostgreSQL's own state: lines of its pid file, see src/include/utils/pidfile.h. */
const pidFileLines = { pid: 0, status: 7 };

function readPostmasterFile(cluster: string): string[] | null {
  try {
    return readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function isServing(cluster: string, pid: number): boolean {
  const lines = readPostmasterFile(cluster);
  return (
    Number(lines?.[pidFileLines.pid]) === pid && lines?.[pidFileLines.status]?.trim() === 'ready'
  );
}

/**
 * Ends a PostgreSQL that runs on our files but is not in our pid file. If another program now has its process number (after
 * a restart of the machine, for example), PostgreSQL's own pid file must not prevent a start.
 */
async function endForeignPostmaster(cluster: string): Promise<void> {
  const lines = readPostmasterFile(cluster);
  const pid = Number(lines?.[pidFileLines.pid]);
  if (lines === null || !Number.isInteger(pid) || pid <= 1) return;
  const identity = processIdentity(pid);
  if (identity === null) return;
  const command = commandLineOf(pid);
  if (!command.includes('postgres') || !command.includes(cluster)) {
    // PostgreSQL ignores the number of its parent process and then checks the file's shared memory. Removing the file would
    // skip that check.
    lines[pidFileLines.pid] = String(process.pid);
    writeFileSync(join(cluster, 'postmaster.pid'), lines.join('\n'));
    return;
  }
  const send = (signal: NodeJS.Signals): void => {
    sendSignal(pid, signal);
  };
  if (!(await endProcess(ending, send, () => processIdentity(pid) !== identity))) {
    throw new StackError(
      `PostgreSQL of an earlier run (process ${pid}) does not end: stop it by hand.`,
    );
  }
}

/**
 * Ends the children of a dead server. They end by themselves when they next check, but a child in a long query does not
 * check, and while it lives the next server refuses to start. Their title and their working directory, the data folder,
 * identify them. Without /proc it only waits for them.
 */
function endStrayChildren(cluster: string): void {
  if (process.platform !== 'linux') return;
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || !commandLineOf(pid).startsWith('postgres: ')) continue;
    try {
      if (readlinkSync(`/proc/${entry}/cwd`) === cluster) sendSignal(pid, 'SIGKILL');
    } catch {
      // Another user's, or already gone.
    }
  }
}

/** Creates the database files if they are missing, and returns the superuser's password. */
async function prepareCluster(
  cluster: string,
  home: PostgresHome,
  binaries: PostgresBinaries,
  { dataDir, ephemeral, signal }: PostgresOptions,
): Promise<string> {
  const passwordFile = join(dataDir, 'postgres.password');
  if (!existsSync(cluster)) {
    const password = newPassword();
    await createCluster(cluster, password, home, binaries, ephemeral, signal);
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    return password;
  }
  if (existsSync(passwordFile)) return readFileSync(passwordFile, 'utf8').trim();
  const password = newPassword();
  const sql = `ALTER ROLE ${userName} PASSWORD '${password}';`;
  await single(cluster, sql, home, binaries, signal);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  return password;
}

/** Safe in a URL and in SQL. */
function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

const unfinishedPrefix = 'data.new';

/** All or nothing: a crash leaves incomplete files under another name, and the next start deletes them. */
async function createCluster(
  cluster: string,
  password: string,
  home: PostgresHome,
  binaries: PostgresBinaries,
  ephemeral: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const entry of readdirSync(home.dir)) {
    if (entry.startsWith(unfinishedPrefix)) rmSync(join(home.dir, entry), { recursive: true });
  }
  const unfinished = join(home.dir, unfinishedPrefix);
  const passwordFile = `${unfinished}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (home.account) chownSync(passwordFile, home.account.uid, home.account.gid);
  const args = [
    '-D',
    unfinished,
    '-U',
    userName,
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
  ];
  // The same order and case rules on every machine, whatever its locale.
  args.push(
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  );
  if (ephemeral) args.push('--no-sync');
  try {
    const { code, output } = await run(binaries.initdb, args, { account: home.account, signal });
    if (code !== 0)
      throw new StackError(`cannot initialise PostgreSQL in ${home.dir}:\n${output.trim()}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  await single(unfinished, `CREATE DATABASE ${databaseName};`, home, binaries, signal);
  renameSync(unfinished, cluster);
}

/** Runs one line of SQL on files that no server uses. */
async function single(
  cluster: string,
  sql: string,
  { account }: PostgresHome,
  { postgres }: PostgresBinaries,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { code, output } = await run(postgres, ['--single', '-j', '-D', cluster, 'postgres'], {
    account,
    input: `${sql}\n\n`,
    signal,
  });
  if (code !== 0 || /^(\S+ )*(ERROR|FATAL|PANIC):/m.test(output)) {
    throw new StackError(
      `cannot prepare the database in ${cluster}:\n${output.trim().slice(-1000)}`,
    );
  }
}
