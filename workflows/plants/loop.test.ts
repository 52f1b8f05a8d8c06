import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { PollCourse } from '../../activities/plants/contract.ts';
import type { IntegrationStatus } from '../../domain/plants/plant.ts';
import { type LoopEffects, PlantLoop, type Turn } from './loop.ts';
import type { MonitorInput, PollAnswer } from './messages.ts';
import { NotBegun, type PollEnd, type PollRequest } from './poll.ts';

/** The loop over effects that a test gives, without Temporal. */

const intervalMs = 10_000;
const beginsMs = 1_700_000_000_000;

/** A plant, its clock, and what the loop did with it. */
class World implements LoopEffects {
  clockMs = beginsMs;
  status: IntegrationStatus = 'ACTIVE';
  revision = 1;
  lastSlotMs = beginsMs - intervalMs;
  course: PollCourse = 'WHOLE';
  polls: PollRequest[] = [];
  missed: number[] = [];
  wished: IntegrationStatus[] = [];
  evaluated = 0;
  lookedAtMs = -Infinity;
  /** What happens while an effect takes its time. */
  meanwhile: () => void = () => {};
  failPoll: () => Error | null = () => null;

  nowMs(): number {
    return this.clockMs;
  }
  random(): number {
    return 0.5;
  }
  pass(ms: number): void {
    this.clockMs += ms;
    this.meanwhile();
  }
  async sleep(ms: number): Promise<void> {
    this.pass(ms);
  }
  async waitUntil(holds: () => boolean, ms: number): Promise<void> {
    for (let n = 0; n < 4 && !holds(); n += 1) this.pass(ms / 4);
  }
  async planPlant() {
    const { status: integrationStatus, revision, lastSlotMs } = this;
    this.lookedAtMs = this.clockMs;
    this.pass(5);
    return {
      kind: 'PLAN' as const,
      name: 'Canal House',
      brand: 'SOLIS' as const,
      integrationStatus,
      revision,
      intervalMs,
      phaseMs: 0,
      lastSlotMs,
      periodFromMs: 0,
      startDue: false,
      nextClosing: null,
      missedClosings: [],
    };
  }
  async evaluatePlant({ closing }: Parameters<LoopEffects['evaluatePlant']>[0]) {
    if (closing !== null) this.evaluated += 1;
    const standing = this.standing();
    this.pass(5);
    return standing;
  }
  async setIntegration({ to }: Parameters<LoopEffects['setIntegration']>[0]): Promise<void> {
    this.wished.push(to);
    if (this.status !== to) this.revision += 1;
    this.status = to;
    this.pass(5);
  }
  async writeMissed({ rows }: Parameters<LoopEffects['writeMissed']>[0]): Promise<void> {
    for (let ms = rows?.fromMs ?? Infinity; ms <= (rows?.toMs ?? 0); ms += intervalMs)
      this.missed.push(ms);
  }
  async poll(request: PollRequest): Promise<PollEnd | null> {
    if (request.isPostponed && request.course === 'WHOLE') return null;
    const error = this.failPoll();
    if (error !== null) throw error;
    this.polls.push(request);
    const startedAtMs = this.clockMs;
    this.pass(40);
    this.lastSlotMs = request.slotMs;
    const answer = { outcome: 'OK', scheduled_for: String(startedAtMs) } as PollAnswer;
    return { answer, standing: this.standing(), endedAtMs: this.clockMs };
  }
  async startClosing(): Promise<void> {}
  showDetails(): void {}
  showStatus(): void {}
  isHistoryLong(): boolean {
    return false;
  }
  areHandlersFinished(): boolean {
    return true;
  }
  standing() {
    return {
      status: 'GREEN' as const,
      statusReason: 'SEEN_RECENTLY' as const,
      statusSinceMs: 0,
      lastSeenAtMs: null,
      openAlerts: 0,
      revision: this.revision,
      ...(this.course === 'STEPS' ? { course: 'STEPS' as const } : {}),
    };
  }
}

const input = (changes: Partial<MonitorInput> = {}): MonitorInput => ({
  v: 2,
  plantId: 'canal',
  brand: 'SOLIS',
  ...changes,
});

/** Turns until the loop waits, or until another end of a turn. */
async function untilEnd(loop: PlantLoop): Promise<Turn> {
  for (let n = 0; n < 50; n += 1) {
    const turn = await loop.turn();
    if (turn.kind !== 'DONE') return turn;
  }
  throw new Error('the loop turns without an end');
}

