import type { SitePollResult } from '../../../adapters/modbus/site.ts';
import type { PollAnswer } from '../../../db/gateways/requests.ts';
import type { DeviceText, ReadingRow } from '../../../db/gateways/write-batch.ts';
import { factsAfterPoll, type GatewayFacts } from '../../../domain/gateways/facts.ts';
import { failureSentence } from '../../../domain/gateways/failure-words.ts';
import { type JudgedPoll, judgePoll } from '../../../domain/gateways/judge.ts';
import type { UnitPoint } from '../../../domain/gateways/point.ts';
import {
  type GatewayTrigger,
  type PollFailure,
  qualityOf,
  qualityWord,
  type RawPoint,
} from '../../../domain/gateways/reading.ts';
import { standingOf } from '../../../domain/gateways/status.ts';
import {
  discoverSunSpec,
  inListOrder,
  resolvePoints,
  type SunSpecLayout,
} from '../../../domain/gateways/sunspec.ts';
import type { Gateway } from './gateway.ts';
import type { WalkPorts } from './ports.ts';
import type { Site } from './site.ts';

/** The course of one poll: find what is not found yet, ask the device, judge the answers. */

export interface PollWish {
  trigger: GatewayTrigger;
  /** null: it stands for no slot. */
  slotMs: number | null;
  /** For everything, ms from now. */
  deadlineMs: number;
  signal: AbortSignal;
}

/** A poll that ended, well or badly. */
export interface Polled {
  reading: ReadingRow;
  texts: readonly DeviceText[];
  answer: () => PollAnswer;
}

/** A unit without SunSpec, or whose models did not fit the standard, is looked at again after so long. */
const lookAgainMs = 60 * 60_000;
/** Less time than this is left for no other request. */
const leftMsMin = 20;

type Resolved = ReturnType<typeof resolvePoints>;

/** The points of a gateway with the addresses that are known now; the same object until something changes. */
const resolvedOf = new WeakMap<
  Gateway,
  { points: readonly UnitPoint[]; layouts: Site['layouts']; resolved: Resolved }
>();

function resolve(gateway: Gateway): Resolved {
  const { loaded, site } = gateway;
  const known = resolvedOf.get(gateway);
  if (known?.points === loaded.points && known.layouts === site.layouts) return known.resolved;
  const resolved = resolvePoints(loaded.points, site.layouts);
  resolvedOf.set(gateway, { points: loaded.points, layouts: site.layouts, resolved });
  return resolved;
}

/** What a poll needs of the walk's ports. */
type PollPorts = Pick<WalkPorts, 'clock' | 'log'> & {
  store: Pick<WalkPorts['store'], 'saveLayout' | 'saveLearned'>;
};

/** Polls a gateway and takes over what it learned. Never rejects. @returns null if it was cut off. */
export async function pollGateway(
  ports: PollPorts,
  gateway: Gateway,
  wish: PollWish,
): Promise<Polled | null> {
  const { clock } = ports;
  const { loaded, site } = gateway;
  const { mapId } = loaded;
  const startedAtMs = clock.now();
  const endsAtMs = clock.elapsed() + wish.deadlineMs;
  const found = await discover(ports, gateway, { endsAtMs, signal: wish.signal });
  const resolved = resolve(gateway);
  const leftMs = endsAtMs - clock.elapsed();
  const result: SitePollResult =
    resolved.points.length === 0 || (found.requests > 0 && leftMs < leftMsMin)
      ? notAsked(found.failure, startedAtMs, clock.now())
      : await site.modbus.poll({
          points: resolved.points,
          quirksOf: gateway.quirksOf,
          learned: site.learned,
          deadlineMs: leftMs,
          ignoresBackOff: wish.trigger === 'MANUAL',
          signal: wish.signal,
        });
  if (wish.signal.aborted) return null;
  if (result.learned !== null) learn(ports, site, result.learned);
  const points =
    resolved.missing.length === 0 ? result.points : inListOrder(resolved, result.points);
  const requests = result.requests + found.requests;
  const raw = { ...result, points, startedAtMs, requests };
  const judged = judgePoll(resolved.list, raw, gateway.counters, raw.measuredAtMs);
  const reading = readingOf(gateway, wish, { raw, judged, mapId });
  takeOver(gateway, wish, { raw, judged, list: resolved.list, mapId });
  return {
    reading,
    texts: judged.texts,
    answer: () => answerOf(resolved.list, { reading, judged, raw }),
  };
}

type Raw = Omit<SitePollResult, 'points'> & { points: readonly RawPoint[] };

function notAsked(
  failure: PollFailure | null,
  startedAtMs: number,
  measuredAtMs: number,
): SitePollResult {
  return {
    points: [],
    failure: failure ?? {
      reason: 'NOT_DISCOVERED',
      message: 'the unit has none of the SunSpec models in which the points would be',
    },
    isBackOff: false,
    startedAtMs,
    measuredAtMs,
    requests: 0,
    learned: null,
    notice: null,
  };
}

