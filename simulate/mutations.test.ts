import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { siteMutations } from './gateways/mutations.ts';
import { type Mutation, mutations } from './mutations.ts';

/** The simulation finds bugs: copies of the product, each with one bug planted in its rules, do not pass. */

const root = fileURLToPath(new URL('../', import.meta.url));
/** What the simulation needs of the product. */
const folders = ['domain', 'adapters', 'activities', 'db', 'workflows', 'simulate', 'package.json'];
/** Most are found by the first few; a calm unchanged copy lives all of them. */
const seeds = 40;
const args = [
  'simulate/main.ts',
  '--seeds',
  String(seeds),
  '--days',
  '10',
  '--stop-at-first',
  '--json',
];
/** Eight hours of a site bring every kind of fault; a calm unchanged copy lives all of them. */
const siteSeeds = 3;
const siteArgs = [
  'simulate/gateways/main.ts',
  '--seeds',
  String(siteSeeds),
  '--hours',
  '8',
  '--stop-at-first',
  '--json',
];
const limitMs = 900_000;
const run = promisify(execFile);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'heliograph-mutations-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }), limitMs);

interface Report {
  seeds: number;
  violations: { seed: string; message: string }[];
}

async function simulateCopy(
  mutation: Pick<Mutation, 'file' | 'from' | 'to'>,
  simulation: readonly string[] = args,
): Promise<Report> {
  const copy = mkdtempSync(join(scratch, 'copy-'));
  for (const folder of folders)
    await cp(join(root, folder), join(copy, folder), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const path = join(copy, mutation.file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(mutation.from);
  await writeFile(path, text.replace(mutation.from, mutation.to));
  try {
    const { stdout } = await run(process.execPath, simulation, { cwd: copy, maxBuffer: 1e8 });
    return JSON.parse(stdout) as Report;
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (stdout === undefined || stdout === '') throw error;
    return JSON.parse(stdout) as Report;
  }
}

describe('the simulation', () => {
  test(
    'finds nothing in an unchanged copy',
    async () => {
      const file = 'domain/slots.ts';
      const report = await simulateCopy({ file, from: 'export function', to: 'export function' });
      expect(report).toMatchObject({ seeds, violations: [] });
    },
    limitMs,
  );

  test.each(mutations.map((mutation) => [mutation.name, mutation] as const))(
    'finds: %s',
    async (_, mutation) => {
      const { violations } = await simulateCopy(mutation);
      expect(violations.length).toBeGreaterThan(0);
    },
    limitMs,
  );
});

describe('a simulated site', () => {
  test(
    'finds nothing in an unchanged copy',
    async () => {
      const file = 'domain/slots.ts';
      const unchanged = { file, from: 'export function', to: 'export function' };
      const report = await simulateCopy(unchanged, siteArgs);
      expect(report).toMatchObject({ seeds: siteSeeds, violations: [] });
    },
    limitMs,
  );

  test.each(siteMutations.map((mutation) => [mutation.name, mutation] as const))(
    'finds: %s',
    async (_, mutation) => {
      const { violations } = await simulateCopy(mutation, siteArgs);
      expect(violations.length).toBeGreaterThan(0);
    },
    limitMs,
  );
});
