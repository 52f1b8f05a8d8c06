import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { pauseSignal, pollWorkflowId, resumeSignal } from '../../workflows/plants/messages.ts';
import type { ChaosPlant } from './draw-fleet.ts';
import { latenessOf, recoveredBelowMs } from './lateness.ts';
import { patiently, readRows, readSlots } from './ledger.ts';
import { foreignCores, foreignCoresMax, readLoad } from './load.ts';
import { type FromWorker, vendorKey } from './messages.ts';
import { type FaultOf, type Injector, pause, type Scene, within } from './scene.ts';
import { setVendors } from './stage.ts';

/** Faults that single plants or brands meet: a vendor hangs or lies, and one loop is flooded. */

/** So many local fetches in a row, cut by their budget, open a brand's breaker. */
const cutsToOpen = 3;
const senderPath = fileURLToPath(new URL('../support/send-signals.ts', import.meta.url));
const servedMsMax = 120_000;
const heardMsMax = 30_000;
const manualRowsMax = 3;
/** What was asked before a change of the vendor may be answered after it. */
const inFlightMs = 1_000;

/** Its answers come, but later than a local step waits: its polls go the regular way, and all of them are read. */
export const slowVendor: Injector<FaultOf<'VENDOR_SLOW'>> = async ({ brand, lastsS }, scene) => {
  const { stage, signal } = scene;
  const plantIds = stage.plants
    .filter((plant) => plant.brand === brand && plant.role === 'ORDINARY')
    .map((plant) => plant.id);
  const beganAtMs = Date.now();
  setVendors(stage, { slow: brand });
  await pause(lastsS, signal);
  setVendors(stage, { slow: null });
  const endedAtMs = Date.now();
  scene.note('brand', brand);
  return async () => {
    const rows = (await readRows(stage.db, beganAtMs, plantIds)).filter(
      ({ slotMs }) => slotMs >= beganAtMs + inFlightMs && slotMs < endedAtMs,
    );
    const failed = rows.filter((row) => row.outcome !== 'OK');
    scene.note('polls', rows.length);
    if (rows.length === 0) scene.problem(`no slot of ${brand} was due while it was slow`);
    if (failed.length > 0)
      scene.problem(
        `${failed.length} of ${rows.length} slots of the slow ${brand} ended as ${failed[0]?.outcome}`,
      );
  };
};

export const hangVendor: Injector<FaultOf<'VENDOR_HANGS'>> = async (fault, scene) => {
  const { stage, signal } = scene;
  const { posts, db } = stage;
  const { brand } = fault;
  const workers = await Promise.all(posts.map((post) => post.working()));
  const beganAtMs = Date.now();
  const loadBefore = readLoad();
  setVendors(stage, { hanging: brand });
  await pause(fault.lastsS, signal);
  setVendors(stage, { hanging: null });
  const endedAtMs = Date.now();
  const foreign = foreignCores(loadBefore, readLoad());
  scene.note('brand', brand);
  return async () => {
    // Of a brand that is slow meanwhile nobody expects that it is punctual.
    const others = punctualPlants(stage.plants).filter(
      (plant) => plant.brand !== brand && scene.served.includes(plant.brand),
    );
    const slots = await readSlots(db, others, beganAtMs, endedAtMs);
    const before = await scene.baselineOf(others);
    const during = latenessOf(slots, beganAtMs, endedAtMs);
    if (during === null) return scene.problem('no slot of another brand was due while it hung');
    scene.note('others_p99_ms', Math.round(during.p99Ms));
    scene.note('others_p99_ratio', ratio(during.p99Ms, before.p99Ms));
    scene.note('others_p50_ratio', ratio(during.p50Ms, before.p50Ms));
    await noteNeighbours(fault, scene, others, { beganAtMs, endedAtMs });
    const isLater = during.p99Ms >= recoveredBelowMs(before);
    if (isLater && foreign > foreignCoresMax)
      scene.note('not_judged', `${foreign.toFixed(1)} processors were busy with something else`);
    else if (isLater)
      scene.problem(
        `the other brands were late by ${Math.round(during.p99Ms)} ms (p99) while ${brand} hung, ${Math.round(before.p99Ms)} ms before`,
      );
    const reports = workers.flatMap((worker) => worker.reports);
    judgeBreaker(scene, reports, brand, beganAtMs);
  };
};

