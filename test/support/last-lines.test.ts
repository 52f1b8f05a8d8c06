import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs vitest with the reporter on files of the given texts. */
async function run(files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-last-lines-'));
  folders.push(folder);
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  const countsFile = join(folder, 'counts');
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `import { LastLines } from ${JSON.stringify(resolve('test/support/last-lines.ts'))};
    export default { test: { name: 'own', reporters: [new LastLines(${JSON.stringify(countsFile)})] } };`,
  );
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(
      join(folder, name),
      `import { beforeAll, describe, expect, test } from 'vitest';\n${text}`,
    );
  }
  const stdout = await new Promise<string>((done) => {
    execFile(
      process.execPath,
      [resolve('node_modules/vitest/vitest.mjs'), 'run', '--root', folder],
      { env: { PATH: process.env['PATH'] } },
      (_, out) => done(out),
    );
  });
  return { stdout, lines: readFileSync(countsFile, 'utf8').trimEnd().split('\n') };
}

const flickers = `
  let tries = 0;
  describe('a lamp', () => {
    test('flickers', { retry: 1 }, () => expect((tries += 1)).toBe(2));
    test('is steady', { retry: 1 }, () => {});
  });`;

describe('the last lines of a run', () => {
  test('name a retried test with what failed first, and end with the counts', async () => {
    const { stdout, lines } = await run({ 'lamp.test.ts': flickers });
    const named = [
      'retried: own  lamp.test.ts > a lamp > flickers  (passed in attempt 2)',
      '    failed first: AssertionError: expected 1 to be 2 // Object.is equality',
    ];
    expect(lines).toEqual([...named, '2 passed, 0 failed']);
    expect(stdout).toContain(named.join('\n'));
  });

  test('count what failed in all its attempts once, and what is skipped apart', async () => {
    const { lines } = await run({
      'dark.test.ts': `
        test('stays dark', { retry: 1 }, () => { throw new TypeError('no power\\nat all'); });
        test.skip('is not tried', () => {});`,
    });
    expect(lines).toEqual([
      'retried: own  dark.test.ts > stays dark  (failed in attempt 2)',
      '    failed first: TypeError: no power',
      '0 passed, 1 failed, 1 skipped',
    ]);
  });

  test('count a file that cannot be loaded, and one whose hook throws, as failed', async () => {
    const { lines } = await run({
      'unloadable.test.ts': `throw new Error('not today');`,
      'hooked.test.ts': `beforeAll(() => { throw new Error('no lamp'); }); test('waits', () => {});`,
    });
    expect(lines).toEqual(['0 passed, 2 failed, 1 skipped']);
  });

  test('say nothing of retries where there were none', async () => {
    const { stdout, lines } = await run({ 'steady.test.ts': `test('shines', () => {});` });
    expect(lines).toEqual(['1 passed, 0 failed']);
    expect(stdout).not.toContain('retried');
  });
});
