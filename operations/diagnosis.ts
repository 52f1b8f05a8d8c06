import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { Database } from '../db/tables.ts';

/**
 * One diagnosis of the running system, by the components that it is handed. `/health`, the System page, `heliograph status`
 * and `heliograph validate` show what it finds.
 */

/** `down` is what must be acted on now. `degraded` is something missing, with which the system goes on. */
export type State = 'ok' | 'degraded' | 'down';

export interface Judgement {
  state: State;
  /** What was measured or is wrong: a whole sentence, which stands alone. */
  sentence: string;
  /** What to do about it. */
  advice?: string;
  /** By which findings of single subjects are grouped, such as LOOP_MISSING; absent: by their component. */
  kind?: string;
  /** Of which subject this is, and when, as JSON shows it: `{ plant_id: 'solis-canal' }`. */
  facts?: Readonly<Record<string, string | null>>;
}

/** A judgement of a component, and when its facts were read, ms since the epoch. */
export interface Finding extends Judgement {
  component: string;
  takenAtMs: number;
}

/** What a diagnosis may ask. */
export interface Services {
  db: Kysely<Database>;
  temporal: Client;
  /** null where no Redis is configured. Rejects while Redis is away. */
  askRedis: (() => Promise<{ evictionPolicy: string | null }>) | null;
  /** ms since the epoch. */
  clock: () => number;
}

/** Reads one thing. A rule or a view names the fact, and `look` reads it once for all that name it. */
export type Fact<Value> = (services: Services, look: Look) => Promise<Value>;

export type Look = <Value>(fact: Fact<Value>) => Promise<Answer<Value>>;

/** What a fact was, when it was read and how long that took; or that it could not be read, and why. */
export type Answer<Value> = { takenAtMs: number; tookMs: number } & (
  | { isAway: false; value: Value }
  | { isAway: true; error: unknown }
);

/** A part of the system, with the rule that judges it. */
export interface Component<Value = unknown> {
  name: string;
  fact: Fact<Value>;
  /** null: there is no such part here. */
  judge(value: Value, at: { takenAtMs: number; tookMs: number }): Judgement | null;
  /** Said when the fact cannot be read. */
  away: Judgement;
  /** Looks at each subject of the component by itself, which takes long: only `heliograph validate` asks for it. */
  inspection?: Fact<Inspection>;
}

export interface Inspection {
  /** As JSON has them: `{ plants: 12, on_time: 11 }`. */
  counts: Readonly<Record<string, number>>;
  /** The counts in words. */
  summary: string;
  /** Only of what is wrong. */
  judgements: readonly Judgement[];
}

export interface Diagnosis {
  /** That of the worst finding. */
  state: State;
  findings: Finding[];
  /** Shows the facts behind the findings, and others of about the same time. */
  look: Look;
}

const severity = { ok: 0, degraded: 1, down: 2 } as const satisfies Record<State, number>;

/** Judges every component, in their order. A fact that cannot be read is a finding, not an error. */
export async function diagnose(components: readonly Component[], look: Look): Promise<Diagnosis> {
  const judged = await Promise.all(components.map((component) => examine(component, look)));
  const findings = judged.flat();
  const states = findings.map(({ state }) => state);
  const worst = states.reduce((a, b) => (severity[b] > severity[a] ? b : a), 'ok');
  return { state: worst, findings, look };
}

async function examine(component: Component, look: Look): Promise<Finding[]> {
  const answer = await look(component.fact);
  const judgement = answer.isAway ? component.away : component.judge(answer.value, answer);
  if (judgement === null) return [];
  return [{ ...judgement, component: component.name, takenAtMs: answer.takenAtMs }];
}

/**
 * Looks at every subject of the components that can be inspected, and judges the others as `diagnose` does. Components may
 * share an inspection.
 *
 * @returns findings only of what is wrong.
 * @throws what the services throw when an inspection cannot be made.
 */
export async function inspect(
  components: readonly Component[],
  look: Look,
): Promise<{ inspections: Inspection[]; findings: Finding[] }> {
  const inspections = new Set<Inspection>();
  const parts = await Promise.all(
    components.map(async (component) => {
      if (component.inspection === undefined) return examine(component, look);
      const answer = await look(component.inspection);
      const inspection = valueOf(answer);
      if (inspections.has(inspection)) return [];
      inspections.add(inspection);
      const of = { component: component.name, takenAtMs: answer.takenAtMs };
      return inspection.judgements.map((each): Finding => ({ ...each, ...of }));
    }),
  );
  return {
    inspections: [...inspections],
    findings: parts.flat().filter(({ state }) => state !== 'ok'),
  };
}

/** @throws what the service threw, where it is away. */
export function valueOf<Value>(answer: Answer<Value>): Value {
  if (answer.isAway) throw answer.error;
  return answer.value;
}

class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/**
 * Reads facts, each of them once however many ask for it.
 *
 * @param answerMsMax a fact that takes longer counts as away.
 * @param onAway is told why a fact could not be read; the answer may be public and does not say.
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
