import type { Walk } from '../../activities/gateways/walk/shards.ts';
import { createWalker, type Walker } from '../../activities/gateways/walk/walker.ts';
import { SimulatedProcess, VirtualTime } from './clock.ts';
import { Device } from './device.ts';
import { drawSite, type ProcessFault, type SiteLife } from './life.ts';
import { Judge, SiteViolation } from './oracle.ts';
import { Hosts } from './site.ts';
import { SiteStore } from './store.ts';

/** Lives a simulated site from its first to its last instant, with the walker of the product. */

export interface SiteResult {
  seed: string;
  hours: number;
  polls: number;
  rows: number;
  disabled: number;
  /** null: every invariant held. */
  violation: { gatewayId: string; message: string; trace: readonly string[] } | null;
}

/** Ten failures over ten minutes. */
const limits = { failures: 10, overMs: 600_000 };
const tryAgainMs = 200;
const noticeMs = 20;
/** A look at everything, between the polls. */
const lookEveryMs = 60_000;
const place = { shard: 0, shards: 1 };

export async function liveSite(seed: string, hours: number): Promise<SiteResult> {
  const site = drawSite(seed, hours);
  const world = new World(site);
  let violation: SiteResult['violation'] = null;
  try {
    await world.live();
  } catch (error) {
    if (!(error instanceof SiteViolation)) throw error;
    violation = { gatewayId: error.gatewayId, message: error.message, trace: error.trace };
  }
  const gateways = [...world.store.gateways.values()];
  return {
    seed,
    hours,
    polls: world.hosts.polls.length,
    rows: gateways.reduce((sum, { rows }) => sum + rows.size, 0),
    disabled: gateways.reduce(
      (sum, { changes }) => sum + changes.filter(({ kind }) => kind === 'DISABLE').length,
      0,
    ),
    violation,
  };
}

/** A process with its walker. */
interface Worker {
  process: SimulatedProcess;
  walker: Walker;
  walk: Walk | null;
  epoch: number;
}

class World {
  readonly store: SiteStore;
  readonly hosts: Hosts;
  readonly #site: SiteLife;
  readonly #time: VirtualTime;
  readonly #judge: Judge;
  #worker: Worker | null = null;
  /** What went wrong in the walker's own code. */
  readonly #errors: string[] = [];

  constructor(site: SiteLife) {
    this.#site = site;
    this.#time = new VirtualTime(site.fromMs);
    const devices = new Map(site.gateways.map((life) => [life.id, new Device(site, life)]));
    this.store = new SiteStore(site, this.#time, limits);
    this.hosts = new Hosts(site, this.#time, devices);
    this.#judge = new Judge({ site, store: this.store, hosts: this.hosts, devices, limits });
    this.store.watch = this.#judge;
    this.store.onNotice = (id) => this.#tell((walker) => walker.hearGateway(id));
  }

  async live(): Promise<void> {
    const { fromMs, toMs, processes, gateways } = this.#site;
    this.#start();
    for (const fault of processes) this.#time.at(fault.fromMs, () => this.#happen(fault));
    for (const { id, acts } of gateways)
      for (const act of acts)
        this.#time.at(act.atMs, () => {
          if (act.kind === 'POLL') {
            this.store.ask(id);
            this.#time.at(act.atMs + noticeMs, () => this.#tell((walker) => walker.hearRequest()));
          } else if (act.kind === 'INTERVAL')
            this.store.decide(id, { intervalMs: act.intervalS * 1_000 });
          else this.store.decide(id, { isPaused: act.kind === 'PAUSE' });
        });
    for (let atMs = fromMs; atMs < toMs; atMs += lookEveryMs) {
      await this.#time.runUntil(atMs + lookEveryMs);
      const [error] = this.#errors;
      if (error !== undefined) throw new SiteViolation('', `the walker met an error: ${error}`, []);
      this.#judge.look(atMs + lookEveryMs);
    }
    this.#judge.atTheEnd(toMs);
  }

  #tell(say: (walker: Walker) => void): void {
    const worker = this.#worker;
    worker?.process.deliver(() => say(worker.walker));
  }

  /** A new process that takes the lease as soon as it is free. */
  #start(): void {
    const process = new SimulatedProcess(this.#time);
    const walker = createWalker({
      clock: process.clock,
      sites: this.hosts.of(process),
      store: this.store.of(process),
      locks: { ask() {}, isTaken: () => false, release() {} },
      log: {
        info() {},
        warn() {},
        error: (fields, message) => void this.#errors.push(`${message} ${JSON.stringify(fields)}`),
      },
      meter: { polled() {}, missed() {} },
      limits,
    });
    const worker: Worker = { process, walker, walk: null, epoch: 0 };
    this.#worker = worker;
    const take = (): void => {
      if (process.isKilled) return;
      const epoch = this.store.takeLease();
      if (epoch === null) {
        this.#time.at(this.#time.nowMs + tryAgainMs, take);
        return;
      }
      this.#judge.took(this.#time.nowMs);
      worker.epoch = epoch;
      worker.walk = walker.walk(place, epoch);
      void this.#release(worker.walk, epoch);
    };
    take();
  }

  /** Gives the lease back once the walk has ended. */
  async #release(walk: Walk, epoch: number): Promise<void> {
    const why = await walk.ended;
    if (why === 'LOST') this.#judge.lost(this.#time.nowMs);
    this.store.releaseLease(epoch);
  }

  async #leave({ walk, walker }: Worker): Promise<void> {
    await walk?.end('LEAVING');
    walker.close();
  }

  #happen({ kind, toMs }: ProcessFault): void {
    const worker = this.#worker;
    if (worker === null) return;
    switch (kind) {
      case 'KILL':
        worker.process.isKilled = true;
        this.#judge.gone(this.#time.nowMs);
        this.#time.at(toMs, () => this.#start());
        return;
      case 'LEAVE':
        this.#judge.gone(this.#time.nowMs);
        void this.#leave(worker);
        this.#start();
        return;
      case 'STOP':
        this.#judge.gone(this.#time.nowMs);
        worker.process.stop();
        // Another process takes over once the lease has ended.
        this.#start();
        this.#time.at(toMs, () => {
          worker.process.goOn();
          // It is told that its attempt is over, as Temporal does.
          this.#time.at(toMs + 5_000, () => void worker.walk?.end('LOST'));
        });
        return;
    }
  }
}
