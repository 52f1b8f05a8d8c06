import { Client, Connection } from '@temporalio/client';
import { expect, test } from 'vitest';

import { openDatabase } from '../db/database.ts';
import {
  type Component,
  createLook,
  diagnose,
  type Fact,
  inspect,
  type Judgement,
  type State,
  valueOf,
} from './diagnosis.ts';

/** Services that nothing here asks: neither connects before it is used. */
const services = {
  db: openDatabase({ url: 'postgresql://127.0.0.1:9/none' }),
  temporal: new Client({ connection: Connection.lazy({ address: '127.0.0.1:9' }) }),
  askRedis: null,
  readDisks: async () => [],
  clock: () => 1_000,
};
const look = (answerMsMax = 1_000) => createLook(services, answerMsMax);

const away: Judgement = { state: 'down', sentence: 'It is away.' };
function part(name: string, fact: Fact<Judgement | null>): Component<Judgement | null> {
  return { name, fact, judge: (judgement) => judgement, away };
}
const good = part('good', async () => ({ state: 'ok', sentence: 'It is well.' }));
const weak = part('weak', async () => ({ state: 'degraded', sentence: 'It is weak.' }));
const gone = part('gone', () => Promise.reject(new Error('refused')));

test('the state is that of the worst finding, and the findings keep their order', async () => {
  expect(await diagnose([good], look())).toMatchObject({ state: 'ok' });
  const { state, findings } = await diagnose([weak, gone, good], look());
  expect(state).toBe('down');
  const system = { about: 'SYSTEM', takenAtMs: 1_000 };
  expect(findings).toEqual([
    { component: 'weak', part: 'weak', state: 'degraded', sentence: 'It is weak.', ...system },
    { component: 'gone', part: 'gone', ...away, ...system },
    { component: 'good', part: 'good', state: 'ok', sentence: 'It is well.', ...system },
  ]);
});

test('the fleet has a state of its own, which leaves that of the system alone', async () => {
  const fleetIs = (state: State) => ({
    ...part('plants', async () => ({ state, sentence: 'They fail.' })),
    about: 'FLEET' as const,
  });
  expect(await diagnose([good, fleetIs('down')], look())).toMatchObject({
    state: 'ok',
    fleet: 'down',
  });
  expect(await diagnose([weak, fleetIs('ok')], look())).toMatchObject({
    state: 'degraded',
    fleet: 'ok',
  });
});

test('an inspection names each subject that a judgement counts', async () => {
  const subject = (id: string) => ({ kind: 'PLANT_FAILS', facts: { plant_id: id }, sentence: id });
  const subjects = [subject('a'), subject('b')];
  const failing = part('plants', async () => ({ ...away, state: 'degraded', subjects }));
  const { findings } = await inspect([failing], look());
  expect(findings.map(({ kind, facts }) => [kind, facts?.['plant_id']])).toEqual([
    ['PLANT_FAILS', 'a'],
    ['PLANT_FAILS', 'b'],
  ]);
  expect((await diagnose([failing], look())).findings).toMatchObject([{ subjects }]);
});

test('a part that is not there is no finding', async () => {
  const none = part('none', async () => null);
  expect(await diagnose([none], look())).toMatchObject({ state: 'ok', findings: [] });
});

test('a fact is read once for all rules and views, and by facts that are made of it', async () => {
  let reads = 0;
  const fact: Fact<number> = async () => (reads += 1);
  const twice: Fact<number> = async (_, lookAgain) => 2 * valueOf(await lookAgain(fact));
  const reading = look();
  const answers = await Promise.all([reading(fact), reading(twice), reading(fact)]);
  expect(answers.map(valueOf)).toEqual([1, 2, 1]);
});

test('a fact that hangs is away in time, and says why to its caller only', async () => {
  const told: unknown[] = [];
  const reading = createLook(services, 20, (error) => told.push(error));
  const answer = await reading(() => new Promise<never>(() => {}));
  expect(answer).toMatchObject({ isAway: true, error: { name: 'NoAnswer' } });
  expect(told).toMatchObject([{ message: 'no answer within 0.02 s' }]);
  expect(() => valueOf(answer)).toThrow('no answer');
});

test('an inspection that two components share is told once, and what is well not at all', async () => {
  const inspection = async () => ({
    counts: { plants: 2 },
    summary: '2 plants',
    judgements: [
      { ...away, kind: 'LOOP_MISSING', facts: { plant_id: 'a' } },
      { ...away, kind: 'LOOP_MISSING', facts: { plant_id: 'b' } },
    ],
  });
  const inspected = [good, weak].map((component) => ({ ...component, inspection }));
  const { inspections, findings } = await inspect([weak, good, ...inspected], look());
  expect(inspections).toMatchObject([{ summary: '2 plants' }]);
  expect(findings.map(({ component, facts }) => [component, facts?.['plant_id']])).toEqual([
    ['weak', undefined],
    ['good', 'a'],
    ['good', 'b'],
  ]);
});

test('an inspection that cannot be made is an error, never a clean bill', async () => {
  const inspection = () => Promise.reject(new Error('refused'));
  await expect(inspect([{ ...good, inspection }], look())).rejects.toThrow('refused');
});
