import { ApplicationFailure } from '@temporalio/common';

import { discoverUnit, type UnitFound } from '../../adapters/modbus/discover.ts';
import { createSites, type ModbusSite, type Sites } from '../../adapters/modbus/site.ts';
import type { GatewayEntry } from '../../db/gateways/gateways.ts';
import type { WalkedGateway } from '../../db/gateways/walk.ts';
import type { GatewayDraft, GatewayUnit } from '../../domain/gateways/gateway.ts';
import type { Cidr } from '../../domain/gateways/network.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import { pointsOfGateway, type Preset } from '../../domain/gateways/preset.ts';
import { nothingLearned } from '../../domain/gateways/read-plan.ts';
import type { ActivityLog } from '../deps.ts';
import type { TestGatewayArgs, TestGatewayResult, UnitShown, UnitTested } from './contract.ts';
import { Gateway } from './walk/gateway.ts';
import { pollGateway } from './walk/poll.ts';
import type { WalkClock } from './walk/ports.ts';
import { Site } from './walk/site.ts';

/** Tries an address before it is polled, or a gateway beside its polls: saves nothing. */

/** For the poll of one unit. */
const pollMsMax = 15_000;
/** How often a test looks for an emergency stop: nothing is sent later than two seconds after its commit. */
const haltLookMs = 1_000;

export interface TestGatewayDeps {
  clock: WalkClock;
  log: ActivityLog;
  networks: readonly Cidr[];
  requestTimeoutMs: number;
  presets: ReadonlyMap<string, Preset>;
  /** The sockets of the walker, where it polls this address: no second connection is opened then. */
  walked: (host: string, port: number) => Sites | null;
  /** A gateway that is not removed. */
  findGateway: (id: string) => Promise<GatewayEntry | undefined>;
  /** Whether the emergency stop is on. */
  isHalted: () => Promise<boolean>;
  /** Of the running call: aborted when nobody waits for it any more. */
  signal: () => AbortSignal;
}

/** What is tried: the address, its quirks, and its units. */
interface Target extends Pick<GatewayDraft, 'host' | 'port' | 'quirks' | 'units'> {
  /** Of all units; null: those of their presets. */
  points: readonly UnitPoint[] | null;
}

/** @returns the activity; it fails with UNKNOWN_GATEWAY, UNKNOWN_PRESET or HALTED, and what a device does is its result. */
export function createTestGateway(deps: TestGatewayDeps) {
  return async function testGateway(args: TestGatewayArgs): Promise<TestGatewayResult> {
    const target = await targetOf(args, deps);
    const { host, port } = target;
    const { networks, requestTimeoutMs } = deps;
    const halt = await watchHalt(deps);
    const walked = deps.walked(host, port);
    const sites =
      walked ?? createSites({ networks, requestTimeoutMs, maySend: () => !halt.isHalted() });
    const signal = deps.signal();
    try {
      const site = sites.of(host, port);
      const units: UnitTested[] = [];
      for (const unit of target.units) {
        const tried = { target, unit, site, signal };
        units.push(
          args.kind === 'DISCOVER'
            ? tested(unit, await discover(deps, tried))
            : await testUnit(deps, tried),
        );
        signal.throwIfAborted();
        if (halt.isHalted()) throw ApplicationFailure.nonRetryable('polling is stopped', 'HALTED');
      }
      return { host, port, units };
    } finally {
      halt.end();
      if (walked === null) sites.close();
    }
  };
}

async function targetOf(args: TestGatewayArgs, deps: TestGatewayDeps): Promise<Target> {
  if (args.kind === 'GATEWAY') {
    const gateway = await deps.findGateway(args.gatewayId);
    if (gateway !== undefined) return { ...gateway.draft, points: gateway.points };
    const message = `there is no gateway "${args.gatewayId}"`;
    throw ApplicationFailure.nonRetryable(message, 'UNKNOWN_GATEWAY');
  }
  const { host, port, preset } = args;
  const units = args.unitIds.map((unitId): GatewayUnit => {
    return { unitId, preset, quirks: {}, capacityKw: null, points: [] };
  });
  return { host, port, quirks: {}, units, points: null };
}

/** Looks for an emergency stop until it is ended. @throws ApplicationFailure HALTED if there is one already. */
async function watchHalt({ isHalted, log }: TestGatewayDeps) {
  if (await isHalted()) throw ApplicationFailure.nonRetryable('polling is stopped', 'HALTED');
  let halted = false;
  const timer = setInterval(() => {
    isHalted().then(
      (is) => (halted ||= is),
      (error: unknown) => log.warn({ error: String(error) }, 'a test could not look for a halt'),
    );
  }, haltLookMs);
  return { isHalted: () => halted, end: () => clearInterval(timer) };
}

