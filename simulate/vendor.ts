import type { TransportRequest, TransportResponse } from '../adapters/clouds/transport.ts';
import type { Brand } from '../domain/plants/plant.ts';
import { dateAfter, firstInstantOf, sunOf } from './calendar.ts';
import { type AlarmLife, type Fault, type FaultKind, isWithin, type Life } from './life.ts';
import { randomOf } from './random.ts';
import { Truth } from './truth.ts';

/**
 * A vendor's cloud of any brand: what it knows of a plant at an instant, and what goes wrong with its answers. The wire of
 * each brand is in `vendors/`.
 */

/** What a vendor shows of a plant. */
export interface Shown {
  /** As stated, with the error of the logger's clock; some brands do not state it. */
  measuredMs: number;
  /** Without that error. */
  trulyMeasuredMs: number;
  /** The date whose energy `todayKwh` is. */
  counterDate: string;
  /** As displayed, with its decimals; null: the vendor says that the logger is offline and shows nothing. */
  todayKwh: number | null;
  powerW: number;
  /** null: not counted. */
  lifetimeKwh: number | null;
  isOnline: boolean;
  /** The field that is missing or impossible in this answer. */
  spoilt: Extract<FaultKind, 'MISSING_FIELD' | 'IMPOSSIBLE_ENERGY' | 'IMPOSSIBLE_POWER'> | null;
}

/** A record of a vendor's list of alarms. */
export interface ShownAlarm {
  code: string;
  deviceSn: string | null;
  startMs: number;
  /** null: open. */
  endMs: number | null;
  isSevere: boolean;
}

export interface ShownAlarms {
  alarms: ShownAlarm[];
  /** The list says that it is longer than it is. */
  isCutOff: boolean;
}

export interface ShownDay {
  date: string;
  kwh: number | null;
}

/** The vendor's answers since they were last taken, before any adapter has read them. */
export interface Heard {
  summary: Shown | null;
  alarms: ShownAlarms | null;
  series: ShownDay[];
}

type Headers = TransportRequest['headers'];

/** The question of a request, in words of no brand. */
export type Topic = 'SUMMARY' | 'ALARMS' | 'SERIES';

const responseByFault: Partial<Record<FaultKind, TransportResponse>> = {
  HTTP_500: { status: 500, headers: {}, body: 'Internal Server Error' },
  HTML: { status: 200, headers: {}, body: '<!DOCTYPE html><html><body>maintenance</body></html>' },
  TRUNCATED: { status: 200, headers: {}, body: '{"success":true,"code":"0","data":{"dayEn' },
};

export class SimulatedVendor {
  readonly truth: Truth;
  readonly life: Truth['life'];
  readonly #world: Life;
  readonly #accepted = new Set<string>();
  heard: Heard = { summary: null, alarms: null, series: [] };
  /** Number of requests that reached the vendor. */
  requests = 0;

  constructor(world: Life, life: Truth['life']) {
    this.#world = world;
    this.life = life;
    this.truth = new Truth(life, world.fromMs);
  }

  get brand(): Brand {
    return this.life.brand;
  }

  takeHeard(): Heard {
    const { heard } = this;
    this.heard = { summary: null, alarms: null, series: [] };
    return heard;
  }

  /** The number of the password that the vendor knows at `atMs`; 0 is the first. */
  passwordAt(atMs: number): number {
    return this.#world.passwords.filter((changedMs) => changedMs <= atMs).length;
  }

  /** A token is checked once for each path and password: it is the same for hundreds of requests. */
  hasAccepted(path: string, headers: Headers, nowMs: number): boolean {
    return this.#accepted.has(this.#acceptKey(path, headers, nowMs));
  }

  accept(path: string, headers: Headers, nowMs: number): void {
    // A signature is valid for one request only.
    if (this.life.brand !== 'SOLIS') this.#accepted.add(this.#acceptKey(path, headers, nowMs));
  }

