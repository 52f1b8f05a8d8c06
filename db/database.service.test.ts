import { describe, expect } from 'vitest';

import { eventually } from '../test/support/fleet.ts';
import { database, test } from '../test/support/test-database.ts';
import { queryRow } from './database.ts';

describe('a connection that the server ends between two statements of a transaction', () => {
  test('fails the transaction, and neither the process nor the pool', async () => {
    const { db } = database;
    const ended = db.transaction().execute(async (trx) => {
      const { pid } = await queryRow(trx)<{ pid: number }>`select pg_backend_pid() as pid`;
      await queryRow(db)`select pg_terminate_backend(${pid})`;
      await eventually('the end of the connection', async () => {
        const { n } = await queryRow(db)<{ n: number }>`
          select count(*) as n from pg_stat_activity where pid = ${pid}`;
        return n === 0;
      });
      await queryRow(trx)`select 1 as one`;
    });
    await expect(ended).rejects.toThrow(/terminat|not queryable|closed/i);
    expect(await queryRow(db)`select 1 as one`).toEqual({ one: 1 });
  });
});
