import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { isRoot } from './account.ts';
import { DataDirError, makeDataDir, requireOnlyOurs } from './data-dir.ts';
import { bringUpStack } from './up.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-data-'));
  folders.push(folder);
  return folder;
}

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('the folder', () => {
  test('is made for its user alone, and its parents as usual', () => {
    const parent = join(newFolder(), 'parent');
    const dataDir = makeDataDir(join(parent, 'data'));
    expect(modeOf(dataDir)).toBe(0o700);
    expect(modeOf(parent)).toBe(0o777 & ~process.umask());
  });

  test('of an earlier start is narrowed, with its files', () => {
    const dataDir = newFolder();
    mkdirSync(join(dataDir, 'redis'));
    for (const name of ['lock.db', 'temporal.db', 'temporal.db-wal', 'ports.json'])
      writeFileSync(join(dataDir, name), '', { mode: 0o644 });
    symlinkSync('/nonexistent', join(dataDir, 'postgres'));
    chmodSync(dataDir, 0o755);
    expect(makeDataDir(dataDir)).toBe(dataDir);
    expect(modeOf(dataDir)).toBe(0o700);
    for (const name of ['lock.db', 'temporal.db', 'temporal.db-wal', 'ports.json'])
      expect([name, modeOf(join(dataDir, name))]).toEqual([name, 0o600]);
    expect(modeOf(join(dataDir, 'redis'))).toBe(0o700);
  });

  test('of somebody else is refused, and keeps its rights', () => {
    const theirs = newFolder();
    writeFileSync(join(theirs, 'thesis.tex'), '', { mode: 0o644 });
    chmodSync(theirs, 0o755);
    expect(() => makeDataDir(theirs)).toThrow(
      `${theirs} holds other files and is no data folder of Heliograph: choose a new or an empty one.`,
    );
    expect([modeOf(theirs), modeOf(join(theirs, 'thesis.tex'))]).toEqual([0o755, 0o644]);
  });

  test('of another program that has a master.key is refused', () => {
    const theirs = newFolder();
    writeFileSync(join(theirs, 'master.key'), 'of another program');
    expect(() => makeDataDir(theirs)).toThrow(`${theirs} holds other files`);
  });
});

describe('a folder may be deleted', () => {
  const holding = (...names: string[]): string => {
    const folder = newFolder();
    for (const name of names) writeFileSync(join(folder, name), '');
    return folder;
  };

  test('that holds what starts made, and nothing else', () => {
    const dataDir = holding('lock.db', 'lock.db-journal', 'master.key', 'stack.json.new');
    mkdirSync(join(dataDir, 'postgres'));
    expect(() => requireOnlyOurs(dataDir)).not.toThrow();
  });

  test.each([
    [['master.key', 'database.yml'], 'is no data folder of Heliograph: it is not deleted.'],
    [[], 'is no data folder of Heliograph: it is not deleted.'],
    [['lock.db', 'master.key', 'backup.dump'], 'holds backup.dump, which no start made'],
    [['lock.db', 'temporal-notes'], 'holds temporal-notes, which no start made'],
  ])('but not one of %j', (names, sentence) => {
    expect(() => requireOnlyOurs(holding(...names))).toThrow(sentence);
  });
});

describe('one sentence says', () => {
  const refusal = (dataDir: string): string => {
    try {
      makeDataDir(dataDir);
    } catch (error) {
      expect(error).toBeInstanceOf(DataDirError);
      return String(error);
    }
    throw new Error(`${dataDir} was taken`);
  };

  test('that the path is a file, or goes through one', () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    expect(refusal(file)).toMatch(
      /cannot use the data folder .*file: .* is a file, not a folder\.$/,
    );
    expect(refusal(join(file, 'below', 'it'))).toMatch(/ is a file, not a folder\.$/);
  });

  test.runIf(process.platform === 'linux')('that a system allows no folder there', () => {
    expect(refusal('/proc/nope/d')).toMatch(/: no folder can be made there\.$/);
    expect(existsSync('/proc/nope')).toBe(false);
  });
});

test('every file of a running stack is for its user alone', async () => {
  const dataDir = join(newFolder(), 'data');
  const stack = await bringUpStack({ dataDir, log: () => {}, ephemeral: true, temporalUi: false });
  try {
    expect(modeOf(dataDir)).toBe(0o700);
    const names = readdirSync(dataDir);
    expect(names).toEqual(expect.arrayContaining(['lock.db', 'temporal.db', 'ports.json']));
    const wide = names.filter((name) => (modeOf(join(dataDir, name)) & 0o077) !== 0);
    expect(wide).toEqual([]);
    if (isRoot()) expect(readableByNobody(join(dataDir, 'temporal.db'))).toBe(false);
  } finally {
    await stack.stop();
  }
});

/** Tried as the user whose name says so. */
function readableByNobody(path: string): boolean {
  const uid = Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout);
  return spawnSync('/bin/cat', [path], { uid, gid: uid }).status === 0;
}
