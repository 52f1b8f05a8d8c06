import { Worker, type WorkflowBundle } from '@temporalio/worker';

import { readHistories } from '../operations/plants/histories.ts';

/** Replays recorded histories: today's workflows must give the same commands as the histories. */

export interface Replayed {
  replayed: number;
  failed: { file: string; sentence: string }[];
}

/** @param progress called after every history. */
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
