import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

const launcher = fileURLToPath(new URL('./heliograph.js', import.meta.url));

describe('the launcher', () => {
  test('runs the command line and ends with its code', () => {
    const help = spawnSync(process.execPath, [launcher, 'help'], { encoding: 'utf8' });
    expect(help).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('plants list'),
    });
    const wrong = spawnSync(process.execPath, [launcher, 'plants', 'fly'], { encoding: 'utf8' });
    expect(wrong).toMatchObject({ status: 2, stdout: '' });
  });

  test('takes a reader that stops early for one that has read enough', async () => {
    const child = spawn(process.execPath, [launcher, 'help'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    const [code] = (await once(child, 'exit')) as [number];
    expect({ code, complaint }).toEqual({ code: 0, complaint: '' });
  });
});
