import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { installedTemporal } from '../../stack/temporal-binary.ts';
import { eventually } from '../support/fleet.ts';

/** Types the README's commands into one shell, in their order, in a clone of this tree that runs `npm start`. */

const root = join(import.meta.dirname, '../..');

/** Blocks that are not typed, by a word of theirs. */
const notTyped = {
  'npm install && npm start': 'is what the test itself does',
  'npm run chaos': 'takes minutes; test/system has a short one',
  'npm run worker': 'needs services of production; deploy/ is tested by itself',
};

const blocks = [
  ...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms),
].map(([, text = '']) => text);
const typed = blocks.filter((text) => !Object.keys(notTyped).some((word) => text.includes(word)));

/** A clone as `npm install` leaves it: the files of this tree, and its packages by links. */
function makeClone(): string {
  const clone = mkdtempSync(join(tmpdir(), 'heliograph-readme-'));
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const names = spawnSync('git', listed, { cwd: root, encoding: 'utf8' }).stdout.split('\0');
  for (const name of names.filter((one) => one !== '')) {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    cpSync(join(root, name), join(clone, name));
  }
  const packages = join(clone, 'node_modules');
  mkdirSync(join(packages, '@heliograph'), { recursive: true });
  symlinkSync('../../cli', join(packages, '@heliograph/cli'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    const from = join(root, 'node_modules', name);
    if (name === '.bin')
      cpSync(from, join(packages, name), { recursive: true, verbatimSymlinks: true });
    else if (!name.startsWith('.') && name !== '@heliograph')
      symlinkSync(from, join(packages, name));
  }
  return clone;
}

describe('the README', () => {
  let clone = '';
  let started: ChildProcess;
  let said = '';
  const env: NodeJS.ProcessEnv = { ...process.env, API_PORT: '0', LOG_LEVEL: 'warn' };
  for (const name of ['DATABASE_URL', 'REDIS_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE'])
    delete env[name];

  beforeAll(() => {
    clone = makeClone();
    const temporal = installedTemporal(process.env);
    if (temporal === null) throw new Error('build the Temporal server first, by `npm start`');
    // `npm start` prints where the program is; a person puts it on the PATH.
    mkdirSync(join(clone, '.programs'));
    symlinkSync(temporal, join(clone, '.programs/temporal'));
    env['PATH'] = `${join(clone, '.programs')}:${process.env['PATH']}`;
    // A group of its own, which a terminal's Ctrl-C reaches as a whole.
    started = spawn('npm', ['start'], { cwd: clone, env, detached: true });
    for (const stream of [started.stdout, started.stderr])
      stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  });
  afterAll(async () => {
    if (started.exitCode === null && started.pid !== undefined) {
      const exit = once(started, 'exit');
      process.kill(-started.pid, 'SIGINT');
      await exit;
    }
    rmSync(clone, { recursive: true, force: true });
  });

  const shell = (script: string) => {
    const options = { cwd: clone, env, encoding: 'utf8', timeout: 120_000 } as const;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], options);
    return { status, stdout, stderr };
  };

  test('has commands to type', () => {
    expect(blocks.length).toBe(typed.length + Object.keys(notTyped).length);
    expect(typed.join('')).toMatch(/plants list[^]*plants poll[^]*export TEMPORAL_ADDRESS[^]*curl/);
  });

  test('may be followed too early: a command says that the stack is starting', async () => {
    await eventually('the start', async () => /starting|migrated/.test(said));
    const { status, stderr } = shell('npx heliograph plants poll solis-canal');
    expect(stderr).toMatch(/^heliograph: the stack in .*\.data is starting; waiting up to 20 s/);
    // The first start seeds for longer than that.
    expect([0, 69]).toContain(status);
    if (status === 69) expect(stderr).toMatch(/is still starting: try again when/);
  });

  test('does what it says, in one shell', { timeout: 300_000 }, async () => {
    const isReady = async () => {
      if (started.exitCode !== null) throw new Error(`npm start ended:\n${said}`);
      return said.includes('Heliograph polls.');
    };
    await eventually('npm start', isReady, 240_000);
    const stack = readFileSync(join(clone, '.data/stack.json'), 'utf8');
    expect(JSON.parse(stack)).toMatchObject({ state: 'ready' });
    // The shell has TEMPORAL_ADDRESS now, and nothing else of the stack.
    const yesterday = '$(date -d yesterday +%F)';
    const afterwards = `npx heliograph --data .data plants backfill solis-canal --from ${yesterday} --to ${yesterday} --dry-run
      npx heliograph plants list --json | jq -r '.[].brand' | sort -u`;
    const { status, stdout, stderr } = shell(
      `set -euo pipefail\n${[...typed, afterwards].join('\n')}`,
    );
    expect({ status, stderr, end: stdout.slice(-2_000) }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/^solis-canal: OK in \d+ ms$/m);
    expect(stdout).toContain('nothing is violated');
    // Temporal's own program: the poll's outcome, and three signals.
    expect(stdout).toMatch(/^ +Result .*outcome:OK plant_id:solis-canal/m);
    expect(stdout.match(/Signal workflow succeeded/g)).toHaveLength(3);
    // REST: the next slot, and the poll that it asked for.
    expect(stdout).toMatch(/"plant_id": ?"solis-canal",[^}]*"outcome": ?"OK"/);
    expect(stdout).toMatch(/^\d of 1 day would change; nothing was written$/m);
    expect(stdout).toMatch(/\nDELE\nGOODWE\nHUAWEI\nSOLIS\n$/);
  });
});
