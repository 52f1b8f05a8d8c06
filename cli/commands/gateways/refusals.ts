import { CommandError, exitCodes } from '../../../environment/config.ts';
import type { EntryProblem, GatewayRefusal } from '../../../operations/gateways/actions.ts';
import type { TestRefusal } from '../../../operations/gateways/test-address.ts';
import { visibleText } from '../../render.ts';

/** The one table from refusals of actions on gateways to sentences. */

/** The result of an action. @throws CommandError 1 if it was refused. */
export function orFail<Done extends object>(result: Done | GatewayRefusal | TestRefusal): Done {
  if ('refusal' in result) throw failureOf(result);
  return result;
}

export function failureOf(refusal: GatewayRefusal | TestRefusal): CommandError {
  return new CommandError(refusalSentence(refusal), exitCodes.failed);
}

/** Why something was not done, and what to do. */
export function refusalSentence(refusal: GatewayRefusal | TestRefusal): string {
  switch (refusal.refusal) {
    case 'UNKNOWN_GATEWAY':
      return `there is no gateway ${visibleText(refusal.gatewayId)}: \`heliograph gateways list\` shows them all`;
    case 'REMOVED':
      return `gateway ${refusal.gatewayId} was removed at ${refusal.removedAt.toISOString()}: add it under another id`;
    case 'NOT_VALID':
      return [...refusal.problems.map(problemLine), 'nothing was written'].join('\n');
    case 'CHANGED_MEANWHILE':
      return `another person changed gateway ${refusal.gatewayId} (revision ${refusal.revision}): look at it and try again`;
    case 'UNKNOWN_ALERT':
      return `there is no alert ${refusal.alertId} of a gateway`;
    case 'ALERT_RESOLVED':
      return `alert ${refusal.alertId} is resolved: it can no longer be acknowledged`;
    case 'PAUSED':
      return `gateway ${refusal.gatewayId} is paused: \`heliograph gateways resume ${refusal.gatewayId}\` comes first`;
    case 'HALTED':
      return `all polling is stopped since ${refusal.since.toISOString()} by ${visibleText(refusal.by)}: \`heliograph polling start --all\` lifts it`;
    case 'NO_ANSWER':
      return `no worker answered for gateway ${refusal.gatewayId} within ${refusal.timeoutMs / 1_000} s: is \`npm run worker:gateways\` up? \`heliograph diagnose\` says more`;
    case 'NO_WORKER':
      return `no worker takes tasks of ${refusal.queue}, so that nothing was dialled: are \`npm run worker\` and \`npm run worker:gateways\` up? \`heliograph diagnose\` says more`;
    case 'TEST_TOO_LONG':
      return `the test did not end within ${refusal.timeoutMs / 1_000} s and was given up: name a preset with --preset, so that fewer registers are asked for`;
    case 'TEST_ENDED':
      return 'the worker of the test went away, or somebody ended the test: try again';
  }
}

/** "gateway 2: units[0].preset there is no preset …". */
export function problemLine({ index, path, message }: EntryProblem): string {
  const which = index === null ? '' : `gateway ${index + 1}: `;
  return visibleText(`${which}${path === '' ? '' : `${path} `}${message}`);
}
