import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ofOthers, ownFile } from './data-dir.ts';
import {
  dyingWithParent,
  endProcess,
  processIdentity,
  serverEnvironment,
  type Account,
  type EndingStep,
} from './process.ts';
import { codeOf, messageOf, StackError } from './stack-error.ts';

/** A server that the stack has started. */
export interface ManagedServer {
  /** Its process number; after `stop` that of the ended process. */
  readonly pid: number;
  /** Ends it gracefully, or with `signal` if given. Does nothing if it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same data, and waits until it serves. */
  start(): Promise<void>;
}

export interface ServerSpec {
  /** For people: "PostgreSQL". */
  name: string;
  command: string;
  args: string[];
  cwd: string;
  /** Its own environment variables; the user's take precedence. */
  env?: Readonly<Record<string, string>>;
  account: Account | null;
  /** The file for both output streams. */
  logFile: string;
  /** Stores the process, so that a server that outlived this process is found and ended. */
  pidFile: string;
  /** The signals that end it, gentlest first. Their time limits together stay below the 8 s in which a stack must stop. */
  ending: readonly EndingStep[];
  /** Whether the process with this pid, and no other, serves. Called every few milliseconds. */
  isReady: (pid: number) => Promise<boolean>;
  /** A start that fails with such a message is repeated until the time is up, each time after `clear`. */
  passingTrouble?: { message: RegExp; clear: () => void };
  log: (line: string) => void;
}

/** The process ended, or did not serve in time; `logTail` is its output since the start. */
export class ServerStartError extends StackError {
  override name = 'ServerStartError';
  readonly logTail: string;

  constructor(message: string, logTail: string) {
    super(message);
    this.logTail = logTail;
  }
}

/** The message of every server whose port is taken. */
export const portTaken = /address already in use/i;

/** Crash recovery of a big database takes time; a longer start has failed. */
const startLimitMs = 60_000;
const readyPauseMs = 15;
const troublePauseMs = 100;
/** A larger log is renamed (to `.1`) at the next start. */
const logBytesMax = 5_000_000;
const logTailChars = 1_500;
const afterSignalMs = 2_000;

/** Running servers: they end with this process even if the kernel does not end them. */
const running = new Set<ServerProcess>();
process.on('exit', () => {
  for (const server of running) server.signalNow();
});

export class ServerProcess implements ManagedServer {
  readonly #spec: ServerSpec;
  #child: ChildProcess | null = null;
  #pid = 0;
  /** It serves and was not asked to end, so an end is unexpected. */
  #expected = false;
  /** Called when the server has ended by itself after it served. */
  onUnexpectedEnd: () => void = () => {};

  constructor(spec: ServerSpec) {
    this.#spec = spec;
  }

  get name(): string {
    return this.#spec.name;
  }

  get logFile(): string {
    return this.#spec.logFile;
  }

  get pid(): number {
    return this.#pid;
  }

