import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));
/** A start that is refused takes a second, on a busy machine ten. */
const startMsMax = 60_000;

/** As root in a space of mounts of its own, or as such a root that an ordinary user may be. */
const unshare = ['unshare', process.getuid?.() === 0 ? '-m' : '-rm'];
const canMount = spawnSync(unshare[0] ?? '', [...unshare.slice(1), 'true']).status === 0;

describe('start with a data folder that cannot be one', { timeout: 3 * startMsMax }, () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-start-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Nothing of the stack is missing, so that only the folder can be wrong. */
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: 'postgres://127.0.0.1:9/none',
    REDIS_URL: 'redis://127.0.0.1:9',
    TEMPORAL_ADDRESS: '127.0.0.1:9',
  };

  function start(dataDir: string, through: readonly string[] = []) {
    const [file, ...args] = [...through, process.execPath, main, 'start', '--data', dataDir];
    // One that spins hears no other signal.
    const limit = { timeout: startMsMax, killSignal: 'SIGKILL' } as const;
    const ended = spawnSync(file, args, { env, encoding: 'utf8', ...limit });
    return { status: ended.status, sentence: ended.stderr, stdout: ended.stdout };
  }

  test('that is a file, or below one: one sentence, and code 78', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const dataDir of [file, join(file, 'data')])
      expect(start(dataDir)).toEqual({
        status: 78,
        stdout: '',
        sentence: `heliograph: cannot use the data folder ${dataDir}: a part of this path is a file, not a folder.\n`,
      });
  });

  test.runIf(process.platform === 'linux')('in a place that holds no folders', () => {
    expect(start('/proc/nope/d')).toEqual({
      status: 78,
      stdout: '',
      sentence:
        'heliograph: cannot use the data folder /proc/nope/d: no folder can be made there.\n',
    });
  });

  test.runIf(canMount)('on a file system that is read-only', () => {
    const script =
      'mount -t tmpfs none "$1" && mkdir "$1/empty" && mount -o remount,ro "$1" && shift && exec "$@"';
    const mounted = [...unshare, 'sh', '-c', script, 'sh', folder];
    for (const dataDir of [join(folder, 'a', 'new', 'one'), join(folder, 'empty')])
      expect(start(dataDir, mounted)).toEqual({
        status: 78,
        stdout: '',
        sentence: `heliograph: cannot use the data folder ${dataDir}: its file system is read-only.\n`,
      });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that holds other files', () => {
    mkdirSync(join(folder, 'photos'));
    expect(start(folder)).toEqual({
      status: 78,
      stdout: '',
      sentence: `heliograph: ${folder} holds other files and is no data folder of Heliograph: choose a new or an empty one.\n`,
    });
  });
});
