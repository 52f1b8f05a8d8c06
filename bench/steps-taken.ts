/**
 * Optimisations of the loop, each as an edit that undoes it (KEPT), and ideas that are not in the product, each as an edit that
 * adds it (TRIED). `bench/steps.ts` measures a copy of the product with one edit against one without.
 */
export interface Step {
  name: string;
  /** KEPT: the copy lacks it. TRIED: the copy has it. */
  is: 'KEPT' | 'TRIED';
  title: string;
  /** `from` occurs once in the file. */
  edits: readonly { file: string; from: string; to: string }[];
}

const worker = 'worker/worker.ts';
const loop = 'workflows/plants/loop.ts';
const queues = 'worker/queues.ts';
const server = 'stack/temporal.ts';
const wholePoll = 'activities/plants/whole-poll.ts';

export const steps: readonly Step[] = [
  {
    name: 'one-step',
    is: 'KEPT',
    title: 'an ordinary poll is one local activity (but four)',
    edits: [
      {
        file: 'workflows/plants/poll.ts',
        from: "request.course === 'WHOLE' && request.path",
        to: 'request.path !== request.path && request.path',
      },
    ],
  },
  {
    name: 'together',
    is: 'KEPT',
    title: 'plants share the statements of their polls (but two for each)',
    edits: [{ file: wholePoll, from: 'groupSizeMax = 100', to: 'groupSizeMax = 1' }],
  },
  {
    name: 'prepared',
    is: 'KEPT',
    title: "the loop's statements are planned once a connection",
    edits: [
      {
        file: 'db/database.ts',
        from: 'preparedMark.exec(text)?.[1]',
        to: 'preparedMark.exec(text)?.[2]',
      },
      {
        file: 'db/database.ts',
        from: 'options.genericPlans === true',
        to: 'false',
      },
    ],
  },
  {
    name: 'early',
    is: 'KEPT',
    title: 'woken before the slot',
    edits: [
      {
        file: 'workflows/plants/decisions.ts',
        from: 'wokenEarlyPart = 1 / 8',
        to: 'wokenEarlyPart = 0',
      },
    ],
  },
  {
    name: 'sixteen',
    is: 'KEPT',
    title: 'sixteen polls a run (but eight)',
    edits: [{ file: loop, from: 'pollsPerRunDefault = 16', to: 'pollsPerRunDefault = 8' }],
  },
  {
    name: 'garbage',
    is: 'KEPT',
    title: "Temporal's garbage collected a third as often (GOGC 300, but 100)",
    edits: [{ file: server, from: `GOGC: '300'`, to: `GOGC: '100'` }],
  },
  {
    name: 'half-cores',
    is: 'KEPT',
    title: "Temporal's server on half of the cores (but all)",
    edits: [
      {
        file: server,
        from: 'Math.max(1, Math.floor(availableParallelism() / 2))',
        to: 'availableParallelism()',
      },
    ],
  },
  {
    name: 'timers',
    is: 'KEPT',
    title: 'Temporal looks at its timers every 100 ms (but every 10 ms)',
    edits: [
      {
        file: server,
        from: `'history.timerProcessorMaxTimeShift': '"100ms"'`,
        to: `'history.timerProcessorMaxTimeShift': '"10ms"'`,
      },
    ],
  },
  {
    name: 'slots',
    is: 'KEPT',
    title: '40 workflow tasks of a queue at once (but 12)',
    edits: [{ file: queues, from: `'LOOPS', places: 40`, to: `'LOOPS', places: 12` }],
  },
  {
    name: 'lean',
    is: 'KEPT',
    title: "workflow threads without two of the SDK's conveniences",
    edits: [
      {
        file: worker,
        from: `config.WORKFLOW_THREADS === 'lean'`,
        to: `config.WORKFLOW_THREADS !== 'lean'`,
      },
    ],
  },
  {
    name: 'uncompressed',
    is: 'KEPT',
    title: 'gRPC uncompressed on loopback',
    edits: [{ file: worker, from: 'loopback.test(address)', to: '!loopback.test(address)' }],
  },
  {
    name: 'thirty-two',
    is: 'TRIED',
    title: 'thirty-two polls a run',
    edits: [{ file: loop, from: 'pollsPerRunDefault = 16', to: 'pollsPerRunDefault = 32' }],
  },
  {
    name: 'pollers',
    is: 'TRIED',
    title:
      'three pollers a queue for workflow tasks and one for activities (the SDK: ten, and half as many)',
    edits: [
      {
        file: worker,
        from: 'queue.places,\n            sticky',
        to: `queue.places,
            workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 3 },
            activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 1 },
            sticky`,
      },
    ],
  },
  {
    name: 'all-slots',
    is: 'TRIED',
    title: '200 workflow tasks of a queue at once',
    edits: [{ file: queues, from: `'LOOPS', places: 40`, to: `'LOOPS', places: 200` }],
  },
  {
    name: 'plain-timers',
    is: 'TRIED',
    title: 'timers without a summary for the Web UI',
    edits: [
      {
        file: 'workflows/plants/plant-monitor.ts',
        from: 'untilMs - Date.now()), { summary });',
        to: 'untilMs - Date.now()));',
      },
    ],
  },
  {
    name: 'young',
    is: 'TRIED',
    title: 'a larger young generation for the threads of workflows (64 MB)',
    edits: [
      {
        file: 'worker/workflow-threads.ts',
        from: 'resourceLimits: { maxOldGenerationSizeMb: heapMb }',
        to: 'resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 64 }',
      },
    ],
  },
];
