import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { bundleWorkflows } from '../../worker/bundle.ts';
import { installRuntime } from '../../worker/worker.ts';
import { createLog } from '../../environment/log.ts';
import { withLeanThreads } from '../../worker/workflow-threads.ts';
import { changedBundle } from '../support/changed-bundle.ts';
import { historyCases } from './cases.ts';

/** Today's workflows replay yesterday's runs: what was recorded by them must come out of them again, in the same order. */

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'fixtures/histories');

const kept = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace(/\.json$/, ''))
  .toSorted();

interface HistoryJson {
  events: { eventId: string; eventTime: string; eventType: string }[];
}

function readHistory(name: string): HistoryJson {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as HistoryJson;
}

/** @returns what stood against the replay; null when it went through. */
async function replay(
  workflowBundle: WorkflowBundle,
  name: string,
  history = readHistory(name),
): Promise<string | null> {
  // Replays run in the main thread unless told otherwise; the worker's do not.
  const options = { workflowBundle, replayName: name, debugMode: false };
  const histories = [{ workflowId: workflowIdOf(name), history }];
  for await (const result of Worker.runReplayHistories(options, histories)) {
    return result.error === undefined ? null : result.error.message;
  }
  throw new Error(`${name} was not replayed`);
}

/** Ids of no meaning: replay needs one of the right form. */
function workflowIdOf(name: string): string {
  if (name.startsWith('sendNotifications')) return 'notifications:email';
  if (name.startsWith('walkGatewayShard')) return 'gateways:shard:0';
  return name.startsWith('closeDay')
    ? 'daily:plant:replayed:2026-06-11'
    : 'poll:plant:replayed:latest';
}

describe('replay', () => {
  let bundle: WorkflowBundle;
  let scratch: string;

  beforeAll(async () => {
    installRuntime(createLog('error'));
    bundle = await bundleWorkflows();
    scratch = mkdtempSync(join(tmpdir(), 'heliograph-replay-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('every case has its history', () => {
    expect(kept).toEqual(
      expect.arrayContaining(historyCases.map(({ workflow, name }) => `${workflow}/${name}`)),
    );
  });

  test.each(kept)("today's workflows replay %s in the SDK's own threads", async (name) => {
    expect(await replay(bundle, name)).toBeNull();
  });

  test.each(kept)("today's workflows replay %s in lean threads", async (name) => {
    const { created, watch, threads } = await withLeanThreads(
      () => replay(bundle, name),
      () => {},
    );
    watch.stop();
    expect(created).toBeNull();
    expect(threads).toBeGreaterThan(0);
  });

  test('a copy without a change replays them too, so that the next tests say something', async () => {
    const copied = await changedBundle(scratch, {
      file: 'workflows/plants/poll.ts',
      from: 'export async function pollPlant',
      to: 'export async function pollPlant',
    });
    expect(await replay(copied, 'monitorPlant/ordinary-polls')).toBeNull();
  });

  test('a poll with another step before its log does not pass', async () => {
    const reordered = await changedBundle(scratch, {
      file: 'workflows/plants/poll.ts',
      from: 'await effects.steps(path).writePollLog(row);',
      to: "await effects.steps(path).backfillDays({ plantId, dates: [], nowMs: 0, source: 'BACKFILL' }); await effects.steps(path).writePollLog(row);",
    });
    expect(await replay(reordered, 'monitorPlant/ordinary-polls')).toMatch(
      /nondeterminism|non-determin/i,
    );
  });

  test('a poll whose task was given out once more, and ended with what had begun ten seconds before, replays all the same', async () => {
    const name = 'monitorPlant/whole-slot-in-time';
    expect(await replay(bundle, name, givenOutAgain(readHistory(name), 10_000))).toBeNull();
    const byItsOwnTime = await changedBundle(scratch, {
      file: 'workflows/plants/loop.ts',
      from: "const isAskedFirst = this.#courseNow() === 'WHOLE' || !due.isPostponed;",
      to: 'const isAskedFirst = !due.isPostponed;',
    });
    expect(await replay(byItsOwnTime, name)).toBeNull();
    expect(await replay(byItsOwnTime, name, givenOutAgain(readHistory(name), 10_000))).toMatch(
      /nondeterminism|non-determin/i,
    );
  });

  test('workflow code that does not come back is noticed in a lean thread', async () => {
    const spinning = await changedBundle(scratch, {
      file: 'workflows/plants/plant-monitor.ts',
      from: 'hear(loop, plantId);',
      to: 'for (let n = 0; n < 12e9; n += 1); hear(loop, plantId);',
    });
    let stuck = 0;
    const { watch } = await withLeanThreads(
      () => replay(spinning, 'monitorPlant/ordinary-polls'),
      () => (stuck += 1),
      { afterMs: 1_000 },
    );
    watch.stop();
    expect(stuck).toBe(1);
  });

  test('a closing that closes before it refreshes does not pass', async () => {
    const reordered = await changedBundle(scratch, {
      file: 'workflows/plants/closing.ts',
      from: 'const { failure, attempts } = await',
      to: 'await effects.closeDay({ plantId, date, nowMs: 0 }); const { failure, attempts } = await',
    });
    expect(await replay(reordered, 'closeDay/ordinary-closing')).toMatch(
      /nondeterminism|non-determin/i,
    );
  });
});

/** The history as if the task of its last poll had begun so many ms later: a frozen worker ends such a one. */
function givenOutAgain({ events }: HistoryJson, laterMs: number): HistoryJson {
  const poll = events.findLastIndex(({ eventType }) => eventType === 'EVENT_TYPE_MARKER_RECORDED');
  const begun = events.findLastIndex(
    ({ eventType }, n) => n < poll && eventType === 'EVENT_TYPE_WORKFLOW_TASK_STARTED',
  );
  return {
    events: events.map((event, n) =>
      n < begun
        ? event
        : { ...event, eventTime: new Date(Date.parse(event.eventTime) + laterMs).toISOString() },
    ),
  };
}
