import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into the worker by the bench (`node --import`): counts every wait for PostgreSQL, BEGIN and COMMIT included, and
 * tells the count when asked over the channel to the parent.
 */

/** What the parent sends. */
export const waitsQuestion = 'how many waits for PostgreSQL?';

// The threads that run workflows load this file as well, and have no database.
if (isMainThread && process.send !== undefined) {
  const { default: pg } = await import('pg');
  let waits = 0;
  // Looked up on the prototype at each call, so that it is in place before any pool is opened.
  const prototype = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown };
  const { query } = prototype;
  prototype.query = function counted(this: unknown, ...args: unknown[]) {
    waits += 1;
    return query.apply(this, args);
  };
  process.on('message', (message) => {
    if (message === waitsQuestion) process.send?.({ waits });
  });
}
