import { withDatabase } from '../../../environment/services.ts';
import { movePlant } from '../../../operations/plants/correct.ts';
import { onePositional, requireFlag } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { plantFields } from '../../plant-fields.ts';
import { print, visibleText } from '../../render.ts';
import { credentialsHint } from './plants-add.ts';
import { failureOf } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { tellLoopsOf, toldNote } from './tell-loops.ts';

/** `heliograph plants move ID --account A`: lets a plant log in by another account of its brand; it keeps its past. */
export const plantsMove: Command = {
  name: 'plants move',
  usage: 'ID --account ACCOUNT [--json]',
  flags: ['account'],
  async run(context) {
    const plantId = onePositional(context, 'name one plant by its ID');
    const account = requireFlag(context, 'account', plantFields.account);
    const config = context.config();
    const { refused, newAccount } = await withDatabase(config, (db) =>
      movePlant(terminalAct(db), plantId, account),
    );
    if (refused[0] !== undefined) throw failureOf(context, refused[0]);
    const told = await tellLoopsOf(config, [plantId], { pollNow: true });
    print(
      context,
      { plant_id: plantId, account, new_account: newAccount, loops_told: told.told },
      () => `${visibleText(plantId)} moved to account ${visibleText(account)}\n`,
    );
    context.io.stderr.write(newAccount ? credentialsHint([account]) : '');
    context.io.stderr.write(toldNote(told));
  },
};
