import { type AuditedLoops, auditedLoops, compareLoops } from './check-loops.ts';
import { pulse } from './figures.ts';
import { askEach } from '../ask-each.ts';
import { type Fact, type Inspection, type Judgement, valueOf } from '../diagnosis.ts';
import { queueViews } from '../queues.ts';
import { listWatchedPlants, type WatchedPlant } from '../../db/plants/polling.ts';
import { counted } from '../../domain/wording.ts';
import { pollQueue, pollWorkflowId } from '../../workflows/plants/messages.ts';

/** Checks plant by plant whether every ACTIVE plant is watched now: it has its loop, and none of its slots is overdue. */

/** A new plant has its loop and its period within a minute. */
const settledWithinMs = 60_000;

type OverduePlant = WatchedPlant & { due_at: Date };

export const inspectPlants: Fact<Inspection> = async ({ db, temporal, clock }, look) => {
  const loops = auditedLoops(temporal);
  const nowMs = clock();
  const { plants: watched, missing } = await compareLoops(loops, () =>
    listWatchedPlants(db, nowMs),
  );
  const { plants } = valueOf(await look(pulse));
  const missingIds = new Set(missing.map(({ id }) => id));
  const overdue = watched.filter(
    (plant): plant is OverduePlant => plant.unpolled && plant.due_at !== null,
  );
  const views = valueOf(await look(queueViews));
  const unserved = new Set(
    views.filter((view) => view.workers.length === 0).map(({ queue }) => queue),
  );
  const isSettled = (since: Date) => since.getTime() < nowMs - settledWithinMs;
  const unplanned = watched.filter(
    ({ id, period_from, activated_at }) =>
      period_from === null && !missingIds.has(id) && isSettled(activated_at),
  );
  const judgements = [
    ...missing
      .filter(({ created_at }) => isSettled(created_at))
      .map((plant) =>
        judged('LOOP_MISSING', plant, `No workflow ${pollWorkflowId(plant.id)} runs.`),
      ),
    ...unplanned.map((plant) => {
      const sentence = 'Its loop runs, and has not opened the period in which it is due.';
      return judged('NOT_PLANNED', plant, sentence);
    }),
    ...(await askEach(overdue, async (plant) => {
      const dueS = Math.round((nowMs - plant.due_at.getTime()) / 1_000);
      const why = await whyOverdue(plant, { missingIds, unserved, loops });
      const sentence = `The slot is due for ${dueS} s and has no row: ${why}.`;
      return judged('SLOT_OVERDUE', plant, sentence, plant.due_at);
    })),
  ];
  const counts = {
    plants,
    active: watched.length,
    with_loop: watched.length - missing.length,
    on_time: watched.length - overdue.length,
  };
  const summary = `${counted(plants, 'plant')}, ${counts.active} ACTIVE: ${counts.with_loop} with a loop, ${counts.on_time} without an overdue slot`;
  return { counts, summary, judgements };
};

/** What a person does about a finding of each kind. */
const advice = {
  LOOP_MISSING:
    'A running worker starts it within a minute; `heliograph audit --fix` starts it now.',
  NOT_PLANNED:
    "See the loop's newest events in the Temporal Web UI; `heliograph audit --fix` tells it to look again.",
  SLOT_OVERDUE:
    'The end of each sentence says why. If the loop is not at the slot, see the loop in the Temporal Web UI and the log of its worker.',
} as const;

function judged(
  kind: keyof typeof advice,
  { id }: WatchedPlant,
  sentence: string,
  at: Date | null = null,
): Judgement {
  const facts = { plant_id: id, at: at?.toISOString() ?? null };
  return { kind, state: 'degraded', facts, sentence, advice: advice[kind] };
}

/** Asks the loop itself only if nothing else explains the overdue slot. */
async function whyOverdue(
  { id, brand }: WatchedPlant,
  seen: { missingIds: ReadonlySet<string>; unserved: ReadonlySet<string>; loops: AuditedLoops },
): Promise<string> {
  if (seen.missingIds.has(id)) return 'its loop is missing';
  const queue = pollQueue(brand);
  if (seen.unserved.has(queue)) return `no worker serves ${queue}`;
  const polling = await seen.loops.findPolling(id);
  if (polling === 'NO_ANSWER') return 'its loop does not answer';
  if (polling === null) return 'its loop answers, and is not at it';
  return `its loop is at the poll of ${new Date(polling).toISOString()}`;
}
