import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';

import { type Answer, answering, startReceiver } from '../../test/support/http-receiver.ts';
import { testContent, testMessage } from '../../test/support/messages.ts';
import { testNotice } from '../../test/support/notices.ts';
import type { ChannelAdapter } from './contract.ts';
import { urlProblem } from '../../domain/notifications/url.ts';
import { createSlackChannel } from './slack/slack.ts';
import { createHeartbeatChannel, createWebhookChannel } from './webhook/webhook.ts';

/** Slack, webhook and heartbeat against a real HTTP server: one suite for all three, then what each says. */

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function receiver(...answers: Answer[]) {
  const server = await startReceiver(...answers);
  closers.push(server.close);
  return server;
}

async function send(
  channel: ChannelAdapter,
  message = testMessage(),
  signal = new AbortController().signal,
) {
  let handedOver = 0;
  const sent = await channel.send(message, {
    signal,
    handsOver: async () => {
      handedOver += 1;
    },
  });
  return { ...sent, handedOver };
}

const channels: [string, (url: string) => ChannelAdapter][] = [
  ['slack', (url) => createSlackChannel({ url })],
  ['webhook', (url) => createWebhookChannel({ url, secret: 'canary-key' })],
  ['heartbeat', (url) => createHeartbeatChannel({ url })],
];

describe.each(channels)('%s', (_, open) => {
  test('200 is sent', async () => {
    const { url, received } = await receiver();
    expect(await send(open(url))).toMatchObject({ outcome: 'SENT', handedOver: 1 });
    expect(received).toHaveLength(1);
  });

  test.each([
    [429, { 'retry-after': '120' }, 'RETRY', 120_000],
    [429, { 'retry-after': 'Tue, 01 Dec 2026 09:03:00 GMT' }, 'RETRY', 120_000],
    [429, {}, 'RETRY', 60_000],
    [429, { 'retry-after': '9999999' }, 'RETRY', 3_600_000],
    [500, {}, 'RETRY', undefined],
    [503, {}, 'RETRY', undefined],
    [404, {}, 'CHANNEL_REFUSED', undefined],
    [403, {}, 'CHANNEL_REFUSED', undefined],
    [302, { location: 'http://127.0.0.1:1/' }, 'CHANNEL_REFUSED', undefined],
  ])('%i %j is %s', async (status, headers, outcome, retryAfterMs) => {
    const { url, received } = await receiver(answering(status, headers));
    const sent = await send(open(url));
    expect(sent).toMatchObject({
      outcome,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    expect(sent.answer).not.toContain('canary');
    expect(received).toHaveLength(1);
  });

  test('a server that hangs: the attempt ends with its signal', async () => {
    const { url } = await receiver(() => {});
    const stop = AbortSignal.timeout(200);
    await expect(send(open(url), testMessage(), stop)).rejects.toThrow(/timeout/i);
  });

  test('nobody listens: tried again, nothing handed over', async () => {
    const { url, close } = await receiver();
    await close();
    closers.pop();
    expect(await send(open(url))).toMatchObject({ outcome: 'RETRY', handedOver: 0 });
  });

  test('an answer without an end is cut off', async () => {
    const { url } = await receiver((response) => {
      response.writeHead(200);
      const flood = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(flood));
    });
    expect(await send(open(url))).toMatchObject({ outcome: 'SENT' });
  });

  test.each([
    'http://169.254.169.254/latest/meta-data',
    'https://169.254.169.254/',
    'https://[fe80::1]/',
    'https://[::ffff:169.254.169.254]/',
    'http://example.org/hook',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'https://user:canary@127.0.0.1/',
    'canary',
  ])('%s is refused without a request', async (url) => {
    const sent = await send(open(url));
    expect(sent).toMatchObject({ outcome: 'CHANNEL_REFUSED', handedOver: 0 });
    expect(sent.answer).not.toContain('canary');
  });
});

test('https anywhere and http on this machine are good URLs', () => {
  expect(
    [
      'https://hooks.example.org/x',
      'http://127.0.0.1:9/x',
      'http://[::1]:9/',
      'http://localhost/x',
    ].map(urlProblem),
  ).toEqual([null, null, null, null]);
});

test("Slack's own word of refusal is told", async () => {
  const { url } = await receiver(answering(404, {}, 'channel_not_found'));
  expect(await send(createSlackChannel({ url }))).toMatchObject({
    outcome: 'CHANNEL_REFUSED',
    answer: 'refused with HTTP 404 (channel_not_found)',
  });
});

test.each([
  ['danger', testNotice()],
  ['warning', testNotice({ severity: 'YELLOW' })],
  ['good', testNotice({ sense: 'END', kind: 'RECOVERED' })],
])('Slack shows %s, and nobody is mentioned by a name', async (color, notice) => {
  const { url, received } = await receiver();
  const content = testContent([{ ...notice, name: '<!channel> <@U1> *Sun* & Co' }]);
  await send(createSlackChannel({ url }), testMessage({ content }));
  const body = JSON.parse(received[0]?.body ?? '') as {
    text: string;
    attachments: { color: string }[];
  };
  expect(body.attachments[0]?.color).toBe(color);
  expect(body.text).toContain('&lt;!channel&gt;');
  expect(JSON.stringify(body)).not.toMatch(/"type":"mrkdwn"/);
});

test('a webhook is signed over its time and body, and a repetition has the same key', async () => {
  const { url, received } = await receiver();
  const channel = createWebhookChannel({ url, secret: 'canary-key' });
  await send(channel);
  await send(channel);
  const [first, second] = received;
  const { 'heliograph-timestamp': timestamp, 'heliograph-signature': signature } =
    first?.headers ?? {};
  const expected = createHmac('sha256', 'canary-key')
    .update(`${String(timestamp)}.${first?.body}`)
    .digest('hex');
  expect(signature).toBe(`v1=${expected}`);
  expect(first?.headers['idempotency-key']).toBe('heliograph-delivery-7');
  expect(second?.headers['idempotency-key']).toBe('heliograph-delivery-7');
  expect(JSON.parse(first?.body ?? '')).toMatchObject({
    kind: 'ALERTS',
    notices: [
      {
        name: 'Vale 2',
        since: '2026-12-01T08:41:00.000Z',
        url: 'https://sun.example.org/plants/vale-2',
      },
    ],
  });
});

test('a heartbeat is a plain GET', async () => {
  const { url, received } = await receiver();
  await send(createHeartbeatChannel({ url }));
  expect(received).toMatchObject([{ method: 'GET', path: '/hook/canary-secret', body: '' }]);
});
