import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { ownFile, ownFolder } from './data-dir.ts';
import { loopback, type PortBook } from './ports.ts';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { folderArgument, preparePostgresHome, type PostgresHome } from './postgres-home.ts';
import { commandLineOf, processIdentity, run, type EndingStep } from './process.ts';
import { endEarlier, endOrphan, sendSignal, ServerProcess, type ServerSpec } from './server.ts';
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
  const { dataDir, ports, log, signal } = options;
  const home = preparePostgresHome(dataDir);
  const binaries = await findPostgresBinaries(home.account, options.cacheDir, log);
  const cluster: Cluster = { files: join(home.dir, 'data'), home, binaries, options };
  await endOrphan(name, join(dataDir, pidFileName), ending);
  await endForeignPostmaster(cluster.files);
  const password = await prepareCluster(cluster);
  return startOnFreePorts(signal, async () => {
    const port = await ports.claim('postgres');
    const server = new ServerProcess(specOf(cluster, port));
    await server.start(signal);
    const url = `postgresql://${userName}:${password}@${loopback}:${port}/${databaseName}`;
    return { url, server };
  });
}

/** The database files, and what runs programs on them. */
interface Cluster {
  /** The folder of the files. */
  files: string;
  home: PostgresHome;
  binaries: PostgresBinaries;
  options: PostgresOptions;
}

function specOf({ files, home, binaries, options }: Cluster, port: number): ServerSpec {
  const { dataDir, ephemeral, log } = options;
  const settings = [
    `listen_addresses=${loopback}`,
    'unix_socket_directories=',
    // Survives the death of the server, not of the machine. `synchronous_commit` stays on in both cases: without it a killed
    // server forgets what it confirmed.
    ...(ephemeral ? ['fsync=off', 'full_page_writes=off'] : []),
  ];
  return {
    name,
    command: binaries.postgres,
    args: [
      `-D${folderArgument(files, home.account)}`,
      `-p${port}`,
      ...settings.flatMap((each) => ['-c', each]),
    ],
    cwd: files,
    account: home.account,
    logFile: join(dataDir, 'postgres.log'),
    pidFile: join(dataDir, pidFileName),
    ending,
    isReady: async (pid) => isServing(files, pid),
    passingTrouble: {
      message: /shared memory block .* is still in use/,
      clear: () => endStrayChildren(files),
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
  if (!commandLineOf(pid).includes('postgres') || !isIn(pid, cluster)) {
    // PostgreSQL ignores the number of its parent process and then checks the file's shared memory. Removing the file would
    // skip that check.
    lines[pidFileLines.pid] = String(process.pid);
    writeFileSync(join(cluster, 'postmaster.pid'), lines.join('\n'));
    return;
  }
  await endEarlier(name, { pid, identity }, ending);
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
    if (isIn(pid, cluster)) sendSignal(pid, 'SIGKILL');
  }
}

/** Whether a PostgreSQL works on these files: they are its working directory. Without /proc its command line names them. */
function isIn(pid: number, cluster: string): boolean {
  if (process.platform !== 'linux') return commandLineOf(pid).includes(cluster);
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === cluster;
  } catch {
    // Another user's, or already gone.
    return false;
  }
}

/** Creates the database files if they are missing, and returns the superuser's password. */
async function prepareCluster(cluster: Cluster): Promise<string> {
  const passwordFile = join(cluster.options.dataDir, 'postgres.password');
  const isThere = existsSync(cluster.files);
  if (isThere && existsSync(passwordFile)) return readFileSync(passwordFile, 'utf8').trim();
  // Safe in a URL and in SQL.
  const password = randomBytes(24).toString('base64url');
  if (isThere) await single(cluster, `ALTER ROLE ${userName} PASSWORD '${password}';`);
  else await createCluster(cluster, password);
  writeFileSync(passwordFile, `${password}\n`, { mode: ownFile });
  return password;
}

const unfinishedPrefix = 'data.new';

/** All or nothing: a crash leaves incomplete files under another name, and the next start deletes them. */
async function createCluster(cluster: Cluster, password: string): Promise<void> {
  const { home, binaries, options } = cluster;
  for (const entry of readdirSync(home.dir)) {
    if (entry.startsWith(unfinishedPrefix)) rmSync(join(home.dir, entry), { recursive: true });
  }
  const unfinished = join(home.dir, unfinishedPrefix);
  const passwordFile = `${unfinished}.password`;
  mkdirSync(unfinished, { mode: ownFolder });
  writeFileSync(passwordFile, `${password}\n`, { mode: ownFile });
  if (home.account !== null) {
    const { uid, gid } = home.account;
    for (const path of [unfinished, passwordFile]) chownSync(path, uid, gid);
  }
  const args = ['-D', folderArgument(unfinished, home.account), '-U', userName];
  args.push(`--pwfile=${join('..', basename(passwordFile))}`);
  args.push('--auth=scram-sha-256', '--encoding=UTF8');
  // The same order and case rules on every machine, whatever its locale.
  args.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  if (options.ephemeral) args.push('--no-sync');
  try {
    const { code, output } = await run(binaries.initdb, args, {
      cwd: unfinished,
      account: home.account,
      signal: options.signal,
    });
    if (code !== 0)
      throw new StackError(`cannot initialise PostgreSQL in ${home.dir}:\n${output.trim()}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  await single({ ...cluster, files: unfinished }, `CREATE DATABASE ${databaseName};`);
  renameSync(unfinished, cluster.files);
}

/** Runs one line of SQL on files that no server uses. */
async function single({ files, home, binaries, options }: Cluster, sql: string): Promise<void> {
  const args = ['--single', '-j', '-D', folderArgument(files, home.account), 'postgres'];
  const { code, output } = await run(binaries.postgres, args, {
    cwd: files,
    account: home.account,
    input: `${sql}\n\n`,
    signal: options.signal,
  });
  if (code !== 0 || /^(\S+ )*(ERROR|FATAL|PANIC):/m.test(output))
    throw new StackError(`cannot prepare the database in ${files}:\n${output.trim().slice(-1000)}`);
}
