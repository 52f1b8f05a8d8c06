import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { audit } from '../../operations/plants/check.ts';
import type { Config } from '../../environment/config.ts';
import { openLocks } from '../../environment/locks.ts';
import { type Brand, brands } from '../../domain/plants/plant.ts';
import { createTestApi } from '../support/api.ts';
import { placesOf, placesWith } from '../support/secrets.ts';
import { type ChaosPlant, drawFleet, ordinaryIntervalS } from './draw-fleet.ts';
import { inject } from './faults.ts';
import { type GatewayTrack, openGatewayTrack } from './gateways/track.ts';
import { type Lateness, latenessOf, recoveredAtMs, recoveredBelowMs } from './lateness.ts';
import { foreignCores, foreignCoresMax, type LoadReading, readLoad } from './load.ts';
import { countUnsettled, patiently, readRows, readSlots } from './ledger.ts';
import { type ChaosReportFile, explain, type FaultReport, judge, type Span } from './report.ts';
import { pause, type Scene, within } from './scene.ts';
import {
  type Act,
  drawSchedule,
  type FaultKind,
  fullMinutes,
  type PlannedFault,
} from './schedule.ts';
import { setStage, type Stage } from './stage.ts';
import { punctualPlants } from './vendor-faults.ts';

export interface RunOptions {
  seed: string;
  minutes: number;
  plants: number;
  course: Config['POLL_COURSE'];
  say: (line: string) => void;
  signal: AbortSignal;
}

/** A first poll fills the gaps of three days; 1,000 plants have it in half a minute. */
const startMsMax = 180_000;
/** What is usual is measured for so long; a short run cannot spare as much. */
const baselineS = { full: 20, short: 12 };
/** It begins when the fleet has been so punctual for a window, or after so long. */
const calmBelowMs = 200;
const calmMsMax = 30_000;
/** Behind now, so that polls that have begun have their rows. */
const graceMs = 3_000;
const lookPauseMs = 1_000;
/** A fleet that is late for longer than this has not recovered. */
const recoveryMsMax = 90_000;
/** While the machine is busy with something else, nothing can be learnt from waiting. */
const recoveryMsMaxBusy = 40_000;
/** The plants that are polled every second may be late for a slot that was due just before. */
const feltBeforeMs = 2_000;
const settleMsMin = 60_000;
const mainPath = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
/** What people read at the terminal. */
const commands = [
  ['plants', 'list', '--json'],
  ['alerts', 'list', '--json'],
  ['status', '--json'],
];

/** Only these make polls fail. */
const vendorFaults: ReadonlySet<string> = new Set([
  'VENDOR_HANGS',
  'VENDOR_SLOW',
  'HOSTILE_BODIES',
] satisfies FaultKind[]);

const apiPaths = ['/plants?limit=200', '/alerts'];

interface Run extends RunOptions {
  stage: Stage;
  fleet: readonly ChaosPlant[];
  /** What was usual before anything happened. */
  baseline: Lateness;
  baselineFromMs: number;
  baselineToMs: number;
  beganAtMs: number;
  spans: Span[];
  faults: FaultReport[];
  /** Targets of bursts: they were paused for a moment, and their slots are not what the grid says. */
  flooded: Set<string>;
}

/** Plays the schedule of a seed on a stack of its own, and checks everything in the end. */
export async function runChaos(options: RunOptions): Promise<ChaosReportFile> {
  const { seed, minutes, course, say, signal } = options;
  const fleet = drawFleet(seed, options.plants);
  const schedule = drawSchedule(seed, minutes, fleet);
  say(`bringing up a stack of its own, ${fleet.length} plants`);
  const { layout } = schedule;
  const stage = await setStage({ seed, plants: fleet, layout, course, say, signal });
  let isGood = false;
  let track: GatewayTrack | null = null;
  try {
    const startedAtMs = Date.now();
    const { db, env } = stage;
    track = await openGatewayTrack({ db, env, seed, minutes, say, signal });
    await Promise.all(stage.posts.map((post) => post.start()));
    await track.start();
    const run = await measureBaseline(options, stage, fleet, startedAtMs);
    const playActs = async () => {
      for (const [n, act] of schedule.acts.entries()) {
        const dueInMs = run.beganAtMs + act.startsAtS * 1_000 - Date.now();
        if (dueInMs > 0) await delay(dueInMs, undefined, { signal });
        await play(run, act, `${n + 1} of ${schedule.acts.length}`);
      }
    };
    await Promise.all([playActs(), track.play()]);
    const playedS = Math.round((Date.now() - run.beganAtMs) / 1_000);
    const found = await check(run);
    const gateways = await track.check();
    const report = { ...found, gateways, left_out: schedule.leftOut, played_s: playedS };
    const sentences = judge(report);
    isGood = sentences.length === 0;
    return { ...report, sentences };
  } finally {
    if (!isGood && !signal.aborted) say(`the logs are kept in ${stage.dataDir}`);
    await track?.close();
    await stage.close({ keepsLogs: !isGood && !signal.aborted });
  }
}

