import { ApplicationFailure } from '@temporalio/common';

import { discoverUnit, type UnitFound } from '../../adapters/modbus/discover.ts';
import { createSites, type ModbusSite, type Sites } from '../../adapters/modbus/site.ts';
import type { WalkedGateway } from '../../db/gateways/walk.ts';
import type { GatewayUnit } from '../../domain/gateways/gateway.ts';
import type { Cidr } from '../../domain/gateways/network.ts';
import { pointsOfGateway, type Preset } from '../../domain/gateways/preset.ts';
import { nothingLearned } from '../../domain/gateways/read-plan.ts';
import type { ActivityLog } from '../deps.ts';
import type { TestGatewayArgs, TestGatewayResult } from './contract.ts';
import { Gateway } from './walk/gateway.ts';
import { pollGateway } from './walk/poll.ts';
import type { WalkClock } from './walk/ports.ts';
import { Site } from './walk/site.ts';

/** Tries a host and port before it is polled: saves nothing. */

/** For the poll of one unit. */
const pollMsMax = 15_000;

export interface TestGatewayDeps {
  clock: WalkClock;
  log: ActivityLog;
  networks: readonly Cidr[];
  requestTimeoutMs: number;
  presets: ReadonlyMap<string, Preset>;
  /** The sockets of the walker, where it polls this address: no second connection is opened then. */
  walked: (host: string, port: number) => Sites | null;
}

export function createTestGateway(deps: TestGatewayDeps) {
  return async function testGateway(args: TestGatewayArgs): Promise<TestGatewayResult> {
    const { host, port, kind } = args;
    const walked = deps.walked(host, port);
    const { networks, requestTimeoutMs } = deps;
    const sites = walked ?? createSites({ networks, requestTimeoutMs });
    try {
      const site = sites.of(host, port);
      const units: TestGatewayResult['units'][number][] = [];
      for (const unitId of args.unitIds)
        units.push(
          kind === 'DISCOVER'
            ? { ...(await discover(deps, site, unitId)) }
            : await pollUnit(deps, site, { ...args, unitId }),
        );
      return { units };
    } finally {
      if (walked === null) sites.close();
    }
  };
}

function discover(
  { presets, requestTimeoutMs }: TestGatewayDeps,
  site: ModbusSite,
  unitId: number,
): Promise<UnitFound> {
  return discoverUnit(site, unitId, { presets, deadlineMs: requestTimeoutMs + 3_000 });
}

/** Reads the points of a unit once. */
async function pollUnit(
  deps: TestGatewayDeps,
  site: ModbusSite,
  args: TestGatewayArgs & { unitId: number },
): Promise<Readonly<Record<string, unknown>>> {
  const { unitId } = args;
  const found = args.preset === null ? await discover(deps, site, unitId) : null;
  const preset = args.preset ?? found?.presets[0]?.name ?? null;
  if (preset === null) return { unit_id: unitId, preset, found };
  if (!deps.presets.has(preset))
    throw ApplicationFailure.nonRetryable(`there is no preset "${preset}"`, 'UNKNOWN_PRESET');
  const polled = await pollGateway(
    {
      ...deps,
      store: { saveLayout: async () => {}, saveLearned: async () => {} },
    },
    tried(site, args, preset, deps.presets),
    {
      trigger: 'MANUAL',
      slotMs: null,
      deadlineMs: pollMsMax,
      signal: new AbortController().signal,
    },
  );
  return { unit_id: unitId, preset, ...polled?.answer() };
}

/** A gateway that is in no table. */
function tried(
  modbus: ModbusSite,
  { host, port, unitId }: TestGatewayArgs & { unitId: number },
  preset: string,
  presets: ReadonlyMap<string, Preset>,
): Gateway {
  const unit: GatewayUnit = { unitId, preset, quirks: {}, capacityKw: null, points: [] };
  const loaded: WalkedGateway = {
    id: 'test',
    name: 'test',
    host,
    port,
    plantId: null,
    priority: 'HIGH',
    isActive: false,
    pauseReason: null,
    quirks: {},
    units: [unit],
    mapId: 0,
    points: pointsOfGateway({ units: [unit] }, presets),
    alertsSilencedUntilMs: null,
    period: { fromMs: 0, intervalMs: 60_000, phaseMs: 0, reason: 'PAUSED' },
    state: nothingKnown,
    version: '',
  };
  const known = { learned: nothingLearned, layouts: new Map() };
  return new Gateway(loaded, new Site({ host, port }, modbus, known));
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