  async start(signal?: AbortSignal): Promise<void> {
    if (this.#child !== null) return;
    const untilMs = performance.now() + startLimitMs;
    for (;;) {
      try {
        await this.#startOnce(untilMs, signal);
        return;
      } catch (error) {
        const trouble = this.#spec.passingTrouble;
        const passing = error instanceof ServerStartError && trouble?.message.test(error.logTail);
        if (!passing || performance.now() > untilMs) throw error;
        trouble?.clear();
        await delay(troublePauseMs);
      }
    }
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#expected = false;
    const last: EndingStep = { signal: 'SIGKILL', patienceMs: afterSignalMs };
    const steps = signal ? [{ signal, patienceMs: afterSignalMs }, last] : this.#spec.ending;
    const gone = await endProcess(
      steps,
      (each) => child.kill(each),
      () => this.#child !== child,
    );
    if (!gone) throw new StackError(`${this.#spec.name} (process ${this.#pid}) does not end.`);
  }

  /** For the end of this process, when waiting is impossible. */
  signalNow(): void {
    this.#child?.kill(this.#spec.ending[0]?.signal ?? 'SIGTERM');
  }

  async #startOnce(untilMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { name, logFile, pidFile } = this.#spec;
    setAsideBigLog(logFile);
    const log = openSync(logFile, 'a', ownFile);
    const logStart = statSync(logFile).size;
    const child = await this.#spawn(log);
    const pid = this.#pid;
    const known = JSON.stringify({ pid, identity: processIdentity(pid) });
    writeFileSync(pidFile, known, { mode: ownFile });
    try {
      while (this.#child === child) {
        signal?.throwIfAborted();
        if (await this.#spec.isReady(pid)) {
          this.#expected = true;
          return;
        }
        if (performance.now() > untilMs) {
          throw startError(
            `${name} did not serve within ${startLimitMs / 1000} s`,
            logFile,
            logStart,
          );
        }
        await delay(readyPauseMs);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    throw startError(`${name} ended while it was starting`, logFile, logStart);
  }

  async #spawn(log: number): Promise<ChildProcess> {
    const { name, command, args, cwd, account, ending, pidFile } = this.#spec;
    const [file, prefix] = dyingWithParent(ending[0]?.signal ?? 'SIGTERM', command);
    const options: SpawnOptions = {
      cwd,
      env: { ...this.#spec.env, ...serverEnvironment() },
      // In its own process group: a terminal's Ctrl-C reaches only this process, which stops servers in order.
      detached: true,
      stdio: ['ignore', log, log],
      ...(account ? { uid: account.uid, gid: account.gid } : {}),
    };
    const child = withOwnMask(() => spawn(file, [...prefix, ...args], options));
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw new StackError(`cannot run ${command}: ${messageOf(error)}`, { cause: error });
    } finally {
      closeSync(log);
    }
    this.#child = child;
    this.#pid = child.pid ?? 0;
    running.add(this);
    child.once('exit', (code, endSignal) => {
      this.#child = null;
      running.delete(this);
      rmSync(pidFile, { force: true });
      if (this.#expected) {
        this.#expected = false;
        this.#spec.log(
          `${name} (process ${child.pid}) has ended by itself (${endSignal ?? `exit code ${code}`}); its log: ${this.#spec.logFile}`,
        );
        this.onUnexpectedEnd();
      }
    });
    return child;
  }
}

/** The files of a child that `start` forks are for its user alone. */
function withOwnMask(start: () => ChildProcess): ChildProcess {
  const usual = process.umask(ofOthers);
  try {
    return start();
  } finally {
    process.umask(usual);
  }
}

function startError(what: string, logFile: string, logStart: number): ServerStartError {
  const tail = readFileSync(logFile).subarray(logStart).toString().trim().slice(-logTailChars);
  return new ServerStartError(`${what}; the end of its log, ${logFile}:\n${tail}`, tail);
}

function setAsideBigLog(logFile: string): void {
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) {
    renameSync(logFile, `${logFile}.1`);
  }
}

/**
 * Ends the server that an earlier, perhaps killed, process of ours left behind, and no other. Call it before claiming ports,
 * because the old server still uses them.
 */
export async function endOrphan(
  name: string,
  pidFile: string,
  ending: readonly EndingStep[],
): Promise<void> {
  const orphan = readPidFile(pidFile);
  if (orphan === null) return;
  await endEarlier(name, orphan, ending);
  rmSync(pidFile, { force: true });
}

/** A process that keeps its meaning when another process gets its number; see `processIdentity`. */
interface KnownProcess {
  pid: number;
  identity: string;
}

/** Ends the server of an earlier run, if it still runs. */
export async function endEarlier(
  name: string,
  { pid, identity }: KnownProcess,
  ending: readonly EndingStep[],
): Promise<void> {
  const gone = await endProcess(
    ending,
    (signal) => sendSignal(pid, signal),
    () => processIdentity(pid) !== identity,
  );
  if (!gone)
    throw new StackError(
      `${name} of an earlier run (process ${pid}) does not end: stop it by hand.`,
    );
}

/** Null also for malformed content. */
function readPidFile(file: string): KnownProcess | null {
  try {
    const { pid, identity } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return typeof pid === 'number' && typeof identity === 'string' ? { pid, identity } : null;
  } catch {
    return null;
  }
}

/** Signals a process that may already be gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return;
    throw new StackError(`cannot stop process ${pid}: ${messageOf(error)}`, { cause: error });
  }
}
