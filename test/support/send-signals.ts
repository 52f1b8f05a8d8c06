import { Client, Connection } from '@temporalio/client';

/**
 * Sends a burst of signals, from a process of its own: a sender in the worker's process would starve the worker itself.
 * Arguments: address, namespace, workflow id, signal, how many, how many at once. Prints how many were accepted, and when the
 * last of them was sent.
 */
const [address = '', namespace = '', workflowId = '', signal = '', count = '0', atOnce = '1'] =
  process.argv.slice(2);
const connection = await Connection.connect({ address });
const handle = new Client({ connection, namespace }).workflow.getHandle(workflowId);
let accepted = 0;
let started = 0;
let lastSentAtMs = 0;
async function send(): Promise<void> {
  while (started < Number(count)) {
    started += 1;
    lastSentAtMs = Date.now();
    await handle.signal(signal);
    accepted += 1;
  }
}
const senders = await Promise.allSettled(Array.from({ length: Number(atOnce) }, send));
const refused = senders.find((sender) => sender.status === 'rejected');
process.stdout.write(
  `${JSON.stringify({ accepted, refused: refused === undefined ? null : String(refused.reason), lastSentAtMs })}\n`,
);
await connection.close();