/** The brands that share their worker's process with the one that hung. */
async function noteNeighbours(
  { brand }: FaultOf<'VENDOR_HANGS'>,
  scene: Scene,
  others: readonly ChaosPlant[],
  { beganAtMs, endedAtMs }: { beganAtMs: number; endedAtMs: number },
): Promise<void> {
  const served = scene.stage.layout.find((brands) => brands.includes(brand)) ?? [];
  const neighbours = others.filter((plant) => served.includes(plant.brand));
  const slots = await readSlots(scene.stage.db, neighbours, beganAtMs, endedAtMs);
  const before = await scene.baselineOf(neighbours);
  const during = latenessOf(slots, beganAtMs, endedAtMs);
  scene.note('neighbours_p99_ratio', ratio(during?.p99Ms ?? Infinity, before.p99Ms));
}

function judgeBreaker(
  scene: Scene,
  reports: readonly FromWorker[],
  brand: string,
  beganAtMs: number,
): void {
  const held = reports.filter(
    (one): one is Extract<FromWorker, { kind: 'HELD' }> =>
      one.kind === 'HELD' && one.brand === brand && one.beganAtMs >= beganAtMs,
  );
  if (held.length === 0) return scene.problem(`nobody asked ${brand} while it hung`);
  const local = held.filter((one) => one.path === 'LOCAL' && one.cut);
  const openedAtMs = local.map((one) => one.endedAtMs).sort((a, b) => a - b)[cutsToOpen - 1];
  const later = local.filter((one) => one.beganAtMs > (openedAtMs ?? Infinity));
  scene.note('held_locally', local.length);
  scene.note('held_regularly', held.length - local.length);
  // Only local calls hold a workflow task and count for the breaker; polls in steps make none.
  const isLocal = scene.stage.config.POLL_COURSE === 'whole';
  if (isLocal && openedAtMs === undefined)
    scene.problem(`the breaker of ${brand} had no reason to open`);
  if (later.length > 0)
    scene.problem(`${later.length} workflow tasks were held after the breaker had opened`);
}

function ratio(value: number, before: number): number {
  return Math.round((100 * value) / Math.max(1, before)) / 100;
}

/** Whose lateness says something: vendors that refuse are asked again within a poll, and refused accounts are paused. */
export function punctualPlants(plants: readonly ChaosPlant[]): ChaosPlant[] {
  return plants.filter((plant) => plant.role !== 'REFUSED');
}

