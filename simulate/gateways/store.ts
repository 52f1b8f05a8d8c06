import type { WalkStore } from '../../activities/gateways/walk/ports.ts';
import type { AlertChange } from '../../domain/alerts.ts';
import { type GatewayAlertsBefore, type GatewayAlertType } from '../../domain/gateways/alerts.ts';
import {
  type DisableLimits,
  type FleetPulse,
  isOurNetwork,
  networkHoldMs,
  pulseWindowMs,
} from '../../domain/gateways/disable.ts';
import { judgeGateway } from '../../domain/gateways/evaluation.ts';
import type { GatewayFacts } from '../../domain/gateways/facts.ts';
import { lastFailureIn } from '../../domain/gateways/status.ts';
import { phaseMs } from '../../domain/slots.ts';
import type { SimulatedProcess, VirtualTime } from './clock.ts';
import { type GatewayLife, isWithin, type SiteLife } from './life.ts';
import { pointsOf } from './points.ts';

/** The database of a simulated site, in memory: what a walker reads and writes, with the same fences. */

export type BatchRow = Parameters<WalkStore['writeBatch']>[1][number];
export type ReadingRow = NonNullable<BatchRow['reading']>;
type StoredState = NonNullable<BatchRow['state']>;
type Loaded = Awaited<ReturnType<WalkStore['loadShard']>>['changed'][number];
type LoadedState = Loaded['state'];
type Lease = Parameters<WalkStore['writeBatch']>[0][number];
type Reason = Loaded['period']['reason'];

export interface SitePeriod {
  fromMs: number;
  toMs: number | null;
  intervalMs: number;
  phaseMs: number;
  reason: Reason;
}

export interface SiteAlert {
  id: string;
  type: GatewayAlertType;
  vendorAlarmCode: string | null;
  deviceSn: string | null;
  severity: 'YELLOW' | 'RED';
  isOpen: boolean;
  startedAtMs: number;
  resolvedAtMs: number | null;
  lastNotifiedAtMs: number | null;
  announcedNotBeforeMs: number | null;
}

/** One gateway as it is stored. */
export interface StoredGateway {
  life: GatewayLife;
  points: Loaded['points'];
  intervalMs: number;
  isPaused: boolean;
  revision: number;
  state: LoadedState;
  periods: SitePeriod[];
  rows: Map<number, ReadingRow>;
  alerts: SiteAlert[];
  /** Each time that it was switched off or came back. */
  changes: { atMs: number; kind: 'DISABLE' | 'RETURN' }[];
}

/** What the judge of a life is told. */
export interface StoreWatch {
  /** A batch was stored. */
  onBatch(rows: readonly BatchRow[], nowMs: number): void;
  onChange(gateway: StoredGateway, kind: 'DISABLE' | 'RETURN', nowMs: number): void;
}

const leaseTtlMs = 4_000;
const answerMs = 3;
const noticeMs = 20;
const place = { shard: 0, shards: 1 };

export class SiteStore {
  readonly gateways = new Map<string, StoredGateway>();
  watch: StoreWatch = { onBatch() {}, onChange() {} };
  /** Told of gateways that changed. */
  onNotice: (gatewayId: string) => void = () => {};
  readonly #site: SiteLife;
  readonly #time: VirtualTime;
  readonly #limits: DisableLimits;
  #lease: { epoch: number; endsAtMs: number } = { epoch: 0, endsAtMs: -Infinity };
  #requests: { id: number; gatewayId: string }[] = [];
  #ids = 0;
  #network: { isOpen: boolean; closedAtMs: number } = { isOpen: false, closedAtMs: -Infinity };

  constructor(site: SiteLife, time: VirtualTime, limits: DisableLimits) {
    this.#site = site;
    this.#time = time;
    this.#limits = limits;
    for (const life of site.gateways) this.#add(life);
  }

