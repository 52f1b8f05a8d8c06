import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { isOwnerDead } from './process-owner.ts';
import { findPollers } from './processes.ts';

/** A device that listens on loopback, and a process of its own that is connected to it. */
const device = createServer();
let port: number;
let master: ChildProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pollers-'));
  await new Promise<void>((resolve) => device.listen(0, '127.0.0.1', resolve));
  ({ port } = device.address() as AddressInfo);
  const connected = new Promise((resolve) => device.once('connection', resolve));
  const code = `require('node:net').connect(${port}, '127.0.0.1'); setInterval(() => {}, 1000); 'mbpoll'`;
  master = spawn(process.execPath, ['-e', code]);
  await connected;
});
afterAll(async () => {
  master.kill('SIGKILL');
  device.close();
  rmSync(folder, { recursive: true });
});

const gateways = () => [
  { id: 'roof', host: 'localhost', port },
  { id: 'elsewhere', host: '192.0.2.1', port },
  { id: 'unknown', host: 'no-such-name.invalid', port },
];
const search = (own: readonly number[] = []) =>
  findPollers({ gateways: gateways(), ownPids: new Set(own), cronPaths: [folder] });

test('a process with a connection to a gateway is a second master, with its pid and how to end it', async () => {
  const found = await search();
  const masters = found.filter(({ kind }) => kind === 'SECOND_MASTER');
  expect(masters).toContainEqual({
    kind: 'SECOND_MASTER',
    pid: master.pid,
    command: expect.stringContaining('mbpoll'),
    where: masters.find(({ pid }) => pid === master.pid)?.where ?? null,
    gateways: ['roof'],
    how_to_end: expect.stringMatching(/kill \d+|systemctl disable/),
  });
});

test('a worker of ours is none, though it is connected and looks like a poller', async () => {
  const found = await search([master.pid ?? 0]);
  expect(found.filter(({ pid }) => pid === master.pid)).toEqual([]);
});

test('a poller without a connection is a foreign worker', async () => {
  const found = await findPollers({ gateways: [], ownPids: new Set(), cronPaths: [] });
  expect(found.filter(({ pid }) => pid === master.pid)).toMatchObject([
    { kind: 'FOREIGN_WORKER', gateways: [] },
  ]);
});

test('lines of cron that start pollers are found, and comments and others are not', async () => {
  writeFileSync(
    join(folder, 'old'),
    [
      '# * * * * * www php artisan polling:reliable audit',
      '*/10 * * * * www php /var/www/app/artisan polling:reliable audit',
      '0 3 * * * root certbot renew',
      '* * * * * www mbpoll -a 1 10.0.0.7',
      '',
    ].join('\n'),
  );
  const found = (await search()).filter(({ kind }) => kind === 'CRON_LINE');
  expect(found.map(({ where }) => where)).toEqual([`${folder}/old:2`, `${folder}/old:4`]);
  expect(found[0]?.how_to_end).toBe(`delete line 2 of ${folder}/old, or put # before it`);
});

test('nothing was ended', () => {
  expect(master.exitCode).toBeNull();
  expect(master.signalCode).toBeNull();
});

test.each(['nonsense', 'other-boot/4026531836/1/1', '', 'a/b/c/d'])(
  'an owner of another host or another form (%s) is never proven dead',
  (owner) => {
    expect(isOwnerDead(owner)).toBe(false);
  },
);