export const feedHostileBodies: Injector<FaultOf<'HOSTILE_BODIES'>> = async (fault, scene) => {
  const { stage, signal } = scene;
  const { posts, db, plants } = stage;
  const targets = new Map(fault.bodies.map(({ plantId, body }) => [plantId, body]));
  const hostile = Object.fromEntries(
    plants.flatMap(({ id, brand, vendor_plant_id }) => {
      const body = targets.get(id);
      return body === undefined ? [] : [[vendorKey(brand, vendor_plant_id), body]];
    }),
  );
  const workers = await Promise.all(posts.map((post) => post.working()));
  const beganAtMs = Date.now();
  setVendors(stage, { hostile });
  await pause(fault.lastsS, signal);
  setVendors(stage, { hostile: {} });
  const endedAtMs = Date.now();
  return async () => {
    const rows = (await readRows(db, beganAtMs)).filter((row) => row.slotMs < endedAtMs);
    for (const [plantId, body] of targets) {
      const own = rows.filter(
        (row) =>
          row.plantId === plantId &&
          (row.startedAtMs ?? 0) >= beganAtMs + inFlightMs &&
          (row.startedAtMs ?? Infinity) < endedAtMs - inFlightMs,
      );
      const told = own.map((row) => row.errorType ?? row.outcome);
      if (own.length === 0)
        scene.problem(`${plantId} was not polled while its answers were ${body}`);
      else if (told.some((one) => one !== 'INVALID_DATA_FORMAT'))
        scene.problem(`${body} to ${plantId} ended as ${told.join(', ')}`);
    }
    const bystanders = new Set(
      plants
        .filter((plant) => plant.role === 'ORDINARY' && scene.served.includes(plant.brand))
        .map((plant) => plant.id),
    );
    const touched = rows.filter(
      (row) => bystanders.has(row.plantId) && !targets.has(row.plantId) && row.outcome !== 'OK',
    );
    scene.note('bodies', targets.size);
    if (touched.length > 0)
      scene.problem(`${touched.length} polls of other plants were not OK: ${touched[0]?.plantId}`);
    if (workers.some(({ reports }) => reports.some((one) => one.kind === 'POLLUTED')))
      scene.problem("a vendor's body has reached the prototype of all objects");
    const now = await Promise.all(posts.map((post) => post.working()));
    if (now.some((worker, n) => worker !== workers[n])) scene.problem('a worker did not survive');
  };
};

export const floodWithSignals: Injector<FaultOf<'SIGNAL_BURST'>> = async (fault, scene) => {
  const { stage, signal } = scene;
  const { client, config, db } = stage;
  const { plantId } = fault;
  const handle = client.workflow.getHandle(pollWorkflowId(plantId));
  const beganAtMs = Date.now();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      senderPath,
      config.TEMPORAL_ADDRESS ?? '',
      config.TEMPORAL_NAMESPACE,
      handle.workflowId,
      'pollNow',
      String(fault.signals),
      String(fault.atOnce),
    ],
    { signal },
  );
  const { accepted, refused, lastSentAtMs } = JSON.parse(stdout) as {
    accepted: number;
    refused: string | null;
    lastSentAtMs: number;
  };
  scene.note('signals', accepted);
  scene.note('signals_per_s', Math.round((1_000 * accepted) / (Date.now() - beganAtMs)));
  if (accepted !== fault.signals)
    scene.problem(`${accepted} of ${fault.signals} signals were accepted: ${refused}`);
  const served = await within(servedMsMax, signal, async () =>
    (await readRows(db, beganAtMs, [plantId])).find(
      (row) => (row.startedAtMs ?? 0) >= lastSentAtMs,
    ),
  );
  if (served?.outcome !== 'OK')
    scene.problem(`no poll that began after the last signal is OK: ${served?.outcome ?? 'none'}`);
  const statusIs = (status: string) => async () =>
    (
      await patiently(() =>
        db
          .selectFrom('plants')
          .select('integration_status')
          .where('id', '=', plantId)
          .executeTakeFirstOrThrow(),
      )
    ).integration_status === status;
  await handle.signal(pauseSignal);
  if ((await within(heardMsMax, signal, statusIs('DISABLED_BY_OPERATOR'))) === null)
    scene.problem('pause was not heard after the burst');
  // Whatever was asked for before the pause has its row by now.
  const polls = await readRows(db, beganAtMs, [plantId]);
  const rows = polls.filter((row) => row.trigger === 'MANUAL');
  scene.note('rows', rows.length);
  // A slot that comes up in the burst serves the requests as well.
  if (polls.every((row) => row.requestedAtMs === null)) scene.problem('nobody heard the signals');
  if (rows.length > manualRowsMax)
    scene.problem(`the burst made ${rows.length} rows, ${manualRowsMax} are allowed`);
  await handle.signal(resumeSignal);
  if ((await within(heardMsMax, signal, statusIs('ACTIVE'))) === null)
    scene.problem('resume was not heard after the burst');
  return null;
};