  #acceptKey(path: string, headers: Headers, nowMs: number): string {
    const token = headers['xsrf-token'] ?? headers['Token'] ?? headers['authorization'] ?? '';
    return `${this.passwordAt(nowMs)} ${path} ${token}`;
  }

  /** What goes wrong with this request as a whole; 'TIME_OUT': it is never answered. */
  disturbance(topic: Topic, atMs: number): TransportResponse | 'TIME_OUT' | 'EXPIRED' | null {
    this.requests += 1;
    const isHit = (fault: Fault): boolean => this.#isHit(fault, topic, atMs);
    for (const fault of this.#world.faults) {
      if (!isHit(fault)) continue;
      const { kind, seconds } = fault;
      if (kind === 'TIME_OUT') return 'TIME_OUT';
      if (kind === 'SESSION_EXPIRED') return 'EXPIRED';
      if (kind === 'RATE_LIMIT') {
        const headers: Record<string, string> =
          seconds === null ? {} : { 'retry-after': String(seconds) };
        return { status: 429, headers, body: '' };
      }
      const response = responseByFault[kind];
      if (response !== undefined) return response;
    }
    return null;
  }

  /** The plant as the vendor shows it, and remembered as heard. */
  show(nowMs: number): Shown {
    const stale = this.#fault('STALE', 'SUMMARY', nowMs);
    const atMs = nowMs - (stale?.seconds ?? 0) * 1_000;
    const shown = this.#shownAt(atMs);
    const clock = this.#fault('CLOCK', 'SUMMARY', nowMs);
    shown.measuredMs += (clock?.seconds ?? 0) * 1_000;
    for (const kind of ['MISSING_FIELD', 'IMPOSSIBLE_ENERGY', 'IMPOSSIBLE_POWER'] as const) {
      if (this.#fault(kind, 'SUMMARY', nowMs) !== null) shown.spoilt = kind;
    }
    this.heard.summary = shown;
    return shown;
  }

  #shownAt(atMs: number): Shown {
    const { life, truth } = this;
    const measuredMs = truth.measuredAt(atMs);
    const date = truth.dateAt(measuredMs);
    let counterDate = date;
    let todayKwh: number | null = truth.counterAt(measuredMs);
    if (life.replayMs !== null && atMs < sunOf(date, life.place).riseMs + life.replayMs) {
      // The counter has not restarted: it shows the last value of the day before.
      const lastMs = truth.measuredAt(firstInstantOf(date, life.place.timezone) - 1);
      counterDate = truth.dateAt(lastMs);
      todayKwh = truth.counterAt(lastMs);
    }
    const silence = life.silences.find((one) => isWithin(atMs, one));
    if (silence?.isEmpty === true && life.brand === 'SOLIS') todayKwh = null;
    return {
      measuredMs,
      trulyMeasuredMs: measuredMs,
      counterDate,
      todayKwh: todayKwh === null ? null : decimals(todayKwh, 1),
      powerW: silence === undefined ? truth.powerAt(measuredMs) : 0,
      lifetimeKwh: life.countsLifetime ? this.#lifetimeShown(measuredMs) : null,
      isOnline: atMs - measuredMs <= 1_800_000,
      spoilt: null,
    };
  }

  #lifetimeShown(measuredMs: number): number {
    const kwh = this.truth.lifetimeAt(measuredMs);
    return this.life.hasCoarseLifetime ? Math.round(kwh) : decimals(kwh, 1);
  }

  /** The day series as the vendor has it at `nowMs`, of dates that have begun. */
  days(from: string, to: string, nowMs: number): ShownDay[] {
    const today = this.truth.dateAt(nowMs);
    const days: ShownDay[] = [];
    for (let date = from; date <= to && date <= today; date = dateAfter(date, 1)) {
      const day = this.#dayShown(date, today, nowMs);
      if (day !== null) days.push(day);
    }
    this.heard.series.push(...days);
    return days;
  }

  #dayShown(date: string, today: string, nowMs: number): ShownDay | null {
    const kwh = this.#knownOf(date, nowMs);
    if (date === today) return { date, kwh };
    const mood = randomOf(this.life.id, 'series', date, Math.floor(nowMs / 3_600_000)).next();
    const isCalm = this.#world.faults.length === 0;
    if (kwh === null || (!isCalm && mood < 0.02)) return null;
    if (!isCalm && mood < 0.04) return { date, kwh: null };
    if (!isCalm && mood < 0.06) return { date, kwh: 0 };
    if (!isCalm && mood < 0.08) return { date, kwh: decimals(kwh * 0.8, 1) };
    // Some days stay short: two refreshes agree on the lower value.
    const isShort = !isCalm && randomOf(this.life.id, 'short', date).chance(0.03);
    return { date, kwh: decimals(isShort ? kwh * 0.85 : kwh, 1) };
  }

  /** What the vendor has of a date's energy, kWh; null: nothing. */
  #knownOf(date: string, nowMs: number): number | null {
    const { life, truth } = this;
    const newestMs = truth.measuredAt(nowMs);
    if (truth.dateAt(newestMs) < date) return null;
    if (truth.dateAt(newestMs) === date) return decimals(truth.energyAt(newestMs), 1);
    let kwh = truth.totalOf(date);
    for (const { fromMs, toMs, uploadedAtMs } of life.silences) {
      if (nowMs < fromMs || (uploadedAtMs !== null && nowMs >= uploadedAtMs)) continue;
      const [first, last] = [truth.dateAt(fromMs), truth.dateAt(toMs)];
      if (first === date && last > date) kwh = Math.min(kwh, truth.energyAt(fromMs));
      if (first < date && last > date) return null;
    }
    return decimals(kwh, 1);
  }

  /** The alarms that the vendor lists at `nowMs`: those that began at `sinceMs` or later, and those still open. */
  alarms(sinceMs: number, nowMs: number): ShownAlarms {
    const listed: ShownAlarm[] = [];
    for (const alarm of this.life.alarms) {
      const record = recordOf(alarm, nowMs);
      if (record === null || (record.startMs < sinceMs && record.endMs !== null)) continue;
      listed.push(record);
      if (alarm.isDoubled) listed.push({ ...record });
    }
    // The order means nothing.
    if (randomOf(this.life.id, 'order', nowMs).chance(0.5)) listed.reverse();
    const isCutOff = this.#fault('PARTIAL_PAGES', 'ALARMS', nowMs) !== null && listed.length > 0;
    // A page is missing: it held the first half.
    const alarms = isCutOff ? listed.slice(Math.ceil(listed.length / 2)) : listed;
    this.heard.alarms = { alarms, isCutOff };
    return this.heard.alarms;
  }

  #fault(kind: FaultKind, topic: Topic, atMs: number): Fault | null {
    return (
      this.#world.faults.find((fault) => fault.kind === kind && this.#isHit(fault, topic, atMs)) ??
      null
    );
  }

  #isHit(fault: Fault, topic: Topic, atMs: number): boolean {
    return (
      isWithin(atMs, fault) &&
      (fault.only === null || fault.only === topic) &&
      (fault.share === 1 ||
        randomOf(this.life.id, fault.kind, fault.fromMs, topic, atMs).chance(fault.share))
    );
  }
}

function recordOf(alarm: AlarmLife, nowMs: number): ShownAlarm | null {
  const { code, deviceSn, startMs, lagMs } = alarm;
  if (nowMs < startMs + lagMs) return null;
  return {
    code,
    deviceSn,
    startMs,
    endMs: nowMs >= alarm.endMs + lagMs ? alarm.endMs : null,
    isSevere: alarm.isSevere || (alarm.riseMs !== null && nowMs >= alarm.riseMs),
  };
}

export function decimals(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
