import { chmodSync, closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { ownFile } from './data-dir.ts';
import { codeOf, messageOf, StackError } from './stack-error.ts';

export interface Lock {
  /** Releases the lock; may be called more than once. */
  release(): void;
}

/** SQLITE_BUSY: another process holds the lock. */
const sqliteBusy = 5;

/** Keeps database handles alive: garbage collection of a handle would silently release its lock. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock of `file`, or returns null when a living process (this one included) holds it. It is SQLite's exclusive
 * lock, hence the kernel's: it ends with the process, however that dies. So there are no stale locks, and no races between
 * processes that detect one. The file is for its owner alone, because everybody who can read it can hold a lock on it.
 */
export function tryLock(file: string): Lock | null {
  let database: DatabaseSync;
  try {
    makeOwnFile(file);
    database = new DatabaseSync(file);
  } catch (error) {
    throw new StackError(`cannot open the lock ${file}: ${messageOf(error)}`, { cause: error });
  }
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return null;
    throw new StackError(`cannot take the lock ${file}: ${messageOf(error)}`, { cause: error });
  }
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

/** Opens only a file that is new: to close one would release the lock that this process may hold on it. */
function makeOwnFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', ownFile));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    chmodSync(file, ownFile);
  }
}

const lockPauseMs = 200;

/** Takes the lock as soon as its holder releases it. Calls `onWait` once if there is a holder. */
export async function waitForLock(
  file: string,
  options: { onWait?: () => void; signal?: AbortSignal | undefined } = {},
): Promise<Lock> {
  for (let tries = 0; ; tries += 1) {
    options.signal?.throwIfAborted();
    const lock = tryLock(file);
    if (lock !== null) return lock;
    if (tries === 0) options.onWait?.();
    await delay(lockPauseMs);
  }
}

/** Makes this process the only user of a data folder; a StackError names the process that has it already. */
export function claimDataDir(dataDir: string): Lock {
  const ownerFile = join(dataDir, 'owner.pid');
  const lock = tryLock(join(dataDir, 'lock.db'));
  if (lock === null) {
    throw new StackError(
      `${dataDir} is in use by another Heliograph${ownerOf(ownerFile)}: stop that one, or choose another data folder.`,
    );
  }
  writeFileSync(ownerFile, `${process.pid}\n`, { mode: ownFile });
  return {
    release() {
      rmSync(ownerFile, { force: true });
      lock.release();
    },
  };
}

/** ` (process 4711)`; empty while the owner starts or stops. */
function ownerOf(ownerFile: string): string {
  try {
    return ` (process ${readFileSync(ownerFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