async function measureBaseline(
  options: RunOptions,
  stage: Stage,
  fleet: readonly ChaosPlant[],
  startedAtMs: number,
): Promise<Run> {
  const { say, signal, minutes } = options;
  say('waiting for the first poll of every plant');
  const started = await within(
    startMsMax,
    signal,
    async () => (await countUnsettled(stage.db, startedAtMs)) === 0,
  );
  if (started === null) throw new Error(`not every plant was polled in ${startMsMax / 1_000} s`);
  // Loops and caches are warm when the fleet has been punctual for a while; a busy machine is measured as it is.
  const calmFromMs = Date.now();
  await within(calmMsMax, signal, async () => {
    const toMs = Date.now() - graceMs;
    const slots = await readSlots(stage.db, punctualPlants(fleet), calmFromMs, toMs);
    return recoveredAtMs(slots, calmFromMs, toMs, calmBelowMs) !== null;
  });
  const lastsS = minutes < fullMinutes ? baselineS.short : baselineS.full;
  say(`measuring for ${lastsS} s what is usual`);
  const fromMs = Date.now();
  await pause(lastsS + graceMs / 1_000, signal);
  const toMs = fromMs + lastsS * 1_000;
  const slots = await readSlots(stage.db, punctualPlants(fleet), fromMs, toMs);
  const baseline = latenessOf(slots, fromMs, toMs);
  if (baseline === null) throw new Error('no slot was due while nothing happened');
  say(`  lateness p50 ${Math.round(baseline.p50Ms)} ms, p99 ${Math.round(baseline.p99Ms)} ms`);
  return {
    ...options,
    stage,
    fleet,
    baseline,
    baselineFromMs: fromMs,
    baselineToMs: toMs,
    beganAtMs: Date.now(),
    spans: [{ name: 'START', fromMs: 0, toMs: fromMs, isFeltBy: () => true }],
    faults: [],
    flooded: new Set(),
  };
}

async function play(run: Run, act: Act, which: string): Promise<void> {
  const ailing = act.faults.filter(
    (fault) => fault.kind === 'VENDOR_HANGS' || fault.kind === 'VENDOR_SLOW',
  );
  await Promise.all(
    act.faults.map(async (fault) => {
      await pause(fault.afterS, run.signal);
      const served = 'post' in fault ? (run.stage.layout[fault.post] ?? []) : brands;
      // Nobody expects a brand to be punctual that hangs or is slow; all others must be.
      const felt = served.filter(
        (brand) => !ailing.some((other) => other !== fault && other.brand === brand),
      );
      await playFault(run, fault, { which, felt, quietS: act.quietS });
    }),
  );
}

