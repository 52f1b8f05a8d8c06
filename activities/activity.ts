import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import type { ActivityLog, CallContext } from './deps.ts';
import { toApplicationFailure, unexpected } from './failure.ts';

/** What every activity has around its work: a heartbeat, errors as Temporal gets them, and a log line for errors of ours. */

/** A dead worker is noticed by the heartbeats that are missing for 10 s; a busy one must not be taken for it. */
const heartbeatMs = 3_000;

/** The caller as the running activity's context says. */
export function activityContext(): CallContext {
  const { info, cancellationSignal, heartbeat } = Context.current();
  return {
    workflowId: info.workflowExecution?.workflowId ?? '',
    runId: info.workflowExecution?.runId ?? '',
    isLocal: info.isLocal,
    signal: cancellationSignal,
    heartbeat: () => heartbeat.call(Context.current()),
  };
}

/**
 * Makes activities of plain functions. One that is regular is heard every few seconds while it runs; a local one lives within
 * its workflow task and is not.
 *
 * @example
 * const activity = activityMaker(log, activityContext);
 * return { closeDay: activity('closing the day', days.closeDay) };
 */
export function activityMaker(log: ActivityLog, context: () => CallContext) {
  return <Args, Result>(
    attempting: string,
    run: (args: Args) => Promise<Result>,
    { neverGiveUp = false } = {},
  ) =>
    async (args: Args): Promise<Result> => {
      const { isLocal, heartbeat } = context();
      const beat = isLocal ? undefined : setInterval(heartbeat, heartbeatMs);
      try {
        return await run(args);
      } catch (error) {
        const failure = toApplicationFailure(error, attempting, neverGiveUp);
        if (failure instanceof ApplicationFailure && failure.type === unexpected)
          log.error({ attempting, ...errorFields(error) }, 'an activity met an error of ours');
        throw failure;
      } finally {
        clearInterval(beat);
      }
    };
}

/** What a log may say of an error: never its text, which may quote a row or a header. */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { errorName: typeof error };
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  const at = error.stack
    ?.split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .slice(0, 6)
    .map((line) => line.trim());
  return {
    errorName: error.name,
    ...(code === undefined ? {} : { code }),
    ...(constraint === undefined ? {} : { constraint }),
    at,
  };
}
