import { readFileSync } from 'node:fs';

import { lastSlotAtOrBefore, nextSlotAfter } from '../../domain/slots.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import { claimed, nextAttemptMsMax } from '../support/promises.ts';
import { gridOf } from './draw-fleet.ts';
import { countChanged, readRows, readRowTexts, rowKey } from './ledger.ts';
import type { FromWorker } from './messages.ts';
import { type FaultOf, type Injector, pause, type Scene, within } from './scene.ts';
import type { KillKind } from './schedule.ts';
import type { WorkerPost, WorkerProcess } from './worker-post.ts';

/** Faults of the worker: it dies at a point of a poll, stands still, is away. */

/** From a frozen worker's standstill to the moment when somebody has another one started. */
const noticedAfterS = 1;
/** A poll that died had begun by then. */
const inFlightMs = 2_000;
/** A loop wakes at most so long before its slot. */
const loopsAheadMs = 3_000;
const takenOverMsMax = 60_000;
/** The woken worker's other steps end as well. */
const wokenS = 2;
const slotsAbsent = 20;
/** Of a plant that is polled every second: two intervals. */
const lockMs = 2_000;

/** The post of the fault's worker. */
function postOf({ stage }: Scene, { post }: { post: number }): WorkerPost {
  const found = stage.posts[post];
  if (found === undefined) throw new Error(`there is no worker ${post}`);
  return found;
}

export const killWorker: Injector<FaultOf<KillKind>> = async (fault, scene) => {
  const { at, plants } = fault;
  const { stage } = scene;
  // Polls in steps have no local path.
  const path = stage.config.POLL_COURSE === 'steps' ? 'REGULAR' : fault.path;
  const post = postOf(scene, fault);
  const worker = await post.working();
  post.expectEnd(worker);
  await worker.arm({ kind: 'DIE', at, path, plants });
  const dies = await worker.first('DIES');
  post.watch(dies.workflowIds);
  const { signal, atMs: diedAtMs } = await worker.ended;
  if (signal !== 'SIGKILL') scene.problem(`the worker was not killed but ended with ${signal}`);
  if (dies.paths.some((one) => one !== path))
    scene.problem(`the loops stood on other paths than ${path}: ${dies.paths.join(', ')}`);
  scene.note('at', `${at}, ${path.toLowerCase()}`);
  scene.note('loops', dies.workflowIds.length);
  return async () => {
    const { reports } = await post.working();
    const waitedMs: number[] = [];
    for (const workflowId of dies.workflowIds) {
      const passes = reports.filter(
        (one): one is Extract<FromWorker, { kind: 'PASSED' }> =>
          one.kind === 'PASSED' && one.workflowId === workflowId,
      );
      const end = passes.findIndex((pass) => pass.name === 'after ledger commit');
      const [first] = passes;
      if (first === undefined || end < 0) {
        scene.problem(`${workflowId} did not finish the poll in which its worker died`);
        continue;
      }
      waitedMs.push(first.atMs - diedAtMs);
      const plant = stage.plants.find(({ id }) => pollWorkflowId(id) === workflowId);
      if (plant === undefined) throw new Error(`${workflowId} is the loop of no plant`);
      // Where the next slot has come meanwhile, that one is polled.
      const isSameSlot = nextSlotAfter(gridOf(plant), diedAtMs) > first.atMs + loopsAheadMs;
      const asked = passes.slice(0, end).some((pass) => pass.name === 'before vendor call');
      if (asked && isSameSlot && claimed.has(at))
        scene.problem(`the vendor of ${workflowId} was asked again for a slot that was booked`);
    }
    post.watch([]);
    const plantIds = stage.plants
      .map((plant) => plant.id)
      .filter((id) => dies.workflowIds.includes(pollWorkflowId(id)));
    const locked = (await readRows(stage.db, diedAtMs - inFlightMs, plantIds)).filter(
      (row) => row.outcome === 'SKIPPED_LOCKED',
    );
    if (locked.length > 0)
      scene.problem(`${locked.length} polls were refused by the lock of the worker that died`);
    const longestMs = Math.max(0, ...waitedMs);
    scene.note('next_attempt_ms', longestMs);
    if (longestMs > nextAttemptMsMax[path])
      scene.problem(
        `the next attempt came ${longestMs} ms after the death, ${nextAttemptMsMax[path]} ms are allowed on the ${path.toLowerCase()} path`,
      );
  };
};