async function playFault(
  run: Run,
  fault: PlannedFault,
  { which, felt, quietS }: { which: string; felt: readonly Brand[]; quietS: number },
): Promise<void> {
  const { signal, say } = run;
  const startedAtMs = Date.now();
  const at_s = Math.round((startedAtMs - run.beganAtMs) / 1_000);
  const report: FaultReport = {
    kind: fault.kind,
    at_s,
    lasted_s: 0,
    recovery_s: null,
    foreign_cores: 0,
    notes: {},
    problems: [],
  };
  run.faults.push(report);
  if (fault.kind === 'SIGNAL_BURST') run.flooded.add(fault.plantId);
  say(`${at_s} s: ${fault.kind} (act ${which})`);
  const scene = sceneOf(run, report, felt);
  const span: Span = {
    name: fault.kind,
    fromMs: startedAtMs - feltBeforeMs,
    toMs: Infinity,
    isFeltBy: (plantId) => {
      const brand = brandOf(run, plantId);
      return brand !== undefined && felt.includes(brand) && isTarget(run, fault, plantId);
    },
  };
  run.spans.push(span);
  const guarded = async <Result>(part: () => Promise<Result>): Promise<Result | null> => {
    try {
      return await part();
    } catch (error) {
      if (signal.aborted) throw error;
      scene.problem(
        `could not be played: ${error instanceof Error ? error.message : String(error)}`,
      );
      return null;
    }
  };
  const afterwards = await guarded(() => inject(fault, scene));
  const mendedAtMs = Date.now();
  report.lasted_s = (mendedAtMs - startedAtMs) / 1_000;
  const observed = punctualPlants(run.fleet).filter(
    (plant) => !run.flooded.has(plant.id) && felt.includes(plant.brand),
  );
  const loadBefore = readLoad();
  const recoveredMs = await untilRecovered(run, observed, mendedAtMs, loadBefore);
  report.foreign_cores = Math.round(100 * foreignCores(loadBefore, readLoad())) / 100;
  report.recovery_s = recoveredMs === null ? null : (recoveredMs - mendedAtMs) / 1_000;
  span.toMs = recoveredMs ?? Date.now();
  if (afterwards !== null) await guarded(afterwards);
  say(
    `  ${fault.kind} lasted ${report.lasted_s} s, ${report.recovery_s === null ? `and the fleet stayed late (${report.foreign_cores} processors were busy with something else)` : `recovered ${report.recovery_s} s after its end`}`,
  );
  for (const problem of report.problems) say(`  ${fault.kind}: ${problem}`);
  const quietMs = mendedAtMs + quietS * 1_000 - Date.now();
  if (quietMs > 0) await delay(quietMs, undefined, { signal });
}

function brandOf({ fleet }: Run, plantId: string): Brand | undefined {
  return fleet.find((plant) => plant.id === plantId)?.brand;
}

/** Whether the fault may be felt by this plant. */
function isTarget(run: Run, fault: PlannedFault, plantId: string): boolean {
  switch (fault.kind) {
    case 'VENDOR_HANGS':
    case 'VENDOR_SLOW':
      return brandOf(run, plantId) === fault.brand;
    case 'HOSTILE_BODIES':
      return fault.bodies.some((target) => target.plantId === plantId);
    // What is a second guard only is felt by nobody.
    case 'REDIS_KILLED':
    case 'REDIS_FLUSHED':
    case 'REDIS_PAUSED':
    case 'REDIS_READ_ONLY':
      return false;
    default:
      return true;
  }
}

function sceneOf(run: Run, report: FaultReport, served: readonly Brand[]): Scene {
  const { stage, signal, baselineFromMs, baselineToMs } = run;
  return {
    stage,
    signal,
    served,
    async baselineOf(plants) {
      const slots = await readSlots(stage.db, plants, baselineFromMs, baselineToMs);
      const lateness = latenessOf(slots, baselineFromMs, baselineToMs);
      if (lateness === null) throw new Error('no slot of these plants was due before');
      return lateness;
    },
    problem: (sentence) => void report.problems.push(sentence),
    note: (name, value) => void (report.notes[name] = value),
  };
}

/** The beginning of the first punctual window, as soon as it is over; null where none comes. */
async function untilRecovered(
  { stage, signal, baseline }: Run,
  plants: readonly ChaosPlant[],
  mendedAtMs: number,
  loadBefore: LoadReading,
): Promise<number | null> {
  const limitMs = recoveredBelowMs(baseline);
  for (;;) {
    const toMs = Date.now() - graceMs;
    const slots = await readSlots(stage.db, plants, mendedAtMs, toMs);
    const recovered = recoveredAtMs(slots, mendedAtMs, toMs, limitMs);
    if (recovered !== null) return recovered;
    const isBusy = foreignCores(loadBefore, readLoad()) > foreignCoresMax;
    if (Date.now() > mendedAtMs + (isBusy ? recoveryMsMaxBusy : recoveryMsMax)) return null;
    await delay(lookPauseMs, undefined, { signal });
  }
}