describe('the course of polls', () => {
  test('is the setting that a first run hears before its first poll, and stays for the run', async () => {
    const world = new World();
    world.course = 'STEPS';
    const loop = new PlantLoop(input({ pollsPerRun: 2 }), world);
    await untilEnd(loop);
    world.course = 'WHOLE';
    let turn = await untilEnd(loop);
    while (turn.kind === 'WAIT') {
      world.clockMs = turn.untilMs ?? Infinity;
      turn = await untilEnd(loop);
    }
    expect(world.polls.map(({ course, path }) => [course, path])).toEqual([
      ['STEPS', 'REGULAR'],
      ['STEPS', 'REGULAR'],
    ]);
    expect(turn).toMatchObject({ kind: 'NEW_RUN', input: { v: 2, course: 'WHOLE' } });
  });

  test('in steps writes the older slots as MISSED before the poll, and again where that failed', async () => {
    const world = new World();
    world.course = 'STEPS';
    world.lastSlotMs -= 3 * intervalMs;
    const loop = new PlantLoop(input(), world);
    const { writeMissed } = world;
    world.writeMissed = () => Promise.reject(new Error('a constraint'));
    await expect(untilEnd(loop)).rejects.toThrow('a constraint');
    world.writeMissed = writeMissed;
    await untilEnd(loop);
    expect(world.missed).toEqual([-3, -2, -1].map((n) => beginsMs + n * intervalMs));
    expect(world.polls).toMatchObject([{ slotMs: beginsMs, missed: null }]);
  });
});

test('a poll that could not begin leaves its slot due and its request waiting', async () => {
  const world = new World();
  const loop = new PlantLoop(input({ course: 'WHOLE' }), world);
  const request = loop.ask();
  world.failPoll = () => new NotBegun('missed slots could not be written');
  await expect(untilEnd(loop)).rejects.toThrow(NotBegun);
  expect(loop.isServed(request)).toBe(false);
  world.failPoll = () => null;
  await untilEnd(loop);
  expect(loop.isServed(request)).toBe(true);
  expect(world.polls[0]).toMatchObject({ slotMs: beginsMs, requestedAtMs: beginsMs });
});

test('property: no message is lost, whenever it comes, and a request is served by a poll that began after it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
      fc.constantFrom<PollCourse | undefined>('WHOLE', 'STEPS', undefined),
      async (stream, course) => {
        const world = new World();
        let loop = new PlantLoop(input({ pollsPerRun: 2, ...(course && { course }) }), world);
        const draw = () => stream.next().value;
        const asked: { request: number; atMs: number }[] = [];
        let [wish, changedAtMs, verdicts, messages] = ['', -Infinity, 0, 0];
        world.meanwhile = () => {
          const drawn = draw();
          if (drawn < 70 || (messages += 1) > 60) return;
          if (drawn < 76) asked.push({ request: loop.ask(), atMs: world.clockMs });
          else if (drawn < 86) {
            wish = drawn < 82 ? 'ACTIVE' : 'DISABLED_BY_OPERATOR';
            loop.wishIntegration(wish as 'ACTIVE' | 'DISABLED_BY_OPERATOR');
          } else if (drawn < 92) {
            world.revision += 1;
            changedAtMs = world.clockMs;
            loop.lookAgain();
          } else if (drawn < 96) {
            verdicts += 1;
            loop.takeVerdict({ date: '2026-06-01', severity: null, note: '' } as never);
          } else world.course = world.course === 'WHOLE' ? 'STEPS' : 'WHOLE';
        };
        for (let n = 0; n < 200; n += 1) {
          const turn = await loop.turn();
          for (const one of asked.filter(({ request }) => loop.isServed(request))) {
            asked.splice(asked.indexOf(one), 1);
            if (loop.answer !== null)
              expect(Number(loop.answer.scheduled_for)).toBeGreaterThanOrEqual(one.atMs);
          }
          if (turn.kind === 'NEW_RUN') {
            expect([asked.length, loop.hasWork()]).toEqual([0, false]);
            const courses = new Set(world.polls.splice(0).map((poll) => poll.course));
            expect(courses.size).toBeLessThanOrEqual(1);
            loop = new PlantLoop(structuredClone(turn.input), world);
          }
          if (turn.kind !== 'WAIT' || loop.hasWork()) continue;
          expect(world.evaluated).toBe(verdicts);
          expect(world.wished.at(-1) ?? '').toBe(wish);
          expect(world.lookedAtMs).toBeGreaterThanOrEqual(changedAtMs);
          world.clockMs = Math.max(world.clockMs, turn.untilMs ?? world.clockMs + intervalMs);
          world.meanwhile();
        }
      },
    ),
    { numRuns: 200 },
  );
});
