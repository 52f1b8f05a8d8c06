import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mayEnter, unprivilegedAccount } from './account.ts';
import { machineFolder } from './postgres-binaries.ts';
import type { Account } from './process.ts';
import { messageOf, StackError } from './stack-error.ts';

/** The folder of PostgreSQL's files, and the user that runs it. */
export interface PostgresHome {
  /** Belongs to `account` if there is one. */
  dir: string;
  /** Null: this process's user runs it. */
  account: Account | null;
}

/**
 * The folder `postgres` of the data folder. For root it belongs to the unprivileged user that runs PostgreSQL. If that user
 * cannot enter the data folder (a clone in root's home), `postgres` is a symbolic link to a folder that the user can enter.
 * In both cases the database is empty after the data folder was deleted.
 */
export async function preparePostgresHome(
  dataDir: string,
  ephemeral: boolean,
  log: (line: string) => void,
): Promise<PostgresHome> {
  const home = join(dataDir, 'postgres');
  const account = accountFor(home);
  if (account === null) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return { dir: realpathSync(home), account };
  }
  // Only for passing through: secret files in it have their own mode.
  chmodSync(dataDir, statSync(dataDir).mode | 0o001);
  if (!existsSync(home)) {
    // A link whose folder was removed.
    rmSync(home, { force: true });
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, account.uid, account.gid);
  }
  if (!(await mayEnter(account, realpathSync(home)))) moveOut(home, account, ephemeral);
  const dir = realpathSync(home);
  if (dir !== home) {
    log(
      `PostgreSQL: its data lies in ${dir}, because the user "${account.name}" may not enter ${dataDir}`,
    );
  }
  return { dir, account };
}

/** For root: the owner of the existing files, else an unprivileged user. */
function accountFor(home: string): Account | null {
  const account = unprivilegedAccount();
  const found = existsSync(home) ? statSync(home) : null;
  if (account === null || found === null || found.uid === 0) return account;
  const name = found.uid === account.uid ? account.name : `#${found.uid}`;
  return { name, uid: found.uid, gid: found.gid };
}

/** Moves `home` to a folder that `account` may enter, and leaves a link. */
function moveOut(home: string, account: Account, ephemeral: boolean): void {
  const base = ephemeral ? tmpdir() : machineFolder();
  const target = mkdtempSync(join(base, 'heliograph-postgres-'));
  try {
    if (readdirSync(home).length === 0) {
      chownSync(target, account.uid, account.gid);
      rmdirSync(home);
    } else {
      renameSync(home, target);
    }
    symlinkSync(target, home);
  } catch (error) {
    throw new StackError(
      `cannot move PostgreSQL's data from ${home} to ${target}, where the user "${account.name}" may enter: ${messageOf(error)}`,
      { cause: error },
    );
  }
  // Explains the folder to people who find it.
  writeFileSync(join(target, 'belongs-to'), `${home}\n`);
}
