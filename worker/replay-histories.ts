import { Worker, type WorkflowBundle } from '@temporalio/worker';

import { readHistories } from '../operations/plants/histories.ts';

/** The replay gate: today's workflows must come out of yesterday's histories, command for command. */

export interface Replayed {
  replayed: number;
  failed: { file: string; sentence: string }[];
}

/** @param progress is told after every history. */
export async function replayHistories(
  files: readonly string[],
  workflowBundle: WorkflowBundle,
  progress: (done: number) => void = () => {},
): Promise<Replayed> {
  const failed: Replayed['failed'] = [];
  let replayed = 0;
  // Results come in the order of the histories.
  for await (const result of Worker.runReplayHistories(
    { workflowBundle, replayName: 'histories' },
    readHistories(files),
  )) {
    if (result.error !== undefined)
      failed.push({ file: files[replayed] ?? '', sentence: result.error.message });
    replayed += 1;
    progress(replayed);
  }
  return { replayed, failed };
}
