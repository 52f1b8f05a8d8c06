import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import type { ActivityLog, CallContext } from './deps.ts';
import { toApplicationFailure, unexpected } from './failure.ts';

/** Wraps every activity: a heartbeat, errors as Temporal needs them, and a log line for unexpected errors. */

/** Temporal takes a worker for dead after 10 s without a heartbeat; a busy worker must not be late. */
const heartbeatMs = 3_000;

/** The caller of the running activity. */
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
 * Makes activities of plain functions. A regular activity sends heartbeats while it runs; a local one is part of its workflow
 * task and needs none.
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

/** The fields of an error for the log, without its text, which may quote a row or a header. */
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
