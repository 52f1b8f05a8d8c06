import pg from 'pg';

/**
 * Loaded into the worker by the bench (`node --import`): counts every wait for PostgreSQL, BEGIN and COMMIT included, and
 * tells the count when asked over the channel to the parent.
 */
let waits = 0;
// Looked up on the prototype at each call, so that it is in place before any pool is opened.
const prototype = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown };
const { query } = prototype;
prototype.query = function counted(this: unknown, ...args: unknown[]) {
  waits += 1;
  return query.apply(this, args);
};

process.on('message', (message) => {
  if (message === 'count queries') process.send?.({ waits });
});
