import type { Command } from '../command.ts';

/** A command before its file is loaded, so that `plants list` does not load the worker's modules. */
export interface CommandEntry {
  name: string;
  /** One line for the overview. */
  summary: string;
  /** It does not wait for an embedded stack that is being started: it belongs to that start, or needs none. */
  waitsForNothing?: true;
  load(): Promise<Command>;
}

/** By name, in the order of the overview. */
const table: Readonly<Record<string, Omit<CommandEntry, 'name'>>> = {
  start: {
    summary: 'bring up PostgreSQL, Redis and Temporal, the demo plants, the workers and the API',
    waitsForNothing: true,
    load: async () => (await import('../demo/commands/start.ts')).start,
  },
  worker: {
    summary: 'run the workers: all queues, or those in WORKER_QUEUES',
    waitsForNothing: true,
    load: async () => (await import('./system/worker.ts')).worker,
  },
  'worker:gateways': {
    summary: 'poll the gateways, in a process of its own',
    waitsForNothing: true,
    load: async () => (await import('./gateways/worker-gateways.ts')).workerGateways,
  },
  api: {
    summary: 'serve the REST API and the pages',
    waitsForNothing: true,
    load: async () => (await import('./system/api.ts')).api,
  },
  migrate: {
    summary: 'bring the database to the newest schema',
    waitsForNothing: true,
    load: async () => (await import('./system/migrate.ts')).migrate,
  },
  seed: {
    summary: "create the demo's twelve plants with their past, once, and generated ones",
    waitsForNothing: true,
    load: async () => (await import('../demo/commands/seed.ts')).seed,
  },
  'plants list': {
    summary: 'list the fleet, worst first',
    load: async () => (await import('./plants/plants-list.ts')).plantsList,
  },
  'plants show': {
    summary: 'show everything known about one plant',
    load: async () => (await import('./plants/plants-show.ts')).plantsShow,
  },
  'plants poll': {
    summary: 'poll plants now and print the outcome',
    load: async () => (await import('./plants/plants-poll.ts')).plantsPoll,
  },
  'plants pause': {
    summary: 'stop polling, until resumed or until a time',
    load: async () => (await import('./plants/plants-pause.ts')).plantsPause,
  },
  'plants resume': {
    summary: 'poll again, at once',
    load: async () => (await import('./plants/plants-resume.ts')).plantsResume,
  },
  'plants set': {
    summary: 'change interval, name, zone, place or capacity',
    load: async () => (await import('./plants/plants-set.ts')).plantsSet,
  },
  'plants move': {
    summary: 'let a plant log in by another account',
    load: async () => (await import('./plants/plants-move.ts')).plantsMove,
  },
  'plants remove': {
    summary: 'remove a wrong plant; its ledger is kept for a while',
    load: async () => (await import('./plants/plants-remove.ts')).plantsRemove,
  },
  'plants add': {
    summary: 'add one plant',
    load: async () => (await import('./plants/plants-add.ts')).plantsAdd,
  },
  'plants import': {
    summary: 'add a fleet from a CSV file: all of it or nothing',
    load: async () => (await import('./plants/plants-import.ts')).plantsImport,
  },
  'plants credentials': {
    summary: 'store the credentials of an account, from standard input',
    load: async () => (await import('./plants/plants-credentials.ts')).plantsCredentials,
  },
  'plants backfill': {
    summary: "fill past days from the vendor's series",
    load: async () => (await import('./plants/plants-backfill.ts')).plantsBackfill,
  },
  why: {
    summary: "explain a plant's colour: the rule and its inputs, now or --at a time",
    load: async () => (await import('./plants/why.ts')).why,
  },
  'alerts list': {
    summary: 'list open alerts, worst first; --history shows resolved ones',
    load: async () => (await import('./plants/alerts-list.ts')).alertsList,
  },
  'alerts ack': {
    summary: 'acknowledge an alert, with a comment',
    load: async () => (await import('./plants/alerts-ack.ts')).alertsAck,
  },
  'alerts silence': {
    summary: 'announce nothing of plants until a time',
    load: async () => (await import('./plants/alerts-silence.ts')).alertsSilence,
  },
  'users add': {
    summary: 'let somebody sign in, with a role',
    load: async () => (await import('./people/users-add.ts')).usersAdd,
  },
  'users list': {
    summary: 'list people who may sign in',
    load: async () => (await import('./people/users-list.ts')).usersList,
  },
  'users set': {
    summary: "change somebody's role or customer",
    load: async () => (await import('./people/users-set.ts')).usersSet,
  },
  'users reset': {
    summary: 'give somebody a new password; all their sessions end',
    load: async () => (await import('./people/users-reset.ts')).usersReset,
  },
  'users remove': {
    summary: "end somebody's access",
    load: async () => (await import('./people/users-remove.ts')).usersRemove,
  },
  'users link': {
    summary: 'create a link that signs somebody in once',
    load: async () => (await import('./people/users-link.ts')).usersLink,
  },
  'notifications list': {
    summary: 'list deliveries of messages with their attempts, the newest first',
    load: async () => (await import('./notifications/notifications-list.ts')).notificationsList,
  },
  'notifications retry': {
    summary: 'try a delivery again that failed or was given up',
    load: async () => (await import('./notifications/notifications-retry.ts')).notificationsRetry,
  },
  'notifications test': {
    summary: 'send a test message and print what the server said',
    load: async () => (await import('./notifications/notifications-test.ts')).notificationsTest,
  },
  'notifications routes list': {
    summary: 'show who is told what, when and on which channel',
    load: async () =>
      (await import('./notifications/notifications-routes-list.ts')).notificationsRoutesList,
  },
  'notifications routes add': {
    summary: 'add a route: who is told what, when and on which channel',
    load: async () =>
      (await import('./notifications/notifications-routes-add.ts')).notificationsRoutesAdd,
  },
  'notifications routes set': {
    summary: 'change who is told what, when and on which channel',
    load: async () =>
      (await import('./notifications/notifications-routes-set.ts')).notificationsRoutesSet,
  },
  'notifications routes remove': {
    summary: 'remove a route: nobody is told by it any more',
    load: async () =>
      (await import('./notifications/notifications-routes-remove.ts')).notificationsRoutesRemove,
  },
  'notifications channels list': {
    summary: 'list channels with their last success and last error',
    load: async () =>
      (await import('./notifications/notifications-channels-list.ts')).notificationsChannelsList,
  },
  'notifications channels add': {
    summary: 'add a channel, whose settings come from standard input',
    load: async () =>
      (await import('./notifications/notifications-channels-add.ts')).notificationsChannelsAdd,
  },
  'notifications channels set': {
    summary: 'rename a channel, or replace its settings from standard input',
    load: async () =>
      (await import('./notifications/notifications-channels-set.ts')).notificationsChannelsSet,
  },
  'notifications channels remove': {
    summary: 'remove a channel that no route leads to',
    load: async () =>
      (await import('./notifications/notifications-channels-remove.ts'))
        .notificationsChannelsRemove,
  },
  'problems list': {
    summary: 'list what needs a person and is no alert of a plant',
    load: async () => (await import('./notifications/problems-list.ts')).problemsList,
  },
  'problems ack': {
    summary: 'acknowledge a problem, with a comment',
    load: async () => (await import('./notifications/problems-ack.ts')).problemsAck,
  },
  'demo break': {
    summary: 'take a recorded vendor away for a while, or let a simulated gateway misbehave',
    load: async () => (await import('../demo/commands/demo-break.ts')).demoBreak,
  },
  'adapters replay': {
    summary: 'show what an adapter makes of recorded answers',
    waitsForNothing: true,
    load: async () => (await import('./plants/adapters-replay.ts')).adaptersReplay,
  },
  'gateways list': {
    summary: 'list gateways, the worst first',
    load: async () => (await import('./gateways/gateways-list.ts')).gatewaysList,
  },
  'gateways show': {
    summary: 'show everything known about one gateway',
    load: async () => (await import('./gateways/gateways-show.ts')).gatewaysShow,
  },
  'gateways add': {
    summary: 'add a gateway by its preset',
    load: async () => (await import('./gateways/gateways-add.ts')).gatewaysAdd,
  },
  'gateways import': {
    summary: 'add all gateways of a CSV or JSON file, or none',
    load: async () => (await import('./gateways/gateways-import.ts')).gatewaysImport,
  },
  'gateways export': {
    summary: 'write definitions in the form that import reads',
    load: async () => (await import('./gateways/gateways-export.ts')).gatewaysExport,
  },
  'gateways set': {
    summary: 'change a gateway',
    load: async () => (await import('./gateways/gateways-set.ts')).gatewaysSet,
  },
  'gateways pause': {
    summary: 'stop polling gateways until they are resumed',
    load: async () => (await import('./gateways/gateways-pause.ts')).gatewaysPause,
  },
  'gateways resume': {
    summary: 'poll gateways again, also disabled ones',
    load: async () => (await import('./gateways/gateways-resume.ts')).gatewaysResume,
  },
  'gateways remove': {
    summary: 'remove gateways for good',
    load: async () => (await import('./gateways/gateways-remove.ts')).gatewaysRemove,
  },
  'gateways points': {
    summary: 'list the data points of a gateway',
    load: async () => (await import('./gateways/gateways-points.ts')).gatewaysPoints,
  },
  'gateways readings': {
    summary: 'show the newest readings, or all of a time as CSV',
    load: async () => (await import('./gateways/gateways-readings.ts')).gatewaysReadings,
  },
  'gateways poll': {
    summary: 'poll a gateway now and print its values',
    load: async () => (await import('./gateways/gateways-poll.ts')).gatewaysPoll,
  },
  'gateways read': {
    summary: 'read registers through the worker that walks the gateway',
    load: async () => (await import('./gateways/gateways-read.ts')).gatewaysRead,
  },
  'gateways decode': {
    summary: 'show what recorded Modbus frames say, poll by poll',
    waitsForNothing: true,
    load: async () => (await import('./gateways/gateways-decode.ts')).gatewaysDecode,
  },
  'gateways discover': {
    summary: 'ask a gateway for its units, functions, SunSpec models and byte order',
    waitsForNothing: true,
    load: async () => (await import('./gateways/gateways-discover.ts')).gatewaysDiscover,
  },
  'gateways test': {
    summary: 'connect to an address or a gateway, read once and save nothing',
    load: async () => (await import('./gateways/gateways-test.ts')).gatewaysTest,
  },
  'gateways validate': {
    summary: 'say what of a gateway would not work before it is polled',
    waitsForNothing: true,
    load: async () => (await import('./gateways/gateways-validate.ts')).gatewaysValidate,
  },
  'gateways presets': {
    summary: 'list the presets of devices, or show the points of one',
    waitsForNothing: true,
    load: async () => (await import('./gateways/gateways-presets.ts')).gatewaysPresets,
  },
  diagnose: {
    summary: 'say what is wrong, part by part; --fix mends what may be mended',
    load: async () => (await import('./system/diagnose.ts')).diagnose,
  },
  'polling start': {
    summary: 'poll gateways and plants again; --all lifts the emergency stop',
    load: async () => (await import('./system/polling-start.ts')).pollingStart,
  },
  'polling stop': {
    summary: 'stop gateways and plants until they are started; --all stops all polling',
    load: async () => (await import('./system/polling-stop.ts')).pollingStop,
  },
  'polling status': {
    summary: 'show whether plants and gateways are polled, and by whom',
    load: async () => (await import('./system/polling-status.ts')).pollingStatus,
  },
  'polling validate': {
    summary: 'as validate, also of single gateways and plants',
    load: async () => (await import('./system/polling-validate.ts')).pollingValidate,
  },
  'polling audit': {
    summary: 'as audit, also of single gateways and plants',
    load: async () => (await import('./system/polling-audit.ts')).pollingAudit,
  },
  'polling reset': {
    summary: 'stop all polling, clear our own locks and leases, reconcile, and start',
    load: async () => (await import('./system/polling-reset.ts')).pollingReset,
  },
  setup: {
    summary:
      'check what an installation needs; --systemd writes units, settings and database roles',
    waitsForNothing: true,
    load: async () => (await import('./system/setup.ts')).setup,
  },
  audit: {
    summary: 'check that no slot was lost or polled twice, and all other invariants',
    load: async () => (await import('./system/audit.ts')).audit,
  },
  status: {
    summary: 'show workers, loops, polls and lateness of the last hour, problems first',
    load: async () => (await import('./system/status.ts')).status,
  },
  validate: {
    summary: 'check that every plant and gateway that is due is watched, and no slot is overdue',
    load: async () => (await import('./system/validate.ts')).validate,
  },
  prune: {
    summary: 'delete old rows of the ledger and old notifications, after showing them and asking',
    load: async () => (await import('./system/prune.ts')).prune,
  },
  'histories export': {
    summary: 'write the histories of running loops to files, for histories replay',
    load: async () => (await import('./system/histories-export.ts')).historiesExport,
  },
  'histories replay': {
    summary: 'check before a deploy that this code replays exported histories',
    waitsForNothing: true,
    load: async () => (await import('./system/histories-replay.ts')).historiesReplay,
  },
  'keys rotate': {
    summary: 'seal all credentials with MASTER_KEY_CURRENT, while everything runs',
    load: async () => (await import('./system/keys-rotate.ts')).keysRotate,
  },
};

export const commands: readonly CommandEntry[] = Object.entries(table).map(([name, entry]) => ({
  name,
  ...entry,
}));
