import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  ContinueAsNew,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';

import type { Closing } from '../../activities/plants/contract.ts';
import { currentDetails } from './current-details.ts';
import { closeDay } from './daily-close.ts';
import { type LoopEffects, PlantLoop, type Turn } from './loop.ts';
import {
  dailyWorkflowId,
  dayClosedSignal,
  type MonitorInput,
  notedPollNowUpdate,
  pauseSignal,
  plantChangedSignal,
  plantStateQuery,
  pollNowSignal,
  resumeSignal,
} from './messages.ts';
import { pollPlant } from './poll.ts';
import { pollEffects, step } from './steps.ts';

const plantStatusKey = defineSearchAttributeKey('PlantStatus', SearchAttributeType.KEYWORD);

/** As the ledger takes it. */
const requestIdLengthMax = 64;
/** After an error that is ours, the loop waits this long before it goes on: it never fails and never spins. */
const ownErrorWaitMs = 30_000;

/** One plant's loop in Temporal: waits for its slot, polls, waits again; for ever. */
export async function monitorPlant(input: MonitorInput): Promise<void> {
  const { plantId } = input;
  const loop = new PlantLoop(input, effectsOf(plantId));
  hear(loop, plantId);
  for (;;) {
    try {
      const turn = await loop.turn();
      if (turn.kind === 'NEW_RUN') await makeContinueAsNewFunc<typeof monitorPlant>({})(turn.input);
      if (turn.kind === 'WAIT') await waitForWork(loop, turn);
      if (turn.kind === 'GONE') {
        log.info('the plant is gone: its loop ends', { plantId });
        await condition(allHandlersFinished);
        return;
      }
    } catch (error) {
      // Continue-as-new leaves a workflow as an error.
      if (isCancellation(error) || error instanceof ContinueAsNew) throw error;
      log.error('the loop met an error of its own and goes on', { plantId, error });
      await sleep(ownErrorWaitMs);
      loop.lookAgain();
    }
  }
}

async function waitForWork(
  loop: PlantLoop,
  { untilMs, dueKind }: Extract<Turn, { kind: 'WAIT' }>,
): Promise<void> {
  const hasWork = () => loop.hasWork();
  if (untilMs === null) return condition(hasWork);
  const summary = dueKind === 'CLOSING' ? 'closing' : 'slot';
  await condition(hasWork, Math.max(1, untilMs - Date.now()), { summary });
}

function effectsOf(plantId: string): LoopEffects {
  return {
    nowMs: () => Date.now(),
    random: () => Math.random(),
    sleep: (ms) => sleep(ms),
    async waitUntil(holds, ms) {
      await condition(holds, ms);
    },
    planPlant: (args) => step('planPlant', args),
    evaluatePlant: (args) => step('evaluatePlant', args),
    setIntegration: (args) => step('setIntegration', args),
    writeMissed: (args, path) => pollEffects.steps(path).writeMissed(args),
    poll: (request) => pollPlant(request, pollEffects),
    startClosing: (closing) => startClosing(plantId, closing),
    showDetails: (state) => setCurrentDetails(currentDetails(state)),
    showStatus: (status) => upsertSearchAttributes([{ key: plantStatusKey, value: status }]),
    isHistoryLong: () => workflowInfo().continueAsNewSuggested,
    areHandlersFinished: allHandlersFinished,
  };
}

async function startClosing(plantId: string, { date, atMs }: Closing): Promise<void> {
  try {
    await startChild(closeDay, {
      workflowId: dailyWorkflowId(plantId, date),
      args: [{ plantId, date, atMs }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: `closing of ${date}`,
    });
  } catch (error) {
    // Started before, by this loop or the one before it: that is what was wanted.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Hands the loop its messages; it acts on them at its next turn. */
function hear(loop: PlantLoop, plantId: string): void {
  setHandler(pollNowSignal, () => void loop.ask(), { description: 'Poll at once.' });
  setHandler(
    notedPollNowUpdate,
    async (note) => {
      const request = loop.ask(note?.request_id);
      await condition(() => loop.isServed(request));
      if (loop.answer === null) throw notActive(plantId, loop);
      return loop.answer;
    },
    {
      description: "Poll at once and answer with that poll's outcome.",
      validator: (note) => {
        if (!isRequestNote(note)) {
          throw ApplicationFailure.nonRetryable(
            `pollNow takes nothing, or {"request_id": "1 to ${requestIdLengthMax} characters"}`,
            'INVALID_INPUT',
          );
        }
        if (!loop.mayPoll()) throw notActive(plantId, loop);
      },
    },
  );
  setHandler(pauseSignal, () => loop.wishIntegration('DISABLED_BY_OPERATOR'), {
    description: 'Stop polling until resumed.',
  });
  setHandler(resumeSignal, () => loop.wishIntegration('ACTIVE'), {
    description: 'Poll again, at once.',
  });
  setHandler(plantChangedSignal, () => loop.lookAgain(), {
    description: 'The row of the plant changed: look again.',
  });
  setHandler(dayClosedSignal, (verdict) => loop.takeVerdict(verdict), {
    description: 'A day was closed.',
  });
  setHandler(plantStateQuery, () => loop.plantState(), {
    description: 'What the loop knows of its plant.',
  });
}

/** Checks what a person sends with the Web UI or the CLI of Temporal, which may be anything. */
function isRequestNote(note: unknown): boolean {
  if (note === undefined || note === null) return true;
  if (typeof note !== 'object') return false;
  const { request_id: id } = note as { request_id?: unknown };
  if (id === undefined) return true;
  return typeof id === 'string' && id.length >= 1 && id.length <= requestIdLengthMax;
}

function notActive(
  plantId: string,
  { integrationStatus }: Pick<PlantLoop, 'integrationStatus'>,
): ApplicationFailure {
  const first =
    integrationStatus === 'PENDING_DOCS'
      ? 'set it ACTIVE when its documents are complete'
      : 'resume it first';
  return ApplicationFailure.nonRetryable(
    `plant ${plantId} is not polled: its integration_status is ${integrationStatus ?? 'not known yet'}; ${first}`,
    'NOT_ACTIVE',
  );
}
