import type { Answer, GatewayRequest } from '../../../db/gateways/requests.ts';
import type { Gateway } from './gateway.ts';
import type { Guard } from './guard.ts';
import type { Polled, PollWish } from './poll.ts';
import type { WalkPorts } from './ports.ts';
import type { ShardWalk } from './shard-walk.ts';
import { ranks } from './site.ts';
import type { Writer } from './writer.ts';

/** Polls and reads that people ask for: served through the walk's own sockets, before all slots that wait. */

/** Longest for one of them. */
const servedMsMax = 10_000;
/** Requests that come within so many ms are read together. */
const gatherMs = 10;

export interface RequestsOptions {
  ports: WalkPorts;
  guard: Guard;
  writer: Writer;
  walks: () => readonly ShardWalk[];
  poll: (walk: ShardWalk, gateway: Gateway, wish: PollWish) => Promise<Polled | null>;
}

export class Requests {
  readonly #options: RequestsOptions;
  #isLooking = false;
  #isHeard = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** There may be new ones. */
  hear(): void {
    this.#isHeard = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#options.ports.clock.after(gatherMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { ports, walks } = this.#options;
    while (this.#isHeard) {
      this.#isHeard = false;
      for (const walk of walks()) {
        if (walk.isEnding || !walk.isLoaded) continue;
        try {
          for (const request of await ports.store.listRequests(walk.place))
            this.#serve(walk, request);
        } catch {
          // PostgreSQL is away; the walker looks again every five seconds.
        }
      }
    }
    this.#isLooking = false;
  }

  #serve(walk: ShardWalk, request: GatewayRequest): void {
    const gateway = walk.gateways.get(request.gatewayId);
    // One that was added a moment ago is read soon, and its request with the next look.
    if (gateway === undefined || walk.serving.has(request.id)) return;
    walk.serving.add(request.id);
    const refusal = this.#refusalOf(gateway);
    if (refusal !== null) {
      void this.#answer(walk, request, { failure: refusal });
      return;
    }
    gateway.site.take(() => {
      if (walk.isEnding || gateway.isGone || !this.#options.guard.maySend()) {
        // The successor, or the next look, serves it.
        walk.serving.delete(request.id);
        return null;
      }
      return request.kind === 'POLL'
        ? this.#poll(walk, gateway, request)
        : this.#read(walk, gateway, request);
    }, ranks.PERSON);
  }

  #refusalOf({ loaded, id }: Gateway): { reason: string; message: string } | null {
    if (this.#options.guard.isHalted)
      return { reason: 'HALTED', message: 'all polling is stopped: lift the stop first' };
    if (loaded.period.reason !== 'PAUSED') return null;
    const message = `gateway ${id} is paused: resume it first, or use test`;
    return { reason: 'PAUSED', message };
  }

  async #poll(walk: ShardWalk, gateway: Gateway, request: GatewayRequest): Promise<void> {
    const { writer, poll } = this.#options;
    const deadlineMs = Math.min(gateway.loaded.period.intervalMs * 0.8, servedMsMax);
    const { signal } = walk.cut;
    const wish: PollWish = { trigger: 'MANUAL', slotMs: null, deadlineMs, signal };
    const polled = await poll(walk, gateway, wish);
    if (polled === null) {
      walk.serving.delete(request.id);
      return;
    }
    writer.add({
      shard: walk.place.shard,
      gatewayId: gateway.id,
      reading: polled.reading,
      texts: polled.texts,
      state: gateway.state(),
      intervalMs: null,
      // Only what is stored is told.
      onWritten: () => void this.#answer(walk, request, polled.answer()),
    });
    writer.hurry();
  }

  async #read(
    walk: ShardWalk,
    gateway: Gateway,
    request: GatewayRequest & { kind: 'READ' },
  ): Promise<void> {
    const { unitId, function: code, address, count } = request.arguments;
    const result = await gateway.site.modbus.read({
      unitId,
      function: code,
      address,
      count,
      quirks: gateway.quirksOf(unitId),
      deadlineMs: servedMsMax,
      signal: walk.cut.signal,
    });
    await this.#answer(walk, request, readAnswer(result));
  }

  async #answer(walk: ShardWalk, { id }: GatewayRequest, answer: Answer): Promise<void> {
    try {
      await this.#options.ports.store.answerRequest(id, answer);
    } catch (error) {
      this.#options.ports.log.warn({ error: String(error) }, 'a request could not be answered');
    } finally {
      walk.serving.delete(id);
    }
  }
}

function readAnswer(result: Awaited<ReturnType<Gateway['site']['modbus']['read']>>): Answer {
  if (result.kind === 'ANSWER') return { bytes_hex: Buffer.from(result.bytes).toString('hex') };
  return result.kind === 'EXCEPTION' ? { exception: result.code } : { failure: result.failure };
}
