import type { Decider } from '../../../db/audit-log.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import type { Act, Refusal } from '../../../operations/notifications/actions.ts';
import { type CommandContext, usageError } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { visibleText } from '../../render.ts';

/** The one table from refusals of what people do with notifications to sentences and exit codes. */

/** The result of an action. @throws CommandError if it was refused: 2 for a wrong value, else 1. */
export function orFail<Done extends object>(
  context: Pick<CommandContext, 'command'>,
  result: Done | Refusal,
): Done {
  if (!('refusal' in result)) return result;
  const sentence = visibleText(refusalSentence(result));
  throw result.refusal === 'WRONG_VALUE'
    ? usageError(context, sentence)
    : new CommandError(sentence, exitCodes.failed);
}

function refusalSentence(refusal: Refusal): string {
  switch (refusal.refusal) {
    case 'UNKNOWN':
      return `there is no ${refusal.thing} ${refusal.id}`;
    case 'WRONG_VALUE':
      return `${refusal.field} ${refusal.problem}`;
    case 'NAME_TAKEN':
      return `there is a ${refusal.thing} ${refusal.name} already`;
    case 'OF_ENVIRONMENT':
      return `channel ${refusal.id} is one of the environment: remove its variables from the worker instead`;
    case 'IN_USE':
      return `routes use the ${refusal.thing}: ${refusal.routes.join(', ')}`;
    case 'SUBSCRIPTION':
      return `route ${refusal.id} is the subscription of a person, who alone changes it`;
    case 'NOT_RETRIED':
      return `delivery ${refusal.id} is ${refusal.state}: only one that is FAILED or DEAD is tried again`;
    case 'PROBLEM_CLOSED':
      return `problem ${refusal.id} is closed: there is nothing to acknowledge`;
  }
}

/** The person at this terminal, now. */
export function terminalAct(db: Act['db'], by: Decider = terminalDecider()): Act {
  return { db, by, at: new Date() };
}