export const freezeWorker: Injector<FaultOf<'WORKER_FROZEN'>> = async (fault, scene) => {
  const { stage, signal } = scene;
  const { db } = stage;
  const post = postOf(scene, fault);
  const frozen = await post.working();
  const often = stage.plants.filter((plant) => plant.role === 'EVERY_SECOND');
  const plantIds = often.map((plant) => plant.id);
  const before = stage.config.POLL_COURSE === 'steps' ? 'alerts' : 'whole';
  await frozen.arm({ kind: 'STOP', before, plantIds });
  const { plantId } = await frozen.first('STOPS');
  const stands = await within(5_000, signal, async () => stateOf(frozen) === 'T');
  if (stands === null) scene.problem('the worker did not stand still');
  const frozenAtMs = Date.now();
  post.dismiss(frozen);
  await pause(noticedAfterS, signal);
  const second = await post.start();
  await pause(Math.max(0, fault.lastsS - (Date.now() - frozenAtMs) / 1_000), signal);
  const taken = await within(takenOverMsMax, signal, async () => {
    const rows = await readRows(db, frozenAtMs, [plantId ?? '']);
    return rows.filter((row) => row.outcome === 'OK').length >= 2;
  });
  if (taken === null) scene.problem(`worker ${second.pid} did not take over the plant ${plantId}`);
  scene.note('frozen_ms', Date.now() - frozenAtMs);
  if (Date.now() - frozenAtMs < lockMs)
    scene.problem('the worker did not stand still for longer than its lock lives');
  const rows = await readRowTexts(db);
  frozen.child.kill('SIGCONT');
  const late = await frozen.first('WROTE_LATE');
  judgeLateWrite(scene, late, plantId ?? '', rows, frozenAtMs);
  await pause(wokenS, signal);
  const changed = await countChanged(db, rows);
  if (changed > 0) scene.problem(`${changed} rows are not as they were before the worker woke`);
  await frozen.stop();
  return null;
};

/**
 * What was taken over is nothing to the late writer. One statement may hold polls of other plants as well, and of those that
 * nobody has polled since it is the first to write: that is a poll that ended late, and no more.
 */
function judgeLateWrite(
  scene: Scene,
  late: Extract<FromWorker, { kind: 'WROTE_LATE' }>,
  takenOver: string,
  before: ReadonlyMap<string, string>,
  frozenAtMs: number,
): void {
  scene.note('late_rows', late.rowCount ?? 0);
  const polledSince = new Set([takenOver]);
  for (const plant of scene.stage.plants) {
    const grid = gridOf(plant);
    const slotMs = lastSlotAtOrBefore(grid, frozenAtMs);
    if (
      before.has(rowKey(plant.id, slotMs)) ||
      before.has(rowKey(plant.id, slotMs + grid.intervalMs))
    )
      polledSince.add(plant.id);
  }
  const wrongly = late.plantIds.filter((id) => polledSince.has(id));
  if (wrongly.length > 0)
    scene.problem(`the late write changed ${wrongly.join(', ')}, which others had polled since`);
  if (late.plantIds.length === 0 && late.rowCount !== 0)
    scene.problem(`the late write changed ${late.rowCount} rows`);
}

/** The state of the process as the kernel tells it: T is stopped. */
function stateOf({ pid }: WorkerProcess): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}

export const leavePost: Injector<FaultOf<'WORKER_ABSENT'>> = async (fault, scene) => {
  const { stage, signal } = scene;
  const { db } = stage;
  const post = postOf(scene, fault);
  const plants = stage.plants.filter((plant) => scene.served.includes(plant.brand));
  const plantIds = plants.map((plant) => plant.id);
  const worker = await post.working();
  post.dismiss(worker);
  if (fault.signal === 'SIGKILL') worker.child.kill('SIGKILL');
  else await worker.stop();
  await worker.ended;
  const leftAtMs = Date.now();
  scene.note('by', fault.signal);
  await pause(fault.lastsS, signal);
  const returnsAtMs = Date.now();
  await post.start();
  return async () => {
    const since = (await readRows(db, leftAtMs, plantIds)).filter(
      (row) => row.trigger !== 'MANUAL' && row.trigger !== 'START',
    );
    const rows = since.filter((row) => row.slotMs <= returnsAtMs);
    const isPolled = (row: (typeof rows)[number]) => row.outcome !== 'MISSED';
    for (const { id, role } of plants) {
      const own = rows.filter((row) => row.plantId === id);
      const polled = own.filter(isPolled).length;
      if (polled > 1)
        scene.problem(`${id} was polled ${polled} times for the slots of the absence`);
      const isBack = since.some((row) => row.plantId === id && isPolled(row));
      if (own.length > 0 && !isBack) scene.problem(`${id} was not polled after the absence`);
      if (role === 'EVERY_SECOND' && own.length < slotsAbsent)
        scene.problem(
          `only ${own.length} slots of ${id} have a row for the absence, ${slotsAbsent} were meant`,
        );
    }
    scene.note('missed', rows.length - rows.filter(isPolled).length);
  };
};
