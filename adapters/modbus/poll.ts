/** One poll of a gateway: sends the requests of its plan, splits what is refused, and says for each point what came. */

import type { Quirks } from '../../domain/gateways/gateway.ts';
import {
  type Learned,
  noteAnswer,
  noteRefusal,
  type ReadRequest,
  type ResolvedPoint,
  splitRequest,
} from '../../domain/gateways/read-plan.ts';
import type { PollFailure, RawPoint } from '../../domain/gateways/reading.ts';
import { Answers } from './answers.ts';
import type { Units } from './back-off.ts';
import { type Failed, rangeText } from './failures.ts';
import { exceptionText } from '../../domain/gateways/exceptions.ts';
import type { Line } from './line.ts';
import type { CachedPlan, PlannedUnit } from './plan-cache.ts';
import type { Exchange } from './socket.ts';
import type { Job } from './waits.ts';

/** A poll may send so many requests beyond its plan to find out which registers are refused. */
const extraRequestsMax = 8;
/** A poll may go on after so many connections that it had to give up. */
const recoveriesMax = 2;
/** A busy device is asked again after this, ms. */
const busyPauseMs = 100;
/** After so many polls running in which the gateway found no way to a unit, it gets a new connection. */
const unreachedMax = 3;

export interface PollSite {
  /** What failures call it. */
  name: string;
  line: Line;
  units: Units;
  /** Ms since the epoch. */
  clock: () => number;
  /** On a clock that never jumps, ms: for back-off. */
  elapsed: () => number;
}

/** What a unit's requests led to: go on with the next unit, or end the poll. */
type Next = 'GO_ON' | 'STOP';

export class PollRun {
  learned: Learned;
  requests = 0;
  measuredAtMs: number;
  /** The first request that failed; null: none did. */
  failed: { unitId: number; failure: PollFailure; by: Failed['by'] | 'UNIT' | 'BACK_OFF' } | null =
    null;
  /** Whether anything came back in this poll: the gateway is there. */
  isAlive = false;
  readonly #site: PollSite;
  readonly #job: Job;
  readonly #plan: CachedPlan;
  readonly #startedAtMs: number;
  readonly #answers: Answers;
  /** Units that answered in this poll. */
  readonly #answered = new Set<number>();
  /** Units that were asked and did not answer, by their own fault. */
  readonly #silent = new Set<number>();
  #extra = extraRequestsMax;
  #recoveries = recoveriesMax;

  constructor(
    site: PollSite,
    job: Job,
    {
      plan,
      points,
      startedAtMs,
    }: { plan: CachedPlan; points: readonly ResolvedPoint[]; startedAtMs: number },
  ) {
    this.#site = site;
    this.#job = job;
    this.#plan = plan;
    this.#startedAtMs = startedAtMs;
    this.#answers = new Answers(points, plan.initial);
    this.learned = plan.learned;
    this.measuredAtMs = startedAtMs;
  }

  get results(): readonly RawPoint[] {
    return this.#answers.results;
  }

  /** Sends everything. @param ignoresBackOff asks units too that wait after failures. */
  async run(ignoresBackOff: boolean): Promise<void> {
    for (const unit of this.#inOrder()) {
      const { backOff } = this.#site.units.of(unit.unitId);
      const leftMs = ignoresBackOff ? 0 : backOff.leftMs(this.#site.elapsed());
      if (leftMs > 0) {
        this.failed ??= {
          unitId: unit.unitId,
          by: 'BACK_OFF',
          failure: {
            reason: 'BACK_OFF',
            message: `unit ${unit.unitId} of ${this.#site.name} has failed ${backOff.timesText}; it is asked again in ${Math.ceil(leftMs / 1000)} s`,
          },
        };
        continue;
      }
      const next = await this.#runUnit(unit);
      this.#noteUnit(unit.unitId);
      if (next === 'STOP') break;
    }
    this.#answers.settle();
  }

  /** Units that fail come last: they do not take time from the others. */
  #inOrder(): readonly PlannedUnit[] {
    const { units } = this.#plan;
    const fails = ({ unitId }: PlannedUnit) => this.#site.units.of(unitId).backOff.failures > 0;
    if (units.length < 2 || !units.some(fails)) return units;
    return [...units.filter((one) => !fails(one)), ...units.filter(fails)];
  }

  async #runUnit({ requests, quirks }: PlannedUnit): Promise<Next> {
    const pending = [...requests];
    const done: ReadRequest[] = [];
    const refusedFunctions = new Map<number, number>();
    for (let request = pending.shift(); request !== undefined; request = pending.shift()) {
      const known = refusedFunctions.get(request.function);
      if (known !== undefined) {
        this.#except(request, known);
        continue;
      }
      const result = await this.#ask(request, quirks);
      if (result.kind === 'ANSWER') {
        this.#take(request, result.bytes);
        done.push(request);
      } else if (result.kind === 'FAILED') {
        const next = this.#fail(request, result);
        if (next !== 'NEXT_REQUEST') return next;
      } else if (result.code === 0x0a || result.code === 0x0b) {
        return this.#unreached(request, result.code);
      } else if (result.code === 1) {
        this.#refuse(request, 1);
        refusedFunctions.set(request.function, 1);
        this.#except(request, 1);
      } else if (result.code === 2 || result.code === 3) {
        this.#refuse(request, result.code);
        pending.unshift(...this.#split(request, result.code));
      } else this.#exception(request, result.code);
    }
    return this.#askTorn(done, quirks);
  }

