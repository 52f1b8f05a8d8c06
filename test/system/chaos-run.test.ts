import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { ChaosReportFile } from '../chaos/report.ts';

/** Few enough for every run of the tests; `npm run chaos` plays all kinds. */
const minutes = '1.35';
const plants = '80';
/** Three workers that die, and a vendor that hangs while another is slow, with Redis in all its troubles and hostile bodies. */
const seed = '5';
const kindsMin = 10;
const limitMs = 300_000;

test(
  'a short schedule of chaos: nothing is lost, doubled or overlapping, and everything recovers',
  { timeout: limitMs },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-chaos-report-'));
    const file = join(folder, 'report.json');
    const args = ['--seed', seed, '--minutes', minutes, '--plants', plants, '--json', file];
    try {
      const { code, output } = await run(args);
      expect(existsSync(file), output).toBe(true);
      const report = JSON.parse(readFileSync(file, 'utf8')) as ChaosReportFile;
      expect(report.sentences, output).toEqual([]);
      expect(code, output).toBe(0);
      expect(new Set(report.faults.map((fault) => fault.kind)).size).toBeGreaterThanOrEqual(
        kindsMin,
      );
      const { slots_due, polled, skipped, missed } = report.slots;
      expect(polled + skipped + missed).toBe(slots_due);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

function run(args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      'node_modules/.bin/node',
      ['test/chaos/main.ts', ...args],
      // Told to stop, it ends all that it started.
      { maxBuffer: 16 * 1024 * 1024, timeout: limitMs - 15_000 },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1;
        resolve({ code, output: stderr + stdout });
      },
    );
  });
}
