import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import pg from 'pg';

import type { Checkpoint } from '../../activities/deps.ts';
import { takeRegular } from '../../activities/failure.ts';
import {
  type ChaosFault,
  type ChaosReport,
  claimingStatements,
  type StepPath,
  type WrittenStep,
} from './chaos-plan.ts';

/** What a worker's process does to itself at named points of a poll. */
export interface Traps {
  /** To be given to `startWorker`. */
  checkpoint: (name: Checkpoint) => Promise<void>;
  /** From now on the fault happens, once; before, and after a stop, the worker is an ordinary one. */
  arm(fault: ChaosFault): void;
}

/** The step whose commit a point follows; the points around the vendor follow none. */
const stepOf: Readonly<Partial<Record<Checkpoint, WrittenStep>>> = {
  'after snapshot commit': 'snapshot',
  'after alerts commit': 'alerts',
  'after ledger commit': 'ledger',
};

/**
 * Sets the traps of this process; before any pool is opened.
 *
 * @param report resolves when the test's process has the message: the last word of a process that dies must have left it.
 */
export function setTraps(report: (message: ChaosReport) => Promise<void>): Traps {
  let fault: ChaosFault | null = null;
  /** The loops that stand at the point, each with the path on which it came there. */
  const standing = new Map<string, StepPath>();

  interceptQueries((text, values, send) => {
    if (fault === null) return null;
    return fault.kind === 'STOP'
      ? stopBefore(fault, text, values, send)
      : refuseLocally(fault, text);
  });
  return {
    arm: (armed) => void (fault = armed),
    async checkpoint(name) {
      if (fault?.kind === 'DIE') await dieAt(fault, name);
    },
  };

  /** Holds every loop that comes to the point; the last of them brings death to all. */
  async function dieAt(
    { at, path, plants }: Extract<ChaosFault, { kind: 'DIE' }>,
    name: Checkpoint,
  ): Promise<void> {
    const mine = callersPath();
    if (path === 'REGULAR' && mine === 'LOCAL' && name === 'before vendor call') {
      if (stepOf[at] === undefined) {
        throw ApplicationFailure.nonRetryable('chaos: not on the local path', takeRegular);
      }
    }
    if (name !== at) return;
    standing.set(Context.current().info.workflowExecution?.workflowId ?? '', mine);
    if (standing.size === plants) {
      await report({
        kind: 'DIES',
        workflowIds: [...standing.keys()],
        paths: [...standing.values()],
      });
      process.kill(process.pid, 'SIGKILL');
    }
    await new Promise(() => {});
  }

  /** The local attempt of the step meets a busy database, so that it is the regular one that commits. */
  function refuseLocally(
    { at, path }: Extract<ChaosFault, { kind: 'DIE' }>,
    text: string,
  ): Promise<never> | null {
    const step = stepOf[at];
    if (path === 'LOCAL' || step === undefined) return null;
    // A whole poll claims all of them at once.
    if (!claimingStatements[step].test(text) && !claimingStatements.whole.test(text)) return null;
    if (callersPath() === 'REGULAR') return null;
    return Promise.reject(Object.assign(new Error('chaos: too busy'), { code: '53300' }));
  }

  /** Stops this process, once, when the step's claim is ready to be sent. */
  function stopBefore(
    { before, plantIds }: Extract<ChaosFault, { kind: 'STOP' }>,
    text: string,
    values: readonly unknown[],
    send: () => Promise<pg.QueryResult>,
  ): Promise<pg.QueryResult> | null {
    if (!claimingStatements[before].test(text)) return null;
    const plantId = plantIds?.find((id) => speaksOf(id, values)) ?? null;
    if (plantIds !== undefined && plantId === null) return null;
    fault = null;
    return report({ kind: 'STOPS', plantId }).then(async () => {
      process.kill(process.pid, 'SIGSTOP');
      const result = await send();
      const plantIds = (result.rows as { id?: unknown }[]).flatMap(({ id }) =>
        typeof id === 'string' ? [id] : [],
      );
      await report({ kind: 'WROTE_LATE', rowCount: result.rowCount, plantIds });
      return result;
    });
  }
}

/** Whether a statement's parameters name the plant, be it among the polls that are written together. */
function speaksOf(plantId: string, values: readonly unknown[]): boolean {
  const inJson = `"plant_id":${JSON.stringify(plantId)}`;
  return values.some(
    (value) => value === plantId || (typeof value === 'string' && value.includes(inJson)),
  );
}

/** The path of the step that runs now. */
export function callersPath(): StepPath {
  return Context.current().info.isLocal ? 'LOCAL' : 'REGULAR';
}

type Query = (this: unknown, text: unknown, ...rest: unknown[]) => unknown;

/** Puts `before` between our statements and the database; what it gives is what the statement's caller gets. */
function interceptQueries(
  before: (
    text: string,
    values: readonly unknown[],
    send: () => Promise<pg.QueryResult>,
  ) => Promise<pg.QueryResult> | null,
): void {
  const { prototype } = pg.Client as unknown as { prototype: { query: Query } };
  const send = prototype.query;
  prototype.query = function (text, ...rest) {
    const sendIt = () => send.call(this, text, ...rest);
    const [words, values] = isNamed(text) ? [text.text, text.values] : [text, rest[0]];
    if (typeof words !== 'string') return sendIt();
    const given = Array.isArray(values) ? values : [];
    return before(words, given, sendIt as () => Promise<pg.QueryResult>) ?? sendIt();
  };
}

/** A statement that is planned once a connection comes with its name. */
function isNamed(text: unknown): text is { text: string; values: unknown } {
  return typeof text === 'object' && text !== null && 'text' in text && 'values' in text;
}

/** Tells the process that started this one; resolves when it has it. */
export function tellParent(message: object): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