/** Looks for SunSpec's models of units whose points need them. */
async function discover(
  { clock, store, log }: PollPorts,
  gateway: Gateway,
  { endsAtMs, signal }: { endsAtMs: number; signal: AbortSignal },
): Promise<{ requests: number; failure: PollFailure | null }> {
  const { site, quirksOf } = gateway;
  const nowMs = clock.now();
  const units = new Set<number>();
  for (const { unitId, reason } of resolve(gateway).missing)
    if (reason === 'NOT_DISCOVERED' || (site.lookAgainMs.get(unitId) ?? Infinity) <= nowMs)
      units.add(unitId);
  let requests = 0;
  let failure: PollFailure | null = null;
  for (const unitId of units) {
    const layout = await discoverSunSpec((address, count) => {
      requests += 1;
      const deadlineMs = Math.max(1, endsAtMs - clock.elapsed());
      const range = { unitId, function: 3 as const, address, count };
      return site.modbus.read({ ...range, quirks: quirksOf(unitId), deadlineMs, signal });
    });
    if (!('models' in layout) && layout.failure !== null) {
      failure = layout.failure;
      continue;
    }
    const found: SunSpecLayout | null = 'models' in layout ? layout : null;
    site.layouts = new Map(site.layouts).set(unitId, found);
    if (found === null || found.problems.length > 0)
      site.lookAgainMs.set(unitId, nowMs + lookAgainMs);
    else site.lookAgainMs.delete(unitId);
    store.saveLayout({ ...site.address, unitId }, found, nowMs).catch((error: unknown) => {
      log.warn({ error: String(error) }, 'the SunSpec models of a unit could not be stored');
    });
  }
  return { requests, failure };
}

function learn({ store, log }: PollPorts, site: Site, learned: Site['learned']): void {
  site.learned = learned;
  store.saveLearned(site.address, learned).catch((error: unknown) => {
    log.warn({ error: String(error) }, 'what a device refuses could not be stored');
  });
}

function readingOf(
  gateway: Gateway,
  { trigger, slotMs }: PollWish,
  { raw, judged, mapId }: { raw: Raw; judged: JudgedPoll; mapId: number },
): ReadingRow {
  const { outcome, values, quality } = judged;
  const hasValues = outcome !== 'FAILED';
  return {
    readAtMs: slotMs ?? gateway.freeReadAt(raw.startedAtMs),
    trigger,
    outcome,
    reason: outcome === 'OK' ? null : (raw.failure?.reason ?? judged.reason ?? reasonOf(quality)),
    slotsMissed: 0,
    measuredAtMs: raw.measuredAtMs,
    lateMs: slotMs === null ? null : Math.max(0, raw.startedAtMs - slotMs),
    durationMs: Math.max(0, raw.measuredAtMs - raw.startedAtMs),
    requests: raw.requests,
    mapId,
    values: hasValues ? values : null,
    quality: hasValues ? quality : null,
  };
}

/** The failure of a poll whose values cannot be believed; null for any other. */
function turnedWords({ reason }: JudgedPoll): PollFailure | null {
  return reason === null ? null : { reason, message: '' };
}

/** Why a poll without a failure is not whole: what is wrong with the first point that has no value. */
function reasonOf(quality: readonly number[] | null): string {
  const code = quality?.find((one) => one !== 0) ?? 0;
  const of = qualityOf(code);
  if (of.quality === 'GOOD') return 'NO_POINTS';
  return of.why === 'EXCEPTION' ? `EXCEPTION_${of.code}` : of.why;
}

function takeOver(
  gateway: Gateway,
  { trigger }: PollWish,
  {
    raw,
    judged,
    list,
    mapId,
  }: { raw: Raw; judged: JudgedPoll; list: readonly UnitPoint[]; mapId: number },
): void {
  const { outcome, values } = judged;
  const quality = outcome === 'FAILED' ? null : judged.quality;
  const facts = factsAfterPoll(gateway.facts, {
    trigger,
    outcome,
    failure: raw.failure ?? turnedWords(judged),
    isBackOff: raw.isBackOff,
    startedAtMs: raw.startedAtMs,
    measuredAtMs: raw.measuredAtMs,
    points: list,
    quality,
  });
  gateway.facts = withStanding(gateway, facts, raw.measuredAtMs);
  if (outcome === 'FAILED') return;
  gateway.counters = judged.counters;
  gateway.lastReading = { mapId, values, quality };
}

/** The facts with the standing that follows from them now. */
export function withStanding(
  gateway: Pick<Gateway, 'plan'>,
  facts: GatewayFacts,
  nowMs: number,
): GatewayFacts {
  return { ...facts, standing: standingOf(facts, gateway.plan, nowMs) };
}

function answerOf(
  list: readonly UnitPoint[],
  { reading, judged, raw }: { reading: ReadingRow; judged: JudgedPoll; raw: Raw },
): PollAnswer {
  const texts = new Map(judged.texts.map((text) => [`${text.unitId}/${text.key}`, text.value]));
  return {
    outcome: reading.outcome,
    reason: reading.reason,
    message: raw.failure === null ? null : failureSentence(raw.failure),
    read_at: new Date(reading.readAtMs).toISOString(),
    points: list.map(({ unitId, key, unit }, index) => {
      const bits = raw.points[index];
      return {
        unit_id: unitId,
        key,
        value: judged.values[index] ?? texts.get(`${unitId}/${key}`) ?? null,
        unit,
        quality: qualityWord(qualityOf(judged.quality?.[index] ?? 0)),
        raw: bits?.kind === 'BITS' ? Buffer.from(bits.bytes).toString('hex') : null,
      };
    }),
  };
}
