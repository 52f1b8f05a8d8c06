import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, StackError } from './stack-error.ts';

export interface Lock {
  /** Gives the lock back; more than once does no harm. */
  release(): void;
}

/** SQLITE_BUSY: someone else holds the lock. */
const sqliteBusy = 5;

/** A lock whose database handle were collected as garbage would be given back silently. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock that `file` stands for, or answers null when a living process (this one included) holds it.
 * It is SQLite's exclusive lock, thus the kernel's: it ends with the process however that dies, so there is no stale lock to
 * recognise and no race between two who recognise it.
 */
export function tryLock(file: string): Lock | null {
  let database: DatabaseSync;
  try {
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

const lockPauseMs = 200;

/** Takes the lock as soon as its holder gives it back. `onWait` is called once, when there is a holder. */
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
  writeFileSync(ownerFile, `${process.pid}\n`);
  return {
    release() {
      rmSync(ownerFile, { force: true });
      lock.release();
    },
  };
}

/** ` (process 4711)`; empty when the owner is only just starting or stopping. */
function ownerOf(ownerFile: string): string {
  try {
    return ` (process ${readFileSync(ownerFile, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
