/**
 * A process that delivers what is due and, if it is told to, kills itself after it has sent a message and before it has recorded
 * that. Started by a test; its plan comes in `HELIOGRAPH_DELIVERING`.
 */

import { createDeliver } from '../../activities/notifications/deliver.ts';
import type { NotificationDeps } from '../../activities/notifications/deps.ts';
import { createEmailChannel } from '../../adapters/notifications/email/email.ts';
import { openDatabase } from '../../db/database.ts';
import { testNotice } from './notices.ts';

export interface DeliveringPlan {
  databaseUrl: string;
  mailPort: number;
  /** What the process takes for now, ms since the epoch. */
  nowMs: number;
  /** It kills itself after so many messages; null: never. */
  diesAfter: number | null;
}

const plan = JSON.parse(process.env['HELIOGRAPH_DELIVERING'] ?? '') as DeliveringPlan;
const db = openDatabase({ url: plan.databaseUrl });
const plain = { tls: 'none', username: null, password: null } as const;
let sent = 0;
const deps: NotificationDeps = {
  db,
  locks: undefined as never,
  lockDomain: 'test',
  clock: () => plan.nowMs,
  log: { info() {}, warn() {}, error() {} },
  notices: {
    THING: async (_, rows) =>
      rows.map(({ id, subjectId }) => testNotice({ notificationId: id, name: subjectId })),
  },
  readBrief: async () => [],
  findTrouble: async () => null,
  findUnsubscribeToken: async () => null,
  openChannel: async () =>
    createEmailChannel({
      host: '127.0.0.1',
      port: plan.mailPort,
      from: 'sun@heliograph.test',
      ...plain,
    }),
  publicUrl: null,
  async checkpoint(name) {
    if (name !== 'after sending a message') return;
    sent += 1;
    if (sent === plan.diesAfter) process.kill(process.pid, 'SIGKILL');
  },
};
const context = {
  workflowId: 'notifications:email',
  runId: 'r',
  isLocal: false,
  signal: new AbortController().signal,
  heartbeat() {},
};
await createDeliver(deps, () => context)({ kind: 'EMAIL', nowMs: plan.nowMs });
await db.destroy();
