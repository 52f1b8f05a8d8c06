import type { Db } from '../db/database.ts';
import { findOpenHalt } from '../db/halts.ts';

/** Whether all polling is stopped, as the polls of one process read it. */

/** Age of an answer that a poll may use, ms: with the time of its own request it ends within 2 s of the stop. */
const keptMs = 1_000;

/**
 * Returns the question that every poll asks before it sends anything. Polls of the same second share one statement.
 *
 * @returns a function that rejects while PostgreSQL is away: then nothing is sent.
 */
export function createHaltWatch(db: Db, clock: () => number = () => performance.now()) {
  let asked: { atMs: number; answer: Promise<boolean> } | null = null;
  return async function isHalted(): Promise<boolean> {
    const nowMs = clock();
    if (asked === null || nowMs - asked.atMs >= keptMs) {
      const question = { atMs: nowMs, answer: findOpenHalt(db).then((halt) => halt !== null) };
      asked = question;
      question.answer.catch(() => {
        if (asked === question) asked = null;
      });
    }
    return asked.answer;
  };
}
