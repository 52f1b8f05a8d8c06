import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, messageOf, StackError } from './stack-error.ts';

/** A user of this machine that runs a program. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** The file of a program on the PATH; null when there is none. */
export function findOnPath(program: string, path: string | undefined): string | null {
  for (const folder of (path ?? '').split(delimiter)) {
    if (folder !== '' && isExecutableFile(join(folder, program))) return join(folder, program);
  }
  return null;
}

export function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * The environment that servers get. Variables such as PG* and TEMPORAL_* would change their behaviour; LC_ALL keeps their
 * messages in the language that this code searches for.
 */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { LC_ALL: 'C', TZ: 'UTC', PATH, HOME, TMPDIR };
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  account?: Account | null;
  /** Written to its standard input. */
  input?: string;
  /** Receives the output as it comes. */
  onOutput?: (text: string) => void;
  signal?: AbortSignal | undefined;
}

const givenUpPatienceMs = 2_000;

/** Runs a program to its end; `output` is what it wrote to both streams. Rejects if it cannot be run or is aborted. */
export function run(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<{ code: number | null; output: string }> {
  const { account, signal } = options;
  return new Promise((resolve, reject) => {
    const [file, prefix] = dyingWithParent('SIGTERM', command);
    const child = spawn(file, [...prefix, ...args], {
      cwd: options.cwd ?? '/',
      env: options.env ?? serverEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(account ? { uid: account.uid, gid: account.gid } : {}),
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
      options.onOutput?.(chunk.toString());
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    // The exit code judges a program that ends without reading its input.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    // An abort rejects only when the program has ended, so that nothing keeps running.
    const giveUp = (): void => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), givenUpPatienceMs).unref();
    };
    signal?.addEventListener('abort', giveUp);
    if (signal?.aborted) giveUp();
    child.once('error', reject);
    child.once('close', (code) => {
      signal?.removeEventListener('abort', giveUp);
      if (signal?.aborted) reject(signal.reason);
      else resolve({ code, output });
    });
  });
}

/**
 * An identity of a process that differs from a later process with the same number; null if the process does not exist. A
 * zombie counts as gone.
 */
export function processIdentity(pid: number): string | null {
  if (process.platform !== 'linux') {
    const asked = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
    const line = asked.stdout.trim();
    return line === '' || line.startsWith('Z') ? null : line.replace(/^\S+\s+/, '');
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may contain any characters. After it comes the state and, 19 fields later, the start in ticks since boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${fields[19]}`;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return null;
    throw new StackError(`cannot look at process ${pid}: ${messageOf(error)}`, { cause: error });
  }
}

/** The command line of a process; empty when there is none. */
export function commandLineOf(pid: number): string {
  if (process.platform !== 'linux') {
    return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

let setprivFile: string | null | undefined;

/**
 * The command and its first arguments such that, on Linux, the kernel sends the program `signal` when this process dies for
 * any reason. The kernel watches the thread that started the program: call this from the main thread.
 */
export function dyingWithParent(signal: NodeJS.Signals, command: string): [string, string[]] {
  if (setprivFile === undefined) {
    const found = process.platform === 'linux' ? findOnPath('setpriv', process.env['PATH']) : null;
    // Busybox has a setpriv that cannot do this.
    const works =
      found !== null &&
      spawnSync(found, ['--pdeathsig', 'TERM', '/bin/sh', '-c', ':']).status === 0;
    setprivFile = works ? found : null;
  }
  if (setprivFile === null) return [command, []];
  return [setprivFile, ['--pdeathsig', signal.replace(/^SIG/, ''), '--', command]];
}

export interface EndingStep {
  signal: NodeJS.Signals;
  /** Time to end after this signal, ms. */
  patienceMs: number;
}

/** Sends the signals one after the other until the process is gone; false when it outlives the last one. */
export async function endProcess(
  steps: readonly EndingStep[],
  send: (signal: NodeJS.Signals) => void,
  isGone: () => boolean,
): Promise<boolean> {
  for (const { signal, patienceMs } of steps) {
    if (isGone()) return true;
    send(signal);
    // A stopped process (SIGSTOP) would not see the signal.
    if (signal !== 'SIGKILL') send('SIGCONT');
    if (await becomes(isGone, patienceMs)) return true;
  }
  return isGone();
}

const pollPauseMs = 10;

/** Whether `condition` becomes true within `limitMs`. */
export async function becomes(condition: () => boolean, limitMs: number): Promise<boolean> {
  const untilMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() >= untilMs) return false;
    await delay(pollPauseMs);
  }
  return true;
}
