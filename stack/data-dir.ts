import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { codeOf, messageOf, StackError } from './stack-error.ts';

/** The folder of a stack's data. It holds keys and histories, so only its user may enter it. */

/** The folder cannot be used; another one, or another right, helps. */
export class DataDirError extends StackError {
  override name = 'DataDirError';
}

/** Files of a stack are for its user alone, and so are its folders. */
export const ownFile = 0o600;
export const ownFolder = 0o700;
/** The rights of everybody else. */
export const ofOthers = 0o077;

/** Every start leaves it; a folder without it is somebody else's. Other programs, too, call a file `master.key`. */
const trace = 'lock.db';
/** What starts put into the folder. */
const ofStarts = /^(?:lock|owner|ports|stack|master|jwt|postgres|redis|temporal)(?:\.[\w.-]+)?$/;
/** The root folder of a new file system holds it. */
const ofFileSystem = 'lost+found';
/** PostgreSQL keeps the rights of its files itself, and for root they belong to another user. */
const ofPostgres = 'postgres';

const reasons: Partial<Record<string, string>> = {
  ENOTDIR: 'a part of this path is a file, not a folder',
  EROFS: 'its file system is read-only',
  EACCES: 'this user has no right to write there',
  EPERM: 'this user has no right to write there',
  ENOENT: 'no folder can be made there',
};

/**
 * Makes the folder, or takes over an empty one or that of an earlier start, and takes every right on it and its files from
 * other users.
 *
 * @returns its real path: stored facts must not depend on how the path was written.
 * @throws DataDirError of one sentence.
 */
export function makeDataDir(dataDir: string): string {
  const wanted = resolve(dataDir);
  try {
    makeFolder(wanted, ownFolder);
    requireOurs(wanted);
    accessSync(wanted, constants.W_OK | constants.X_OK);
    const real = realpathSync(wanted);
    narrow(real);
    for (const entry of readdirSync(real, { withFileTypes: true })) {
      const isOfOthers = entry.name === ofPostgres || entry.name === ofFileSystem;
      if (!isOfOthers && (entry.isFile() || entry.isDirectory())) narrow(join(real, entry.name));
    }
    return real;
  } catch (error) {
    if (error instanceof DataDirError) throw error;
    const reason = folderTrouble(error);
    throw new DataDirError(`cannot use the data folder ${wanted}: ${reason}.`, { cause: error });
  }
}

/** Why a folder that a person has named cannot be made or used, without a full stop. */
export function folderTrouble(error: unknown): string {
  return reasons[codeOf(error) ?? ''] ?? messageOf(error);
}

/**
 * Makes a folder, and its parents with their usual rights. One after the other: Node's own recursion never ends where no
 * folder can be made (`/proc/nope/d`).
 *
 * @throws the error of the system, also for a file of this name; see `folderTrouble`.
 */
export function makeFolder(path: string, mode?: number): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
    // Fails for a file.
    accessSync(`${path}/.`);
    return;
  }
  makeFolder(dirname(path));
  try {
    mkdirSync(path, mode);
  } catch (error) {
    // Another process was faster.
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** Narrowing the rights on a folder such as /tmp would take it from everybody else. */
function requireOurs(path: string): void {
  const entries = readdirSync(path).filter((name) => name !== ofFileSystem);
  if (entries.length === 0 || entries.includes(trace)) return;
  throw new DataDirError(
    `${path} holds other files and is no data folder of Heliograph: choose a new or an empty one.`,
  );
}

/**
 * Passes a folder that may be deleted as a whole: starts made everything in it.
 *
 * @throws DataDirError of one sentence.
 */
export function requireOnlyOurs(dataDir: string): void {
  const path = resolve(dataDir);
  if (!existsSync(join(path, trace)))
    throw new DataDirError(`${path} is no data folder of Heliograph: it is not deleted.`);
  const other = readdirSync(path).find((name) => !ofStarts.test(name));
  if (other !== undefined)
    throw new DataDirError(`${path} holds ${other}, which no start made: it is not deleted.`);
}

function narrow(path: string): void {
  const { mode } = statSync(path);
  if ((mode & ofOthers) !== 0) chmodSync(path, mode & ~ofOthers & 0o7777);
}
