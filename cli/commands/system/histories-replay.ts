import { existsSync } from 'node:fs';

import { counted } from '../../../domain/wording.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { createLog } from '../../../environment/log.ts';
import { listHistoryFiles } from '../../../operations/plants/histories.ts';
import { bundleWorkflows } from '../../../worker/bundle.ts';
import { replayHistories } from '../../../worker/replay-histories.ts';
import { installRuntime } from '../../../worker/worker.ts';
import { onePositional } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { print, visibleText } from '../../render.ts';

const advice =
  'do not deploy this code over the workflows that wrote these histories: put the change behind patched() (CONTRIBUTING.md)\n';

/** `heliograph histories replay`: checks before a deploy that this code replays exported histories. */
export const historiesReplay: Command = {
  name: 'histories replay',
  usage: 'DIR [--json]',
  async run(context) {
    const folder = onePositional(context, 'name the folder of the exported histories');
    const files = existsSync(folder) ? listHistoryFiles(folder) : [];
    // Without histories the check must fail.
    if (files.length === 0)
      throw new CommandError(
        `there are no histories in ${folder}: \`heliograph histories export\` writes them`,
        exitCodes.failed,
      );
    installRuntime(createLog('error', process.stderr));
    const { replayed, failed } = await replayHistories(files, await bundleWorkflows());
    print(context, { replayed, failed }, () =>
      [
        ...failed.map(({ file, sentence }) => `${file}: ${visibleText(sentence)}\n`),
        `${replayed - failed.length} of ${counted(replayed, 'history', 'histories')} replayed\n`,
        failed.length === 0 ? '' : advice,
      ].join(''),
    );
    return failed.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};
