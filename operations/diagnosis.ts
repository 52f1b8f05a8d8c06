import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { LockKind, Locks } from '../db/lock.ts';
import type { Database } from '../db/tables.ts';
import type { ReaderZone } from '../domain/zone.ts';
import type { DiskSpace } from './disks.ts';

/**
 * The diagnosis of the running system. It judges the given components; `/health`, the System page, `heliograph status` and
 * `heliograph validate` show its findings.
 */

/** `down`: a person must act now. `degraded`: something is missing, and the system continues without it. */
export type State = 'ok' | 'degraded' | 'down';

export interface Judgement {
  state: State;
  /** A complete sentence that says what was measured, or what is wrong. */
  sentence: string;
  /** What to do about it. */
  advice?: string;
  /** The group of findings of single subjects, such as LOOP_MISSING; default: their component. */
  kind?: string;
  /** The subject and its time, as JSON shows them: `{ plant_id: 'solis-canal' }`. */
  facts?: Readonly<Record<string, string | null>>;
  /** Whether `heliograph diagnose --fix` can mend it, where its kind does not say so. */
  canAutoFix?: boolean;
  /** Further figures, as `heliograph diagnose` shows them. */
  details?: Readonly<Record<string, unknown>>;
  /** What the sentence counts, each by name. Only signed-in people and the terminal see them. */
  subjects?: readonly Required<Pick<Judgement, 'kind' | 'facts' | 'sentence'>>[];
}

/** Whether a component is a part of Heliograph, or says how the plants that it watches are. */
export type About = 'SYSTEM' | 'FLEET';

/** A judgement with its component, and the time when its fact was read, ms since the epoch. */
export interface Finding extends Judgement {
  component: string;
  /** The part of the system under which `heliograph diagnose` shows it. */
  part: string;
  about: About;
  takenAtMs: number;
}

export interface Services {
  db: Kysely<Database>;
  temporal: Client;
  /** Rejects while Redis is away. null: no Redis is configured. */
  askRedis: (() => Promise<{ evictionPolicy: string | null }>) | null;
  /** The disks of the watched folders; none: no folder is watched. */
  readDisks: () => Promise<DiskSpace[]>;
  /** Every lock of one kind; absent where nothing looks at single locks, or without Redis. */
  listLocks?: (kind: LockKind) => ReturnType<Locks['list']>;
  /** Number of shards of gateways; absent: the default. */
  gatewayShards?: number;
  /** ms since the epoch. */
  clock: () => number;
}

/** Reads one thing. Components and views name a fact, and `look` reads it once for all of them. */
export type Fact<Value> = (services: Services, look: Look) => Promise<Value>;

export type Look = <Value>(fact: Fact<Value>) => Promise<Answer<Value>>;

/** The value of a fact, or the error if it could not be read; when it was read, and how long that took. */
export type Answer<Value> = { takenAtMs: number; tookMs: number } & (
  | { isAway: false; value: Value }
  | { isAway: true; error: unknown }
);

/** A part of the system, with the rule that judges it. */
export interface Component<Value = unknown> {
  name: string;
  /** The part of the system under which `heliograph diagnose` shows it; default: its name. */
  part?: string;
  /** Default: SYSTEM. */
  about?: About;
  fact: Fact<Value>;
  /**
   * null: this system has no such part.
   *
   * @param at.zone whose clock the times of the sentences follow; null: UTC's, or the one of the plants that a sentence is about.
   */
  judge(
    value: Value,
    at: { takenAtMs: number; tookMs: number; zone: ReaderZone },
  ): Judgement | null;
  /** The judgement if the fact cannot be read. */
  away: Judgement;
  /** Checks each subject of the component, which takes long. Only `heliograph validate` asks for it. */
  inspection?: Fact<Inspection>;
}

export interface Inspection {
  /** As JSON shows them: `{ plants: 12, on_time: 11 }`. */
  counts: Readonly<Record<string, number>>;
  /** The counts in words; empty: there is nothing to count. */
  summary: string;
  /** Only what is wrong. */
  judgements: readonly Judgement[];
}

export interface Diagnosis {
  /** The state of the worst finding about the system: what a load balancer goes by. */
  state: State;
  /** The state of the worst finding about the fleet. */
  fleet: State;
  findings: Finding[];
  /** Reads the facts behind the findings, and further facts of about the same time. */
  look: Look;
}

