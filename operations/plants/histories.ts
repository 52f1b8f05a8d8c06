import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

import { plantOfWorkflowId, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { askEach } from '../ask-each.ts';
import { monitorPlantType } from './loops.ts';

/**
 * Histories of a running system, as files. New code must replay them before it runs the workflows that wrote them. A file
 * holds what `temporal workflow show --output json` prints; its name is the workflow id and the run id.
 */

interface Run {
  workflow_type: string;
  workflow_id: string;
  run_id: string;
}

export interface ExportedHistory extends Run {
  events: number;
  file: string;
}

/** Few, because the reconciliation is the same every time. */
const reconciliationsMax = 3;

/**
 * Writes the current run of loops, the run before it, and as many of the newest closings.
 *
 * @param options.plantIds the plants of the loops; null: `plants` of them, evenly over all that run.
 * @param options.folder created if missing; only its owner may read the files.
 */
export async function exportHistories(options: {
  client: Client;
  plantIds: readonly string[] | null;
  plants: number;
  folder: string;
}): Promise<{ exported: ExportedHistory[]; missing: string[] }> {
  const { client, folder } = options;
  const newest = (type: string, status: string, limit?: number) =>
    newestRuns(client, `WorkflowType = '${type}' AND ExecutionStatus = '${status}'`, limit);
  const loops = await newest(monitorPlantType, 'Running');
  const wanted =
    options.plantIds === null
      ? evenly(loops, options.plants)
      : loops.filter((run) => options.plantIds?.includes(plantOfWorkflowId(run.workflow_id) ?? ''));
  const found = new Set(wanted.map((run) => run.workflow_id));
  const missing = (options.plantIds ?? []).filter((id) => !found.has(pollWorkflowId(id)));
  const before = await askEach(wanted, ({ workflow_id: id }) =>
    newestRuns(client, `WorkflowId = '${id}' AND ExecutionStatus = 'ContinuedAsNew'`, 1),
  );
  const runs = [
    ...wanted,
    ...before.flat(),
    ...(await newest('closeDay', 'Completed', wanted.length)),
    ...(await newest('reconcileFleet', 'Completed', reconciliationsMax)),
  ];
  const exported = await askEach(runs, (run) => exportRun(client, run, folder));
  return { exported: exported.filter((each) => each !== null), missing };
}

/** The newest first. */
async function newestRuns(client: Client, query: string, limit = Infinity): Promise<Run[]> {
  const runs: Run[] = [];
  if (limit === 0) return runs;
  for await (const { type, workflowId, runId } of client.workflow.list({ query })) {
    runs.push({ workflow_type: type, workflow_id: workflowId, run_id: runId });
    if (runs.length >= limit) break;
  }
  return runs;
}

/** `count` of the items, the same distance apart, by workflow id. */
function evenly(items: readonly Run[], count: number): Run[] {
  const sorted = items.toSorted((a, b) => a.workflow_id.localeCompare(b.workflow_id));
  if (sorted.length <= count) return sorted;
  return Array.from(
    { length: count },
    (_, index) => sorted[Math.floor((index * sorted.length) / count)] as Run,
  );
}

/** Null if the retention of the run has ended meanwhile. */
async function exportRun(
  client: Client,
  run: Run,
  folder: string,
): Promise<ExportedHistory | null> {
  try {
    const handle = client.workflow.getHandle(run.workflow_id, run.run_id);
    const history = await handle.fetchHistory();
    const place = join(folder, run.workflow_type);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    // Workflow ids contain colons, which not every file system allows.
    const file = join(place, `${encodeURIComponent(run.workflow_id)}~${run.run_id}.json`);
    writeFileSync(file, `${historyToJSON(history)}\n`, { mode: 0o600 });
    return { ...run, events: history.events?.length ?? 0, file };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** The history files below a folder, by name. */
export function listHistoryFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => join(folder, file));
}

/** The workflow id in the file's name. A file with another name is of a loop, unless its folder is `closeDay`. */
function workflowIdOf(file: string): string {
  const [, type, name = ''] = /([^/\\]*)[/\\]([^/\\]*)\.json$/.exec(file) ?? [];
  const id = decodeURIComponent(name.split('~')[0] ?? '');
  if (name.includes('~')) return id;
  return type === 'closeDay' ? 'daily:plant:replayed:2026-06-11' : pollWorkflowId('replayed');
}

/** Reads one history after the other, so that ten thousand of them need little memory. */
export async function* readHistories(
  files: readonly string[],
): AsyncGenerator<{ workflowId: string; history: unknown }> {
  for (const file of files) {
    const history: unknown = JSON.parse(readFileSync(file, 'utf8'));
    yield { workflowId: workflowIdOf(file), history };
  }
}
