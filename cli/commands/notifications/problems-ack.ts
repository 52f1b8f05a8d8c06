import { withDatabase } from '../../../environment/services.ts';
import { acknowledgeProblem } from '../../../operations/notifications/actions.ts';
import { onePositional, readValue, readWords } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { wholeNumber } from '../../plant-fields.ts';
import { print } from '../../render.ts';
import { orFail, terminalAct } from './refusals.ts';

const readId = wholeNumber('the number of a problem', 1, 999_999_999);

/** `heliograph problems ack ID`: a person has seen it, and nobody else is called. */
export const problemsAck: Command = {
  name: 'problems ack',
  usage: 'ID [--comment TEXT] [--json]',
  flags: ['comment'],
  async run(context) {
    const text = onePositional(
      context,
      'name one problem by its ID (see `heliograph problems list`)',
    );
    const id = readValue(context, 'ID', text, readId);
    const comment = readWords(context, 'comment');
    const problem = await withDatabase(context.config(), async (db) =>
      orFail(context, await acknowledgeProblem(terminalAct(db), id, comment)),
    );
    print(context, problem, () => `problem ${id} acknowledged\n`);
  },
};
