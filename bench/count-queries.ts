import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into the worker by the bench (`node --import`): counts every wait for PostgreSQL, including BEGIN and COMMIT, and
 * sends the count over the channel to the parent on request.
 */

/** What the parent sends. */
export const waitsQuestion = 'how many waits for PostgreSQL?';

// The threads that run workflows load this file too, but have no database.
if (isMainThread && process.send !== undefined) {
  const { default: pg } = await import('pg');
  let waits = 0;
  // Looked up on the prototype at each call, so that it works before any pool is opened.
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
