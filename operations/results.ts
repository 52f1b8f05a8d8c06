import type { ReaderZone } from '../domain/zone.ts';
import {
  type Component,
  diagnose,
  type Finding,
  type Inspection,
  inspect,
  type Look,
  type State,
} from './diagnosis.ts';

/** The diagnosis by the parts of the system, with every single issue: what `heliograph diagnose` and the API show. */

export type ResultStatus = 'healthy' | 'warning' | 'error';

export interface DiagnosticResult {
  component: string;
  status: ResultStatus;
  message: string;
  details: {
    /** What was judged in this part. */
    checks: { name: string; status: ResultStatus; message: string }[];
    /** What is wrong, one by one. */
    issues: Issue[];
    [figure: string]: unknown;
  };
  recommendations: string[];
  /** Whether `heliograph diagnose --fix` can mend something of it. */
  can_auto_fix: boolean;
}

/** One thing that is wrong: its word, what it is about, and what it is. */
export interface Issue {
  issue: string;
  plant_id: string | null;
  gateway_id: string | null;
  shard: number | null;
  at: string | null;
  message: string;
}

export interface WholeDiagnosis {
  status: ResultStatus;
  results: DiagnosticResult[];
}

/** The parts that every diagnosis names, in this order; others follow them. */
const parts = [
  'database',
  'redis',
  'temporal',
  'workers',
  'queues',
  'shards',
  'loops',
  'gateways',
  'clock',
] as const;

/** The words of findings of older views. */
const issueWords: Readonly<Record<string, string>> = {
  QUEUE_WITHOUT_WORKER: 'worker_absent',
  LOOP_MISSING: 'missing_polling',
  NOT_PLANNED: 'missing_polling',
  SLOT_OVERDUE: 'overdue_polling',
};

/** Kinds of findings that a repair can mend. */
const fixableKinds: ReadonlySet<string> = new Set([
  'LOOP_MISSING',
  'NOT_PLANNED',
  'orphaned_lock',
  'stuck_activity',
]);

const statusOf = { ok: 'healthy', degraded: 'warning', down: 'error' } as const satisfies Record<
  State,
  ResultStatus
>;
const rank = { healthy: 0, warning: 1, error: 2 } as const;

/** Judges every component, and looks at each subject of those that have an inspection. */
export async function diagnoseWhole(
  components: readonly Component[],
  look: Look,
  zone: ReaderZone = null,
): Promise<WholeDiagnosis> {
  const { findings } = await diagnose(components, look, zone);
  const single = await inspectWhatAnswers(components, look, zone);
  const names = [...new Set([...parts, ...findings.map(({ part }) => part)])];
  const results = names.map((part) =>
    resultOf(
      part,
      findings.filter((finding) => finding.part === part),
      single.filter((finding) => finding.part === part && finding.facts !== undefined),
    ),
  );
  return { status: worst(results.map(({ status }) => status)), results };
}

/** A component whose inspection cannot be made has said so in its finding. */
async function inspectWhatAnswers(
  components: readonly Component[],
  look: Look,
  zone: ReaderZone,
): Promise<Finding[]> {
  const readable: Component[] = [];
  const inspections = new Map<Component['inspection'], boolean>();
  for (const component of components) {
    const { inspection } = component;
    if (inspection !== undefined && !inspections.has(inspection))
      inspections.set(inspection, !(await look<Inspection>(inspection)).isAway);
    if (inspection === undefined || inspections.get(inspection) === true) readable.push(component);
  }
  return (await inspect(readable, look, zone)).findings;
}

function resultOf(
  part: string,
  findings: readonly Finding[],
  single: readonly Finding[],
): DiagnosticResult {
  const issues = [...findings.filter(isIssueOfItsOwn).map(issueOf), ...single.map(issueOf)].filter(
    isFirst,
  );
  const wrong = findings.filter(({ state }) => state !== 'ok');
  const status = worst([
    ...findings.map(({ state }) => statusOf[state]),
    ...(single.length > 0 ? (['warning'] as const) : []),
  ]);
  const said = (wrong.length > 0 ? wrong : findings).map(({ sentence }) => sentence);
  const extra = single
    .map(({ sentence }) => sentence)
    .filter((one) => !said.join(' ').includes(one));
  const message = wrong.length === 0 && single.length > 0 ? extra : said;
  const advice = [...wrong, ...single].flatMap((one) => one.advice ?? []);
  return {
    component: part,
    status,
    message: message.length === 0 ? absentSentence(part) : message.join(' '),
    details: {
      ...Object.assign({}, ...findings.map(({ details }) => details ?? {})),
      checks: findings.map(({ component, state, sentence }) => ({
        name: component,
        status: statusOf[state],
        message: sentence,
      })),
      issues,
    },
    recommendations: [...new Set(advice)],
    can_auto_fix: [...wrong, ...single].some(
      ({ kind, canAutoFix = false }) => canAutoFix || fixableKinds.has(kind ?? ''),
    ),
  };
}

/** A finding about no single subject that has a word, such as an absent worker. */
function isIssueOfItsOwn({ state, kind, subjects = [] }: Finding): boolean {
  return state !== 'ok' && kind !== undefined && subjects.length === 0;
}

function isFirst(issue: Issue, index: number, all: readonly Issue[]): boolean {
  const text = JSON.stringify(issue);
  return all.findIndex((other) => JSON.stringify(other) === text) === index;
}

function issueOf({ kind, component, facts = {}, sentence }: Finding): Issue {
  const word = kind ?? component;
  const shard = facts['shard'] ?? null;
  return {
    issue: issueWords[word] ?? word.toLowerCase(),
    plant_id: facts['plant_id'] ?? null,
    gateway_id: facts['gateway_id'] ?? null,
    shard: shard === null ? null : Number(shard),
    at: facts['at'] ?? null,
    message: sentence,
  };
}

function absentSentence(part: string): string {
  return part === 'redis'
    ? 'No Redis is configured: PostgreSQL alone keeps polls apart.'
    : 'This system has no such part.';
}

function worst(statuses: readonly ResultStatus[]): ResultStatus {
  return statuses.reduce((a, b) => (rank[b] > rank[a] ? b : a), 'healthy');
}
