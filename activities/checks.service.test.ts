import { beforeEach, expect } from 'vitest';

import { type CheckOutcome, readNewestChecks } from '../db/polling-checks.ts';
import { database, test } from '../test/support/test-database.ts';
import { createCheck } from './checks.ts';

/** The automatic checks keep what they find and tell people of errors. */

const startMs = Date.parse('2026-12-01T09:00:00Z');
const minuteMs = 60_000;

beforeEach(async () => {
  for (const table of ['polling_checks', 'notifications', 'problems'] as const)
    await database.db.deleteFrom(table).execute();
});

const good: CheckOutcome = {
  state: 'ok',
  findings: 0,
  kinds: {},
  counts: { plants: 3 },
  sentences: [],
};
const found = (state: 'degraded' | 'down'): CheckOutcome => ({
  state,
  findings: 2,
  kinds: { SLOT_OVERDUE: 2 },
  counts: { plants: 3 },
  sentences: ['SLOT_OVERDUE a It waits.', 'SLOT_OVERDUE b It waits.'],
});

/** Runs a check that finds these, one after the other. */
async function run(kind: 'VALIDATE' | 'AUDIT', outcomes: readonly CheckOutcome[]): Promise<void> {
  for (const [index, outcome] of outcomes.entries()) {
    const nowMs = startMs + index * 5 * minuteMs;
    const never = async () => Promise.reject(new Error('the other check ran'));
    const checks = { VALIDATE: never, AUDIT: never, [kind]: async () => outcome };
    await createCheck({ db: database.db, clock: () => nowMs + 1_000 }, checks)({ kind, nowMs });
  }
}

const problems = () =>
  database.db
    .selectFrom('problems')
    .select(['subject_kind', 'subject_id', 'severity', 'state', 'message'])
    .execute();

test('a run is kept with what it found; the newest of each kind is shown', async () => {
  await run('VALIDATE', [good, found('degraded')]);
  await run('AUDIT', [good]);
  const [validate, audit] = await readNewestChecks(database.db);
  expect(validate).toEqual({
    kind: 'VALIDATE',
    ...found('degraded'),
    startedAt: new Date(startMs + 5 * minuteMs + 1_000),
    endedAt: new Date(startMs + 5 * minuteMs + 1_000),
  });
  expect(audit).toMatchObject({ kind: 'AUDIT', state: 'ok', findings: 0 });
});

test('a violated invariant is told at once, and its end too', async () => {
  await run('AUDIT', [found('down')]);
  expect(await problems()).toEqual([
    {
      subject_kind: 'SYSTEM',
      subject_id: 'audit',
      severity: 'RED',
      state: 'OPEN',
      message:
        '`heliograph audit` has 2 findings. SLOT_OVERDUE a It waits. SLOT_OVERDUE b It waits.',
    },
  ]);
  await run('AUDIT', [good]);
  expect(await problems()).toMatchObject([{ state: 'CLOSED' }]);
  const told = await database.db.selectFrom('notifications').select('kind').orderBy('id').execute();
  expect(told.map(({ kind }) => kind)).toEqual(['OPENED', 'CLOSED']);
});

test('what validate finds once may be a restart: it is told at its second time', async () => {
  await run('VALIDATE', [found('degraded'), good, found('degraded')]);
  expect(await problems()).toEqual([]);
  await run('VALIDATE', [found('degraded')]);
  expect(await problems()).toMatchObject([{ subject_id: 'validate', severity: 'YELLOW' }]);
});

test('what is down is told at once', async () => {
  await run('VALIDATE', [found('down')]);
  expect(await problems()).toMatchObject([{ subject_id: 'validate', severity: 'RED' }]);
});

test('runs of more than a week ago are forgotten', async () => {
  await run('AUDIT', [good]);
  const later = startMs + 8 * 24 * 60 * minuteMs;
  const checks = { VALIDATE: async () => good, AUDIT: async () => good };
  await createCheck(
    { db: database.db, clock: () => later },
    checks,
  )({ kind: 'VALIDATE', nowMs: later });
  const rows = await database.db.selectFrom('polling_checks').select('kind').execute();
  expect(rows).toEqual([{ kind: 'VALIDATE' }]);
});

test('a check whose services are away keeps nothing, and fails so that Temporal tries again', async () => {
  const away = async () => Promise.reject(new Error('away'));
  const check = createCheck(
    { db: database.db, clock: () => startMs },
    { VALIDATE: away, AUDIT: away },
  );
  await expect(check({ kind: 'AUDIT', nowMs: startMs })).rejects.toThrow('away');
  expect(await readNewestChecks(database.db)).toEqual([]);
});
