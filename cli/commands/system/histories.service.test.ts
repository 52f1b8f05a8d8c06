import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect } from 'vitest';

import { cli, test } from '../../../test/support/test-commands.ts';
import { eventually } from '../../../test/support/fleet.ts';
import { startTestWorker, stopWorker } from '../../../test/support/workers.ts';
import { listHistoryFiles } from '../../../operations/plants/histories.ts';
import type { RunningWorker } from '../../../worker/worker.ts';

let worker: RunningWorker;
let folder: string;
const plantIds: string[] = [];

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'heliograph-histories-'));
  for (let plants = 0; plants < 3; plants += 1) plantIds.push(await cli.add({ intervalS: 1 }));
  worker = await startTestWorker(cli.fleet, { loops: { pollsPerRun: 2 } });
  for (const status of ['Running', 'ContinuedAsNew']) {
    const query = `WorkflowType = 'monitorPlant' AND ExecutionStatus = '${status}'`;
    await eventually(`a run of every loop is listed as ${status}`, async () => {
      const ids = new Set<string>();
      for await (const run of cli.fleet.client.workflow.list({ query })) ids.add(run.workflowId);
      return ids.size === plantIds.length;
    });
  }
});
afterAll(async () => {
  await stopWorker(worker);
  rmSync(folder, { recursive: true, force: true });
});

interface Exported {
  exported: { workflow_type: string; workflow_id: string; run_id: string; events: number }[];
  missing: string[];
}

test('what is exported of a running system is replayed by the code that wrote it', async () => {
  const out = join(folder, 'all');
  const { exported, missing } = (await cli.json([
    'histories',
    'export',
    '--plants',
    '2',
    '--out',
    out,
  ])) as Exported;
  expect(missing).toEqual([]);
  const loops = exported.filter((each) => each.workflow_type === 'monitorPlant');
  // Of two plants the run that goes on and the one before it.
  expect(new Set(loops.map((each) => each.workflow_id)).size).toBe(2);
  expect(loops).toHaveLength(4);
  const files = listHistoryFiles(out);
  expect(files).toHaveLength(exported.length);
  for (const file of files) expect(statSync(file).mode & 0o077).toBe(0);
  const { code, stdout } = await cli.run(['histories', 'replay', out]);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `${files.length} of ${files.length} histories replayed\n`,
  });
}, 60_000);

test('the loops of named plants are exported, and one that does not run is told of', async () => {
  const out = join(folder, 'named');
  const [id = ''] = plantIds;
  const { code, stderr } = await cli.run(['histories', 'export', id, 'nobody', '--out', out]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'no loop of plant nobody runs\n' });
  const names = readdirSync(join(out, 'monitorPlant'));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(name).toContain(encodeURIComponent(`:${id}:`));
});

test('a history that this code does not come out with stops the gate, and is named', async () => {
  const out = join(folder, 'all');
  const isMarker = ({ eventType }: { eventType: string }) => /MARKER_RECORDED/.test(eventType);
  const eventsOf = (file: string) =>
    (JSON.parse(readFileSync(file, 'utf8')) as { events: { eventType: string }[] }).events;
  // A run that has just begun has polled nothing yet.
  const file = listHistoryFiles(join(out, 'monitorPlant')).find((one) =>
    eventsOf(one).some(isMarker),
  );
  if (file === undefined) throw new Error('no exported run has polled');
  const without = eventsOf(file).filter((event) => !isMarker(event));
  writeFileSync(file, JSON.stringify({ events: without }));
  const { code, stdout } = await cli.run(['histories', 'replay', out, '--json']);
  expect(code).toBe(1);
  const { failed } = JSON.parse(stdout) as { failed: { file: string; sentence: string }[] };
  expect(failed.map((each) => each.file)).toEqual([file]);
}, 60_000);

test('a gate without histories lets nothing pass', async () => {
  expect(await cli.run(['histories', 'replay', join(folder, 'nowhere')])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there are no histories'),
  });
});
