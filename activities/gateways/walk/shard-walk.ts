import type { WalkedGateway, ShardPlace } from '../../../db/gateways/walk.ts';
import { canonicalHost } from '../../../domain/gateways/gateway.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import { nothingLearned } from '../../../domain/gateways/read-plan.ts';
import { Figures } from './figures.ts';
import { Gateway } from './gateway.ts';
import type { Address, SiteKnowledge, WalkNews, WalkPorts } from './ports.ts';
import { Site } from './site.ts';

/** The gateways of one shard while this process walks it. */

/** Why a walk ends. */
export type WalkEnd =
  /** The lease is somebody else's. */
  | 'LOST'
  /** Another attempt asked for the shard. */
  | 'WANTED'
  /** The worker stops. */
  | 'LEAVING'
  /** The worker has more than its share. */
  | 'HANDED_OVER'
  /** A person cancelled, paused or reset the attempt. */
  | 'CANCELLED'
  /** PostgreSQL and Temporal are both silent. */
  | 'ALONE'
  /** The shard has no gateway. */
  | 'EMPTY';

export class ShardWalk {
  readonly place: ShardPlace;
  readonly epoch: number;
  /** Slots up to here fell due before this walk began. */
  readonly takenAtMs: number;
  /** When its gateways were read first: slots between `takenAtMs` and this waited for the database. */
  readAtMs = -Infinity;
  readonly gateways = new Map<string, Gateway>();
  readonly figures = new Figures();
  /** What is under way; a walk that ends waits for it. */
  readonly inFlight = new Set<Promise<void>>();
  /** Gateways whose alerts are to be judged. */
  readonly toEvaluate = new Set<string>();
  /** Requests that are being served. */
  readonly serving = new Set<number>();
  readonly ended: Promise<WalkEnd>;
  settle: (end: WalkEnd) => void = () => {};
  isEnding = false;
  isLoaded = false;
  isEvaluating = false;
  /** Since when Temporal knows no attempt of it, by `elapsed`; null: it knows one. */
  unattendedSinceMs: number | null = null;
  /** Since when it has no gateway, by `elapsed`. */
  emptySinceMs: number | null = null;
  /** Ends what is in flight. */
  cut = new AbortController();
  readonly #ports: WalkPorts;
  readonly #sites = new Map<string, Site>();
  readonly #maps = new Map<number, readonly UnitPoint[]>();
  readonly #versions = new Map<string, string>();

  constructor(ports: WalkPorts, place: ShardPlace, epoch: number) {
    this.#ports = ports;
    this.place = place;
    this.epoch = epoch;
    this.takenAtMs = ports.clock.now();
    this.ended = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  get lease(): { shard: number; epoch: number } {
    return { shard: this.place.shard, epoch: this.epoch };
  }

  /** Reads what is new. @param ids absent: all of the shard. */
  async readNews(
    ids?: readonly string[],
  ): Promise<{ news: WalkNews; known: ReadonlyMap<string, SiteKnowledge> }> {
    const known = { versions: this.#versions, maps: this.#maps };
    const news = await this.#ports.store.loadShard(this.place, known, ids);
    const unknown = new Map<string, Address>();
    for (const { host, port } of news.changed) {
      const key = keyOf({ host, port });
      if (!this.#sites.has(key)) unknown.set(key, { host: canonicalHost(host), port });
    }
    const addresses = [...unknown.values()];
    return {
      news,
      known: addresses.length === 0 ? new Map() : await this.#ports.store.loadSites(addresses),
    };
  }

  /** Adds a gateway, or changes it. @returns it, and whether it is new here. */
  put(
    loaded: WalkedGateway,
    known: ReadonlyMap<string, SiteKnowledge>,
  ): { gateway: Gateway; isNew: boolean } {
    this.#versions.set(loaded.id, loaded.version);
    const site = this.#siteOf(loaded, known);
    const before = this.gateways.get(loaded.id);
    if (before === undefined) {
      const gateway = new Gateway(loaded, site);
      site.users += 1;
      this.gateways.set(loaded.id, gateway);
      return { gateway, isNew: true };
    }
    const old = before.site;
    if (old !== site) {
      site.users += 1;
      this.#leave(old);
    }
    before.change(loaded, site, this.#ports.clock.now());
    return { gateway: before, isNew: false };
  }

  remove(id: string): Gateway | null {
    this.#versions.delete(id);
    const gateway = this.gateways.get(id);
    if (gateway === undefined) return null;
    this.gateways.delete(id);
    gateway.isGone = true;
    this.#leave(gateway.site);
    return gateway;
  }

  uses(address: Address): boolean {
    return this.#sites.has(keyOf(address));
  }

  closeSites(): void {
    for (const { address } of this.#sites.values())
      this.#ports.sites.forget(address.host, address.port);
  }

  #leave(site: Site): void {
    site.users -= 1;
    if (site.users > 0) return;
    this.#sites.delete(keyOf(site.address));
    this.#ports.sites.forget(site.address.host, site.address.port);
  }

  #siteOf({ host, port }: Address, known: ReadonlyMap<string, SiteKnowledge>): Site {
    const key = keyOf({ host, port });
    let site = this.#sites.get(key);
    if (site === undefined) {
      const address = { host: canonicalHost(host), port };
      const knowledge = known.get(key) ?? { learned: nothingLearned, layouts: new Map() };
      site = new Site(address, this.#ports.sites.of(address.host, port), knowledge);
      this.#sites.set(key, site);
    }
    return site;
  }
}

/** As `siteKey` of db/gateways/learned.ts, which the walk must not load. */
function keyOf({ host, port }: Address): string {
  return `${canonicalHost(host)} ${port}`;
}
