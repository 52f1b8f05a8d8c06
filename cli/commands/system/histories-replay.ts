import { existsSync } from 'node:fs';

import { bundleWorkflows } from '../../../worker/bundle.ts';
import { type Command, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { listHistoryFiles } from '../../../operations/plants/histories.ts';
import { createLog } from '../../../environment/log.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { replayHistories } from '../../../worker/replay-histories.ts';
import { installRuntime } from '../../../worker/worker.ts';

/** `heliograph histories replay`: checks before a deploy that this code replays exported histories. */
export const historiesReplay: Command = {
  name: 'histories replay',
  usage: 'DIR [--json]',
  options: {},
  async run(context) {
    const [folder, ...more] = context.positionals;
    if (folder === undefined || more.length > 0)
      throw usageError(historiesReplay, 'name the folder of the exported histories');
    const files = existsSync(folder) ? listHistoryFiles(folder) : [];
    // Without histories the check must fail.
    if (files.length === 0)
      throw new CommandError(
        `there are no histories in ${folder}: \`heliograph histories export\` writes them`,
        exitCodes.failed,
      );
    installRuntime(createLog('error', process.stderr));
    const { replayed, failed } = await replayHistories(files, await bundleWorkflows());
    if (context.json) writeJson(context.io, { replayed, failed });
    else
      context.io.stdout.write(
        [
          ...failed.map(({ file, sentence }) => `${file}: ${visibleText(sentence)}\n`),
          `${replayed - failed.length} of ${counted(replayed, 'history', 'histories')} replayed\n`,
          failed.length === 0
            ? ''
            : 'do not deploy this code over the workflows that wrote these histories: put the change behind patched() (CONTRIBUTING.md)\n',
        ].join(''),
      );
    return failed.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};
