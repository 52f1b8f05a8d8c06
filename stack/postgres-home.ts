import { chownSync, existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { unprivilegedAccount } from './account.ts';
import { ownFolder } from './data-dir.ts';
import type { Account } from './process.ts';
import { StackError } from './stack-error.ts';

/** The folder of PostgreSQL's files, and the user that runs it. */
export interface PostgresHome {
  /** Belongs to `account` if there is one. */
  dir: string;
  /** Null: this process's user runs it. */
  account: Account | null;
}

/**
 * The folder `postgres` of the data folder. For root it belongs to the unprivileged user that runs PostgreSQL, who cannot
 * enter the data folder: see `folderArgument`.
 */
export function preparePostgresHome(dataDir: string): PostgresHome {
  const home = join(dataDir, 'postgres');
  const account = accountFor(home);
  if (account === null) {
    mkdirSync(home, { recursive: true, mode: ownFolder });
    return { dir: realpathSync(home), account };
  }
  if (process.platform !== 'linux') {
    throw new StackError(
      `PostgreSQL does not run as root, and its user "${account.name}" may not enter ${dataDir}: run Heliograph as an ordinary user, or set DATABASE_URL.`,
    );
  }
  if (!existsSync(home)) {
    // A link whose folder was removed: earlier versions kept the files elsewhere.
    rmSync(home, { force: true });
    mkdirSync(home, { mode: ownFolder });
    chownSync(home, account.uid, account.gid);
  }
  return { dir: realpathSync(home), account };
}

/**
 * How to name `folder` to a program that runs in it. An unprivileged user could not follow the path through folders of root
 * alone; on Linux it reaches its working directory all the same.
 */
export function folderArgument(folder: string, account: Account | null): string {
  return account === null ? folder : '/proc/self/cwd';
}

/** For root: the owner of the existing files, else an unprivileged user. */
function accountFor(home: string): Account | null {
  const account = unprivilegedAccount();
  const found = existsSync(home) ? statSync(home) : null;
  if (account === null || found === null || found.uid === 0) return account;
  const name = found.uid === account.uid ? account.name : `#${found.uid}`;
  return { name, uid: found.uid, gid: found.gid };
}
