import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

import { plantOfWorkflowId, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { inBatches } from './check-loops.ts';

/**
 * Histories of a running system, as files: what new code must replay before it is let loose on the workflows that wrote them.
 * A file holds what `temporal workflow show --output json` prints, and is named by workflow and run.
 */

export interface ExportedHistory {
  workflow_type: string;
  workflow_id: string;
  run_id: string;
  events: number;
  file: string;
}

interface Run {
  workflowType: string;
  workflowId: string;
  runId: string;
}

/** The reconciliation is the same every time. */
const reconciliationsMax = 3;

/**
 * Writes the run of each of these loops, the run before it, and as many of the newest closings.
 *
 * @param options.plantIds these plants' loops; null: `plants` of them, evenly over all that run.
 * @param options.folder made where it is missing; only its owner may read what is written there.
 */
export async function exportHistories(options: {
  client: Client;
  plantIds: readonly string[] | null;
  plants: number;
  folder: string;
}): Promise<{ exported: ExportedHistory[]; missing: string[] }> {
  const { client, folder } = options;
  const loops = await newestRuns(
    client,
    `WorkflowType = 'monitorPlant' AND ExecutionStatus = 'Running'`,
  );
  const wanted =
    options.plantIds === null
      ? evenly(loops, options.plants)
      : loops.filter(({ workflowId }) =>
          options.plantIds?.includes(plantOfWorkflowId(workflowId) ?? ''),
        );
  const found = new Set(wanted.map(({ workflowId }) => workflowId));
  const missing = (options.plantIds ?? []).filter((id) => !found.has(pollWorkflowId(id)));
  const before = await inBatches(wanted, (batch) =>
    Promise.all(batch.map(({ workflowId }) => runBefore(client, workflowId))),
  );
  const closed = `ExecutionStatus = 'Completed'`;
  const runs = [
    ...wanted,
    ...before.filter((run) => run !== null),
    ...(await newestRuns(client, `WorkflowType = 'closeDay' AND ${closed}`, wanted.length)),
    ...(await newestRuns(
      client,
      `WorkflowType = 'reconcileFleet' AND ${closed}`,
      reconciliationsMax,
    )),
  ];
  const exported = await inBatches(runs, (batch) =>
    Promise.all(batch.map((run) => exportRun(client, run, folder))),
  );
  return { exported: exported.filter((each) => each !== null), missing };
}

/** The newest first. */
async function newestRuns(client: Client, query: string, limit = Infinity): Promise<Run[]> {
  const runs: Run[] = [];
  if (limit === 0) return runs;
  for await (const { type, workflowId, runId } of client.workflow.list({ query })) {
    runs.push({ workflowType: type, workflowId, runId });
    if (runs.length >= limit) break;
  }
  return runs;
}

async function runBefore(client: Client, workflowId: string): Promise<Run | null> {
  const [run] = await newestRuns(
    client,
    `WorkflowId = '${workflowId}' AND ExecutionStatus = 'ContinuedAsNew'`,
    1,
  );
  return run ?? null;
}

/** `count` of the items, the same distance apart, by workflow id. */
function evenly(items: readonly Run[], count: number): Run[] {
  const sorted = items.toSorted((a, b) => a.workflowId.localeCompare(b.workflowId));
  if (sorted.length <= count) return sorted;
  return Array.from({ length: count }, (_, index) => {
    return sorted[Math.floor((index * sorted.length) / count)] as Run;
  });
}

/** Null where the run is gone by now: its retention ended. */
async function exportRun(
  client: Client,
  run: Run,
  folder: string,
): Promise<ExportedHistory | null> {
  const { workflowType, workflowId, runId } = run;
  try {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const place = join(folder, workflowType);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    const file = join(place, fileName(workflowId, runId));
    writeFileSync(file, `${historyToJSON(history)}\n`, { mode: 0o600 });
    return {
      workflow_type: workflowType,
      workflow_id: workflowId,
      run_id: runId,
      events: history.events?.length ?? 0,
      file,
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Workflow ids hold colons, which not every file system takes. */
function fileName(workflowId: string, runId: string): string {
  return `${encodeURIComponent(workflowId)}~${runId}.json`;
}

/** The history files below a folder, by name. */
export function listHistoryFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => join(folder, file));
}

/** The workflow's id as the file's name has it; a file with a name of its own is a loop's, unless its folder says otherwise. */
function workflowIdOf(file: string): string {
  const [, type, name = ''] = /([^/\\]*)[/\\]([^/\\]*)\.json$/.exec(file) ?? [];
  const id = decodeURIComponent(name.split('~')[0] ?? '');
  if (name.includes('~')) return id;
  return type === 'closeDay' ? 'daily:plant:replayed:2026-06-11' : pollWorkflowId('replayed');
}

/** One after the other, so that ten thousand of them need no memory. */
export async function* readHistories(
  files: readonly string[],
): AsyncGenerator<{ workflowId: string; history: unknown }> {
  for (const file of files) {
    yield {
      workflowId: workflowIdOf(file),
      history: JSON.parse(readFileSync(file, 'utf8')) as unknown,
    };
  }
}