const severity = { ok: 0, degraded: 1, down: 2 } as const satisfies Record<State, number>;

/** Judges every component, in order. A fact that cannot be read is a finding, not an error. */
export async function diagnose(
  components: readonly Component[],
  look: Look,
  zone: ReaderZone = null,
): Promise<Diagnosis> {
  const judged = await Promise.all(components.map((component) => examine(component, look, zone)));
  const findings = judged.flat();
  return { state: worst(findings, 'SYSTEM'), fleet: worst(findings, 'FLEET'), findings, look };
}

function worst(findings: readonly Finding[], about: About): State {
  const states = findings.filter((finding) => finding.about === about).map(({ state }) => state);
  return states.reduce((a, b) => (severity[b] > severity[a] ? b : a), 'ok');
}

async function examine(component: Component, look: Look, zone: ReaderZone): Promise<Finding[]> {
  const answer = await look(component.fact);
  const judgement = answer.isAway
    ? component.away
    : component.judge(answer.value, { ...answer, zone });
  if (judgement === null) return [];
  const { name, part = name, about = 'SYSTEM' } = component;
  return [{ ...judgement, component: name, part, about, takenAtMs: answer.takenAtMs }];
}

/** The finding, or one finding for each subject that it counts. */
function eachSubject({ subjects = [], ...finding }: Finding): Finding[] {
  if (subjects.length === 0) return [finding];
  return subjects.map((subject) => ({ ...finding, ...subject }));
}

/**
 * Checks every subject of the components that have an inspection, and judges the others as `diagnose` does. Components may
 * share an inspection. A judgement that counts subjects gives a finding for each of them.
 *
 * @returns only findings of what is wrong.
 * @throws what the services throw when an inspection cannot be made.
 */
export async function inspect(
  components: readonly Component[],
  look: Look,
  zone: ReaderZone = null,
): Promise<{ inspections: Inspection[]; findings: Finding[] }> {
  const inspections = new Set<Inspection>();
  const parts = await Promise.all(
    components.map(async (component) => {
      if (component.inspection === undefined)
        return (await examine(component, look, zone)).flatMap(eachSubject);
      const answer = await look(component.inspection);
      const inspection = valueOf(answer);
      if (inspections.has(inspection)) return [];
      inspections.add(inspection);
      const { name, part = name, about = 'SYSTEM' } = component;
      const of = { component: name, part, about, takenAtMs: answer.takenAtMs };
      return inspection.judgements.map((each): Finding => ({ ...each, ...of }));
    }),
  );
  return {
    inspections: [...inspections],
    findings: parts.flat().filter(({ state }) => state !== 'ok'),
  };
}

/** @throws the error of a fact that could not be read. */
export function valueOf<Value>(answer: Answer<Value>): Value {
  if (answer.isAway) throw answer.error;
  return answer.value;
}

class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/**
 * Reads facts, each of them once.
 *
 * @param answerMsMax a fact that takes longer counts as away.
 * @param onAway gets the error of a fact that could not be read, which public answers do not show.
 */
export function createLook(
  services: Services,
  answerMsMax: number,
  onAway: (error: unknown) => void = () => {},
): Look {
  const answers = new Map<Fact<unknown>, Promise<Answer<unknown>>>();
  const look = <Value>(fact: Fact<Value>): Promise<Answer<Value>> => {
    const answer = answers.get(fact) ?? read(fact);
    answers.set(fact, answer);
    return answer as Promise<Answer<Value>>;
  };
  async function read<Value>(fact: Fact<Value>): Promise<Answer<Value>> {
    const startedAt = performance.now();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new NoAnswer(`no answer within ${answerMsMax / 1_000} s`)),
      answerMsMax,
    );
    const taken = () => ({
      takenAtMs: services.clock(),
      tookMs: Math.round(performance.now() - startedAt),
    });
    try {
      const reading = services.temporal.withDeadline(Date.now() + answerMsMax, () =>
        fact(services, look),
      );
      const value = await Promise.race([reading, late.promise]);
      return { ...taken(), isAway: false, value };
    } catch (error) {
      onAway(error);
      return { ...taken(), isAway: true, error };
    } finally {
      clearTimeout(timer);
    }
  }
  return look;
}