/** Everything that must hold in the end. */
async function check(
  run: Run,
): Promise<Omit<ChaosReportFile, 'sentences' | 'left_out' | 'played_s' | 'gateways'>> {
  const { stage, fleet, say, signal, baseline } = run;
  const { db, client, config, posts } = stage;
  const intervalS = ordinaryIntervalS(fleet.length);
  const toMs = Date.now();
  say('waiting until every plant has polled once more');
  await within(settleMsMin + 2_000 * intervalS, signal, async () => {
    return (await countUnsettled(db, toMs)) === 0;
  });
  const unsettled = await countUnsettled(db, toMs);
  say('checking the invariants');
  const locks = openLocks(config, () => {});
  const { counts, violations } = await patiently(() => audit({ db, client, locks, toMs })).finally(
    () => locks.close(),
  );
  const rows = (await readRows(db, 0)).filter(({ slotMs }) => slotMs < toMs);
  const missed = explain(
    rows.filter(({ outcome }) => outcome === 'MISSED'),
    run.spans,
  );
  const refused = new Set(fleet.flatMap(({ id, role }) => (role === 'REFUSED' ? [id] : [])));
  const failed = explain(
    rows.filter(
      ({ plantId, outcome }) =>
        (outcome === 'FAILED' || outcome === 'SKIPPED_LOCKED') && !refused.has(plantId),
    ),
    run.spans.filter(({ name }) => vendorFaults.has(name)),
  );
  say('waiting for the last messages');
  const messages = await stage.mails.settle(signal);
  say('searching for secrets');
  const canary = await searchForSecrets(stage);
  const pollsPerS = fleet.reduce((sum, plant) => sum + 1 / plant.intervalS, 0);
  return {
    seed: run.seed,
    minutes: run.minutes,
    plants: fleet.length,
    interval_s: intervalS,
    polls_per_s: Math.round(10 * pollsPerS) / 10,
    baseline,
    recovered_below_ms: recoveredBelowMs(baseline),
    faults: run.faults,
    slots: counts,
    missed_by_fault: missed.byFault,
    missed_without_fault: missed.without,
    failed_by_fault: failed.byFault,
    failed_without_fault: failed.without,
    violations,
    ended_by_themselves: posts.flatMap((post) => post.unexpected),
    canary,
    messages,
    unsettled,
  };
}

/** Every place into which a secret could have got. */
async function searchForSecrets(stage: Stage): Promise<ChaosReportFile['canary']> {
  const { db, client, redisUrl, env, dataDir, canary } = stage;
  const places = await placesOf({ db, client, redisUrl, redisKeyPrefix: '' });
  for (const args of commands)
    places.set(`heliograph ${args.join(' ')}`, await outputOf(args, env));
  for (const [path, answer] of await readApi(stage)) places.set(`API ${path}`, answer);
  for (const file of readdirSync(dataDir).filter((name) => name.includes('.log')))
    places.set(`log ${file}`, readFileSync(join(dataDir, file), 'utf8'));
  const workers = [...places].filter(([place]) => place.startsWith('log worker-'));
  const secrets = [canary, env['MASTER_KEY_CURRENT'] ?? ''];
  const hits = placesWith(secrets, places);
  // What is searched holds what it should hold, so that finding nothing says something.
  if (!workers.some(([, text]) => text.includes('worker started'))) hits.push('no log at all');
  return { places: places.size, hits };
}

/** What the API says of the fleet, and of plants whose vendors quote what they were sent. */
async function readApi({ db, client, plants }: Stage): Promise<[string, string][]> {
  const api = await createTestApi({ db, temporal: client, clock: Date.now });
  const refused = plants.filter(({ role }) => role === 'REFUSED').map(({ id }) => `/plants/${id}`);
  const answers: [string, string][] = [];
  try {
    for (const path of [...apiPaths, ...refused, ...refused.map((plant) => `${plant}/polls`)]) {
      const answer = await api.ask('operator@example.org', 'GET', `/api/v1${path}`);
      if (!answer.ok) throw new Error(`GET ${path} was answered ${answer.status}`);
      answers.push([path, await answer.text()]);
    }
  } finally {
    await api.close();
  }
  return answers;
}

/** Whatever the command's exit code: a status that tells of trouble is output as well. */
function outputOf(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [mainPath, ...args],
      { env, maxBuffer: 64 * 1024 * 1024 },
      (_, stdout, stderr) => resolve(stdout + stderr),
    );
  });
}