interface Tried {
  target: Target;
  unit: GatewayUnit;
  site: ModbusSite;
  signal: AbortSignal;
}

async function discover(
  { presets, requestTimeoutMs }: TestGatewayDeps,
  { target, unit, site, signal }: Tried,
): Promise<UnitShown> {
  const quirks = new Gateway(triedGateway(target, unit, presets), siteOf(target, site)).quirksOf;
  const deadlineMs = requestTimeoutMs + 3_000;
  const options = { presets, deadlineMs, signal, quirks: quirks(unit.unitId) };
  return shown(await discoverUnit(site, unit.unitId, options));
}

/** Reads the points of a unit once; of a unit without any those of the preset that fits. */
async function testUnit(deps: TestGatewayDeps, tried: Tried): Promise<UnitTested> {
  const { unit, target, site, signal } = tried;
  const isKnown = unit.preset !== null || target.points !== null;
  const found = isKnown ? null : await discover(deps, tried);
  const preset = unit.preset ?? found?.presets[0]?.name ?? null;
  if (preset === null && !isKnown) return tested(unit, found);
  if (target.points === null && preset !== null && !deps.presets.has(preset))
    throw ApplicationFailure.nonRetryable(`there is no preset "${preset}"`, 'UNKNOWN_PRESET');
  const gateway = triedGateway(target, { ...unit, preset }, deps.presets);
  const polled = await pollGateway(
    { ...deps, store: { saveLayout: async () => {}, saveLearned: async () => {} } },
    new Gateway(gateway, siteOf(target, site)),
    { trigger: 'MANUAL', slotMs: null, deadlineMs: pollMsMax, signal },
  );
  if (polled === null) return tested(unit, found);
  const { outcome, reason, message, points } = polled.answer();
  return { ...tested(unit, found), preset, outcome, reason, message, points };
}

/** A unit of which no points were read. */
function tested({ unitId }: GatewayUnit, found: UnitShown | null): UnitTested {
  const nothing = { outcome: null, reason: null, message: null, points: [] };
  return { unit_id: unitId, preset: null, ...nothing, found };
}

function shown(found: UnitFound): UnitShown {
  return {
    answers: found.answers,
    functions: found.functions.map(({ function: code, isSupported, said }) => {
      return { function: code, is_supported: isSupported, said };
    }),
    sunspec: found.sunspec && {
      base: found.sunspec.base,
      models: found.sunspec.models.map(({ id, address, length }) => ({ id, address, length })),
      problems: found.sunspec.problems,
    },
    no_sunspec: found.noSunspec,
    identity: found.identity,
    word_order: found.wordOrder && {
      order: found.wordOrder.order,
      reason: found.wordOrder.reason,
    },
    presets: found.presets.map(({ name, fits, of }) => ({ name, fits, of })),
    failure: found.failure && { reason: found.failure.reason, message: found.failure.message },
  };
}

function siteOf({ host, port }: Target, modbus: ModbusSite): Site {
  return new Site({ host, port }, modbus, { learned: nothingLearned, layouts: new Map() });
}

/** One unit as a gateway that is in no table. */
function triedGateway(
  { host, port, quirks, points }: Target,
  unit: GatewayUnit,
  presets: ReadonlyMap<string, Preset>,
): WalkedGateway {
  return {
    id: 'test',
    name: 'test',
    host,
    port,
    plantId: null,
    priority: 'HIGH',
    isActive: false,
    pauseReason: null,
    quirks,
    units: [unit],
    mapId: 0,
    points:
      points?.filter(({ unitId }) => unitId === unit.unitId) ??
      pointsOfGateway({ units: [unit] }, presets),
    alertsSilencedUntilMs: null,
    period: { fromMs: 0, intervalMs: 60_000, phaseMs: 0, reason: 'PAUSED' },
    state: nothingKnown,
    version: '',
  };
}

const nothingKnown: WalkedGateway['state'] = {
  status: 'PAUSED',
  statusReason: null,
  statusMessage: null,
  statusSinceMs: 0,
  lastSlotMs: null,
  lastPolledAtMs: null,
  lastSeenAtMs: null,
  consecutiveFailures: 0,
  failingSinceMs: null,
  recent: '',
  badPoints: {},
  silentUnits: {},
  counters: {},
  lastReading: null,
  disabledAtMs: null,
  nextProbeAtMs: null,
  probes: 0,
  goodProbes: 0,
};
