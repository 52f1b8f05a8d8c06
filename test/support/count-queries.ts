import type { Kysely } from 'kysely';

import type { Database } from '../../db/tables.ts';

/** How many statements the database executes for what `run` does; nothing else may use it meanwhile. */
export async function countQueries(
  db: Kysely<Database>,
  run: () => Promise<unknown>,
): Promise<number> {
  const executor = db.getExecutor();
  const original = executor.executeQuery;
  let count = 0;
  executor.executeQuery = function counted(this: typeof executor, ...args) {
    count += 1;
    return original.apply(this, args);
  } as typeof original;
  try {
    await run();
  } finally {
    executor.executeQuery = original;
  }
  return count;
}