  #add(life: GatewayLife): void {
    const intervalMs = life.intervalS * 1_000;
    const nowMs = this.#time.nowMs;
    this.gateways.set(life.id, {
      life,
      points: pointsOf(life.id),
      intervalMs,
      isPaused: false,
      revision: 1,
      state: newState(nowMs),
      periods: [
        {
          fromMs: nowMs,
          toMs: null,
          intervalMs,
          phaseMs: phaseMs(life.id, intervalMs),
          reason: 'ACTIVE',
        },
      ],
      rows: new Map(),
      alerts: [],
      changes: [],
    });
  }

  // People

  decide(gatewayId: string, decision: { isPaused?: boolean; intervalMs?: number }): void {
    const gateway = this.#of(gatewayId);
    gateway.isPaused = decision.isPaused ?? gateway.isPaused;
    gateway.intervalMs = decision.intervalMs ?? gateway.intervalMs;
    gateway.revision += 1;
    this.#decidePeriod(gateway);
  }

  ask(gatewayId: string): void {
    this.#ids += 1;
    this.#requests.push({ id: this.#ids, gatewayId });
  }

  get openRequests(): number {
    return this.#requests.length;
  }

  #decidePeriod(gateway: StoredGateway): void {
    const nowMs = this.#time.nowMs;
    const open = gateway.periods.at(-1) as SitePeriod;
    const isOff = gateway.state.disabledAtMs !== null;
    const reason = gateway.isPaused ? 'PAUSED' : isOff ? 'DISABLED' : 'ACTIVE';
    const { intervalMs } = gateway;
    this.#time.at(nowMs + noticeMs, () => this.onNotice(gateway.life.id));
    if (open.reason === reason && open.intervalMs === intervalMs) return;
    if (open.fromMs >= nowMs) gateway.periods.pop();
    else open.toMs = nowMs;
    const phase = phaseMs(gateway.life.id, intervalMs);
    gateway.periods.push({ fromMs: nowMs, toMs: null, intervalMs, phaseMs: phase, reason });
  }

  // Leases

  /** Takes the lease if it is free. @returns null if it is held. */
  takeLease(): number | null {
    if (this.#lease.endsAtMs > this.#time.nowMs) return null;
    this.#lease = { epoch: this.#lease.epoch + 1, endsAtMs: this.#time.nowMs + leaseTtlMs };
    return this.#lease.epoch;
  }

  releaseLease(epoch: number): void {
    if (this.#lease.epoch === epoch) this.#lease.endsAtMs = this.#time.nowMs;
  }

  #renew(leases: readonly Lease[]): { shard: number; wantedBy: null }[] {
    const isHeld = leases.some(({ epoch }) => epoch === this.#lease.epoch);
    if (!isHeld) return [];
    this.#lease.endsAtMs = this.#time.nowMs + leaseTtlMs;
    return [{ shard: place.shard, wantedBy: null }];
  }

  // The walker

  of(process: SimulatedProcess): WalkStore {
    const ask = <T>(give: () => T): Promise<T> =>
      process.answer(answerMs, () => {
        if (isWithin(this.#site.database, this.#time.nowMs)) throw new Error('PostgreSQL is away');
        return give();
      });
    return {
      writeBatch: (leases, rows) => ask(() => this.#writeBatch(leases, rows)),
      isRowRefused: () => false,
      renew: (leases) => ask(() => ({ held: this.#renew(leases), isHalted: false })),
      loadShard: (_, known, ids) => ask(() => this.#load(known, ids)),
      loadSites: () => ask(() => new Map()),
      saveLearned: () => ask(() => {}),
      saveLayout: () => ask(() => {}),
      listRequests: () =>
        ask(() =>
          this.#requests.map((one) => ({ ...one, requestedBy: 'ana', kind: 'POLL' as const })),
        ),
      answerRequest: (id) =>
        ask(() => {
          this.#requests = this.#requests.filter((one) => one.id !== id);
        }),
      evaluate: (lease, ids, nowMs) => ask(() => this.#evaluate(lease, ids, nowMs)),
    };
  }

  #writeBatch(leases: readonly Lease[], rows: readonly BatchRow[]) {
    const held = this.#renew(leases);
    if (held.length === 0) return [];
    for (const { gatewayId, reading, state } of rows) {
      const gateway = this.#of(gatewayId);
      if (reading !== null && !gateway.rows.has(reading.readAtMs))
        gateway.rows.set(reading.readAtMs, reading);
      if (state !== null && isNewer(state, gateway.state))
        gateway.state = { ...state, disabledAtMs: gateway.state.disabledAtMs };
    }
    this.watch.onBatch(rows, this.#time.nowMs);
    return held;
  }

  #load(
    known: Parameters<WalkStore['loadShard']>[1],
    ids?: readonly string[],
  ): Awaited<ReturnType<WalkStore['loadShard']>> {
    const changed: Loaded[] = [];
    const past: Awaited<ReturnType<WalkStore['loadShard']>>['past'][number][] = [];
    for (const gateway of this.gateways.values()) {
      const { id } = gateway.life;
      if (ids !== undefined && !ids.includes(id)) continue;
      if (known.versions.get(id) === versionOf(gateway)) continue;
      changed.push(this.#loaded(gateway));
      const sinceMs = gateway.state.lastSlotMs ?? -Infinity;
      for (const { toMs, reason, ...period } of gateway.periods)
        if (toMs !== null && toMs > sinceMs && reason === 'ACTIVE')
          past.push({ gatewayId: id, ...period, toMs });
    }
    return { changed, goneIds: [], past };
  }

  #loaded(gateway: StoredGateway): Loaded {
    const { life, state, periods, isPaused, points } = gateway;
    const { fromMs, intervalMs, phaseMs: phase, reason } = periods.at(-1) as SitePeriod;
    return {
      id: life.id,
      name: life.id,
      host: life.host,
      port: 502,
      plantId: null,
      priority: life.priority,
      isActive: !isPaused,
      pauseReason: null,
      quirks: {},
      units: [1, 2].map((unitId) => ({ unitId, quirks: {}, capacityKw: null })),
      mapId: 1,
      points,
      alertsSilencedUntilMs: null,
      period: { fromMs, intervalMs, phaseMs: phase, reason },
      // What is stored is JSON: nothing of it is shared with the walker.
      state: structuredClone(state),
      version: versionOf(gateway),
    };
  }

  // Alerts

  #evaluate(lease: Lease, ids: readonly string[], nowMs: number): void {
    if (lease.epoch !== this.#lease.epoch) return;
    this.#judgeNetwork(nowMs);
    for (const id of new Set([...ids, ...this.gateways.keys()])) this.#judge(this.#of(id), nowMs);
  }

  #judgeNetwork(nowMs: number): void {
    const isOurs = isOurNetwork(this.pulse(nowMs));
    if (this.#network.isOpen && !isOurs) this.#network.closedAtMs = nowMs;
    this.#network.isOpen = isOurs;
  }

  pulse(nowMs: number): FleetPulse {
    const polled = [...this.gateways.values()].filter(
      ({ isPaused, state }) =>
        !isPaused &&
        state.disabledAtMs === null &&
        (state.lastPolledAtMs ?? -Infinity) > nowMs - pulseWindowMs,
    );
    const failing = polled.filter(({ state }) => state.recent.endsWith('FF'));
    return { polled: polled.length, failing: failing.length };
  }

  #judge(gateway: StoredGateway, nowMs: number): void {
    const { isOpen, closedAtMs } = this.#network;
    const judged = judgeGateway(alertsBefore(gateway, nowMs), {
      nowMs,
      isOurNetwork: isOpen || closedAtMs > nowMs - networkHoldMs,
      limits: this.#limits,
    });
    const { change, facts } = judged;
    if (change !== null) {
      const { standing, recent, nextProbeAtMs } = facts;
      gateway.state = {
        ...gateway.state,
        status: standing.status,
        statusReason: standing.reason,
        statusMessage: standing.message,
        statusSinceMs: standing.sinceMs,
        recent,
        nextProbeAtMs,
        probes: 0,
        goodProbes: 0,
        consecutiveFailures: facts.consecutiveFailures,
        failingSinceMs: facts.failingSinceMs,
        disabledAtMs: facts.disabledAtMs,
      };
      this.#decidePeriod(gateway);
      gateway.changes.push({ atMs: nowMs, kind: change });
      this.watch.onChange(gateway, change, nowMs);
    }
    for (const alert of judged.alerts) this.#apply(gateway, alert, nowMs);
  }

  #apply(gateway: StoredGateway, change: AlertChange<GatewayAlertType>, nowMs: number): void {
    if (change.kind === 'RAISE') {
      this.#ids += 1;
      const { type, vendorAlarmCode, deviceSn, severity, startedAtMs, lastNotifiedAtMs } =
        change.alert;
      gateway.alerts.push({
        id: String(this.#ids),
        type,
        vendorAlarmCode,
        deviceSn,
        severity,
        isOpen: true,
        startedAtMs,
        resolvedAtMs: null,
        lastNotifiedAtMs,
        announcedNotBeforeMs: change.announce?.notBeforeMs ?? null,
      });
    } else if (change.kind === 'RESOLVE') {
      const alert = alertOf(gateway, change.id);
      alert.isOpen = false;
      alert.resolvedAtMs = nowMs;
    } else if (change.kind === 'REMIND' || change.kind === 'RISE') {
      const alert = alertOf(gateway, change.id);
      const atMs = change.announce?.notBeforeMs ?? null;
      if (change.kind === 'RISE') alert.severity = change.severity;
      alert.announcedNotBeforeMs ??= atMs;
      alert.lastNotifiedAtMs = atMs ?? alert.lastNotifiedAtMs;
    }
  }

  #of(id: string): StoredGateway {
    const gateway = this.gateways.get(id);
    if (gateway === undefined) throw new Error(`there is no gateway ${id}`);
    return gateway;
  }
}

function versionOf({ revision, periods }: StoredGateway): string {
  return `${revision}/${periods.at(-1)?.fromMs ?? 0}`;
}

function alertOf({ alerts, life }: StoredGateway, id: string): SiteAlert {
  const alert = alerts.find((one) => one.id === id);
  if (alert === undefined) throw new Error(`gateway ${life.id} has no alert ${id}`);
  return alert;
}

function isNewer(state: StoredState, before: StoredState): boolean {
  const slot = (state.lastSlotMs ?? -Infinity) - (before.lastSlotMs ?? -Infinity);
  if (slot > 0) return true;
  return (
    state.lastSlotMs === before.lastSlotMs &&
    (state.lastPolledAtMs ?? -Infinity) >= (before.lastPolledAtMs ?? -Infinity)
  );
}

function newState(nowMs: number): LoadedState {
  return {
    status: 'WAITING',
    statusReason: null,
    statusMessage: null,
    statusSinceMs: nowMs,
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
}

function factsOf(state: LoadedState): GatewayFacts {
  const { status, statusReason, statusMessage, statusSinceMs, ...facts } = state;
  const standing = {
    status,
    reason: statusReason,
    message: statusMessage,
    sinceMs: statusSinceMs,
  };
  return { ...facts, standing, lastFailure: lastFailureIn(standing) };
}

function alertsBefore(gateway: StoredGateway, nowMs: number): GatewayAlertsBefore {
  const { fromMs, intervalMs, reason } = gateway.periods.at(-1) as SitePeriod;
  const rememberedMs = nowMs - 6 * 3_600_000;
  return {
    facts: factsOf(gateway.state),
    plan: { reason, fromMs, intervalMs, pauseReason: null },
    priority: gateway.life.priority,
    timezone: 'UTC',
    alertsSilencedUntilMs: null,
    active: gateway.alerts
      .filter(({ isOpen }) => isOpen)
      .map((alert) => ({
        ...alert,
        state: 'NEW' as const,
        lastSeenAtMs: nowMs,
        ackedUntilMs: null,
        muted: false,
      })),
    ended: gateway.alerts.flatMap((alert) =>
      alert.resolvedAtMs !== null && alert.resolvedAtMs > rememberedMs
        ? [{ ...alert, resolvedAtMs: alert.resolvedAtMs }]
        : [],
    ),
  };
}
