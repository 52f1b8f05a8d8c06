import { expect } from 'vitest';

import { createNotificationLoops } from '../../operations/notifications/loops.ts';
import { runTestCommand } from '../support/command-line.ts';
import { startReceiver } from '../support/http-receiver.ts';
import { fleet, test } from '../support/test-fleet.ts';
import { startTestWorker, stopWorker } from '../support/workers.ts';

/** The first channel of a kind, before the reconciliation has seen it. */

test('a test of the first channel of a kind starts the loop of that kind, without the reconciliation', async ({
  onTestFinished,
}) => {
  const hook = await startReceiver();
  onTestFinished(() => hook.close());
  const worker = await startTestWorker(fleet, { reconcile: false });
  onTestFinished(() => stopWorker(worker));
  const loops = createNotificationLoops(fleet.client);
  expect(await loops.signalChanged('SLACK')).toBe(false);
  const add = ['notifications', 'channels', 'add', 'chat', '--kind', 'slack'];
  const settings = { env: fleet.env, input: `url=${hook.url}\n` };
  expect(await runTestCommand(add, settings)).toMatchObject({ code: 0 });
  const send = ['notifications', 'test', '--channel', 'chat', '--timeout', '60'];
  expect(await runTestCommand(send, { env: fleet.env })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(': SENT\n'),
  });
  expect(hook.received).toHaveLength(1);
  expect(await loops.signalChanged('SLACK')).toBe(true);
}, 180_000);
