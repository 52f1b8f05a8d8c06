import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { describe, expect, test } from 'vitest';

import { openDatabase } from '../db/database.ts';
import { createLook, diagnose } from './diagnosis.ts';
import { diskReader, disks, type ReadDisks } from './disks.ts';

/** The finding on these disks; the other services are not asked. */
async function findingOn(readDisks: ReadDisks) {
  const services = {
    db: openDatabase({ url: 'postgresql://127.0.0.1:9/none' }),
    temporal: new Client({ connection: Connection.lazy({ address: '127.0.0.1:9' }) }),
    askRedis: null,
    clock: () => 1_000,
    readDisks,
  };
  return (await diagnose([disks], createLook(services, 1_000))).findings;
}

/** Disks of 50 GB with so many free bytes, in blocks of 1,000. */
const withFree = (freeBytes: Record<string, number>) =>
  diskReader(Object.keys(freeBytes), async (folder) => ({
    bsize: 1_000,
    blocks: 50_000_000,
    bavail: (freeBytes[folder] ?? 0) / 1_000,
  }));

describe('the disk', () => {
  test('is degraded below 2 GB, and says which folder and how much is left', async () => {
    const readDisks = withFree({ '/srv/data': 1_999_999_000, '/var/lib/postgresql': 30e9 });
    expect(await findingOn(readDisks)).toMatchObject([
      {
        component: 'disk',
        state: 'degraded',
        sentence: 'The disk of /srv/data has 1.9 GB of 50.0 GB left.',
        advice: expect.stringContaining('heliograph prune'),
      },
    ]);
  });

  test('is ok from 2 GB on', async () => {
    expect(await findingOn(withFree({ '/srv/data': 2_000_000_000 }))).toMatchObject([
      { state: 'ok', sentence: 'The disk of /srv/data has 2.0 GB of 50.0 GB left.' },
    ]);
  });

  test('is no part of a system that watches no folder', async () => {
    expect(await findingOn(diskReader([]))).toEqual([]);
  });

  test('is read from the file system; a folder that is not there is degraded', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-disk-'));
    try {
      const [space] = await diskReader([folder])();
      expect(space?.totalBytes).toBeGreaterThan(space?.freeBytes ?? Infinity);
      expect(space?.freeBytes).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(await findingOn(diskReader([folder]))).toMatchObject([
      { state: 'degraded', advice: expect.stringContaining('WATCHED_FOLDERS') },
    ]);
  });
});