  /** One request; a device that is busy (5, 6) is asked once more. */
  async #ask(request: ReadRequest, quirks: Quirks): Promise<Exchange> {
    const result = await this.#exchange(request, quirks);
    if (result.kind !== 'EXCEPTION' || (result.code !== 5 && result.code !== 6)) return result;
    await this.#job.pause(busyPauseMs);
    return this.#exchange(request, quirks);
  }

  async #exchange(request: ReadRequest, quirks: Quirks): Promise<Exchange> {
    const result = await this.#site.line.exchange(this.#job, request, quirks);
    if (result.kind !== 'FAILED') {
      this.isAlive = true;
      this.measuredAtMs = this.#site.clock();
    }
    return result;
  }

  #take(request: ReadRequest, bytes: Uint8Array): void {
    this.#answered.add(request.unitId);
    this.learned = noteAnswer(this.learned, request);
    this.#answers.take(request, bytes);
  }

  #refuse(request: ReadRequest, code: number): void {
    this.#answered.add(request.unitId);
    this.learned = noteRefusal(this.learned, request, { code, atMs: this.#startedAtMs });
  }

  /** What is asked instead of a refused request; nothing if less cannot be asked, or was asked often enough. */
  #split(request: ReadRequest, code: number): ReadRequest[] {
    const instead = splitRequest(request);
    if (instead.length > 0 && instead.length <= this.#extra) {
      this.#extra -= instead.length;
      return instead;
    }
    this.#except(request, code);
    return [];
  }

  #except(request: ReadRequest, code: number): void {
    for (const { point } of request.parts) this.#answers.except(point, { kind: 'EXCEPTION', code });
  }

  /** An exception that says nothing of the range: the request failed. */
  #exception(request: ReadRequest, code: number): void {
    this.#answered.add(request.unitId);
    this.#except(request, code);
    this.failed ??= {
      unitId: request.unitId,
      by: 'UNIT',
      failure: {
        reason: `EXCEPTION_${code}`,
        message: `${this.#site.name} answered ${rangeText(request)} with ${exceptionText(code)}`,
      },
    };
  }

  /** The gateway answers, and finds no way to the unit. */
  #unreached(request: ReadRequest, code: number): Next {
    const unit = this.#site.units.of(request.unitId);
    unit.unreached += 1;
    this.#silent.add(request.unitId);
    this.#except(request, code);
    this.failed ??= {
      unitId: request.unitId,
      by: 'UNIT',
      failure: {
        reason: 'UNIT_SILENT',
        message: `${this.#site.name} does not reach unit ${request.unitId}: ${exceptionText(code)}`,
      },
    };
    if (unit.unreached % unreachedMax === 0) this.#site.line.drop();
    return 'GO_ON';
  }

  #fail(request: ReadRequest, result: Failed): Next | 'NEXT_REQUEST' {
    const { unitId } = request;
    this.failed ??= { unitId, failure: result.failure, by: result.by };
    if (result.isLength)
      for (const { point } of request.parts) this.#answers.except(point, { kind: 'WRONG_LENGTH' });
    const isOfUnit = result.by === 'TIMEOUT' || (result.by === 'FRAME' && !isClosed(result));
    const isOver = this.#job.leftMs === 0;
    // One that others left no time is not silent.
    if (isOfUnit && !(isOver && this.isAlive)) this.#silent.add(unitId);
    if (!isOfUnit || isOver || this.#recoveries === 0) return 'STOP';
    this.#recoveries -= 1;
    // One that has been silent from the start will be silent to the rest; a wrong frame says nothing of the others.
    return result.by === 'TIMEOUT' && !this.#answered.has(unitId) ? 'GO_ON' : 'NEXT_REQUEST';
  }

  /** Asks once more for values around which their scale factor changed. */
  async #askTorn(done: readonly ReadRequest[], quirks: Quirks): Promise<Next> {
    for (const request of this.#answers.torn(done)) {
      const result = await this.#ask(request, quirks);
      if (result.kind === 'ANSWER') this.#answers.take(request, result.bytes);
      else if (result.kind === 'FAILED' && this.#fail(request, result) === 'STOP') return 'STOP';
    }
    return 'GO_ON';
  }

  #noteUnit(unitId: number): void {
    const unit = this.#site.units.of(unitId);
    if (this.#answered.has(unitId)) {
      unit.unreached = 0;
      unit.answeredAtMs = this.#site.elapsed();
      unit.backOff.clear();
    } else if (this.#silent.has(unitId)) {
      unit.answeredAtMs = null;
      unit.backOff.fail(this.#site.elapsed());
    }
  }
}

function isClosed({ failure }: Failed): boolean {
  return failure.reason === 'CLOSED';
}
