import type { Refusal } from '../../../operations/plants/actions.ts';
import type { DraftProblem } from '../../../domain/plants/plant-draft.ts';
import type { Outcome } from '../../../domain/plants/plant.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { type CommandContext, usageError } from '../../command.ts';
import { flagName } from '../../plant-fields.ts';
import { unknownPlant } from '../../selection.ts';

/** The one table from refusals of people's actions to sentences and exit codes. */

/** The outcomes of a successful poll. */
export const goodOutcomes: ReadonlySet<Outcome> = new Set(['OK', 'PARTIAL']);

/** The result of an action. @throws CommandError if it was refused. */
export function orFail<Done extends object>(context: CommandContext, result: Done | Refusal): Done {
  if ('refusal' in result) throw failureOf(context, result);
  return result;
}

/** Exit code 2 for a value that is invalid, 1 for an action that the present state does not allow. */
export function failureOf(
  context: Pick<CommandContext, 'command'>,
  refusal: Refusal,
): CommandError {
  const isWrongCall =
    refusal.refusal === 'WRONG_VALUE' ||
    (refusal.refusal === 'NOT_ADDED' &&
      refusal.problems.every(({ field }) => field === 'timezone'));
  const sentence = refusalSentence(refusal);
  if (isWrongCall) return usageError(context, sentence);
  const nothing = refusal.refusal === 'NOT_ADDED' ? '\nnothing was added' : '';
  return new CommandError(sentence + nothing, exitCodes.failed);
}

/** Why something was not done, and what to do. */
export function refusalSentence(refusal: Refusal): string {
  switch (refusal.refusal) {
    case 'UNKNOWN_PLANT':
      return unknownPlant(refusal.plantId).message;
    case 'UNKNOWN_ALERT':
      return `there is no alert ${refusal.alertId}`;
    case 'NOT_NOW':
      return notNowSentence(refusal);
    case 'NO_USE':
      return `plant ${refusal.plantId} would be paused again at once: ${accountSentence(refusal)}`;
    case 'ALERT_RESOLVED':
      return `alert ${refusal.alertId} of ${refusal.plantId} is resolved since ${refusal.resolvedAt?.toISOString() ?? 'a while'}: there is nothing to acknowledge`;
    case 'WRONG_VALUE':
      return `--${flagName(refusal.field)} ${refusal.plantId === null ? '' : `of ${refusal.plantId} `}${refusal.problem}`;
    case 'TAKEN':
      return `--${flagName(refusal.field)} of ${refusal.plantId}: ${refusal.problem}`;
    case 'HAS_ANSWERED':
      return `${refusal.plantId} has answered as ${refusal.vendorPlantId}, and its days are that plant's: \`heliograph plants remove ${refusal.plantId}\` and add the right one under another id`;
    case 'REMOVED':
      return `plant ${refusal.plantId} was removed at ${refusal.removedAt.toISOString()}: \`heliograph why ${refusal.plantId}\` still answers`;
    case 'NOT_REMOVED':
      return `plant ${refusal.plantId} is not removed: \`heliograph plants remove ${refusal.plantId}\` first`;
    case 'STILL_KEPT':
      return `what is known of plant ${refusal.plantId} is kept until ${refusal.until.toISOString()}`;
    case 'CHANGED_MEANWHILE':
      return `somebody else changed it: its revision is now ${refusal.revision}`;
    case 'NOT_ADDED':
      return problemSentences(refusal.problems);
    case 'ADDED_MEANWHILE':
    case 'REFUSED':
      return refusal.reason;
    case 'NO_LOOP':
      return `plant ${refusal.plantId} was not polled: its loop is not running. Is a worker up?`;
    case 'NO_ANSWER':
      return `no answer within ${refusal.timeoutMs / 1000} s: is a worker up, or is the vendor slow? \`heliograph plants show ${refusal.plantId}\` shows the outcome.`;
  }
}

/** The problems of a new plant's flags, one a line. */
export function problemSentences(problems: readonly DraftProblem[]): string {
  return problems.map(({ field, problem }) => `--${flagName(field)} ${problem}`).join('\n');
}

/** "the account of solis-main has no credentials yet: `heliograph plants credentials solis-main` stores some". */
export function accountSentence({
  accountId,
  fault,
}: Pick<Extract<Refusal, { refusal: 'NO_USE' }>, 'accountId' | 'fault'>): string {
  const command = `\`heliograph plants credentials ${accountId}\` stores`;
  return fault === 'MISSING'
    ? `account ${accountId} has no credentials yet, and ${command} some`
    : `the credentials of account ${accountId} cannot be used, and ${command} others`;
}

function notNowSentence({
  wish,
  plantId,
  status,
}: Extract<Refusal, { refusal: 'NOT_NOW' }>): string {
  switch (wish) {
    case 'PAUSE':
      return `plant ${plantId} waits for its documents (${status}) and is not polled`;
    case 'RESUME':
      return `plant ${plantId} waits for its documents (${status}): \`heliograph plants set ${plantId} --status ACTIVE\` when they are complete`;
    case 'ACTIVATE':
      return `${plantId} is ${status}: \`heliograph plants resume ${plantId}\` lifts that`;
    case 'POLL':
      return `plant ${plantId} is ${status} and is not polled`;
  }
}
