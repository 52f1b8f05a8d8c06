import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { runTestCommand } from '../../../test/support/command-line.ts';

test('a folder that cannot be made is one sentence, before anything is asked', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-out-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const troubles = [
    [file, 'a part of this path is a file, not a folder'],
    [join(file, 'below'), 'a part of this path is a file, not a folder'],
    ...(process.platform === 'linux' ? [['/proc/nope/d', 'no folder can be made there']] : []),
  ] as const;
  for (const [out, trouble] of troubles)
    expect(await runTestCommand(['histories', 'export', '--out', out])).toEqual({
      code: 78,
      stdout: '',
      stderr: `heliograph: cannot write histories to ${out}: ${trouble}\n`,
    });
});
