import type { SMTPServerOptions } from 'smtp-server';
import { afterEach, expect, test } from 'vitest';

import {
  type MailServer,
  smtpRefusal,
  startMailServer,
  startScriptedServer,
} from '../../../test/support/mail-server.ts';
import { testMessage } from '../../../test/support/messages.ts';
import { createEmailChannel, type EmailSettings } from './email.ts';

/** Mails to real servers on loopback: what each of their answers means. */

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function mailServer(
  options: Parameters<typeof startMailServer>[0] = {},
): Promise<MailServer> {
  const server = await startMailServer(options);
  closers.push(server.close);
  return server;
}

function settings(
  server: { port: number; ca?: string },
  changes: Partial<EmailSettings> = {},
): EmailSettings {
  const plain = { tls: 'none', username: null, password: null } as const;
  const ca = server.ca === undefined ? {} : { ca: server.ca };
  return {
    host: 'localhost',
    port: server.port,
    from: 'sun@heliograph.test',
    ...plain,
    ...ca,
    ...changes,
  };
}

/** Sends a message; `handedOver` counts how often it may have arrived. */
async function send(
  to: EmailSettings,
  message = testMessage(),
  signal = new AbortController().signal,
) {
  let handedOver = 0;
  const sent = await createEmailChannel(to).send(message, {
    signal,
    handsOver: async () => {
      handedOver += 1;
    },
  });
  return { ...sent, handedOver };
}

test('a mail arrives with its text, its HTML and its headers', async () => {
  const server = await mailServer();
  const result = await send(settings(server), testMessage({ threadOf: 3 }));
  expect(result).toMatchObject({ outcome: 'SENT', handedOver: 1 });
  const [mail] = server.received;
  expect(mail).toMatchObject({ from: 'sun@heliograph.test', to: ['ana@example.org'] });
  for (const header of [
    'Message-ID: <heliograph-delivery-7@heliograph.test>',
    'In-Reply-To: <heliograph-delivery-3@heliograph.test>',
    'References: <heliograph-delivery-3@heliograph.test>',
    'Auto-Submitted: auto-generated',
    'Subject: RED: Vale 2: OFFLINE',
    'To: ana@example.org',
  ])
    expect(mail?.raw).toContain(header);
  expect(mail?.raw).toContain('https://sun.example.org/plants/vale-2');
});

test('a login over STARTTLS is made, and without TLS no password leaves', async () => {
  const logins: string[] = [];
  const onAuth: SMTPServerOptions['onAuth'] = (auth, _, done) => {
    logins.push(`${auth.username}:${auth.password}`);
    done(null, { user: 'sun' });
  };
  const server = await mailServer({ onAuth });
  const login = { username: 'sun', password: 'canary' };
  expect(await send(settings(server, { ...login, tls: 'starttls' }))).toMatchObject({
    outcome: 'SENT',
  });
  expect(logins).toEqual(['sun:canary']);
  const plain = await mailServer({ disabledCommands: ['STARTTLS'], onAuth });
  const refused = await send(settings(plain, { ...login, tls: 'starttls' }));
  expect(refused).toMatchObject({ outcome: 'CHANNEL_REFUSED', handedOver: 0 });
  expect(logins).toHaveLength(1);
});

test('a refused login refuses the channel, and its sentence holds no secret', async () => {
  const onAuth: SMTPServerOptions['onAuth'] = (_, __, done) => done(smtpRefusal(535, 'canary'));
  const server = await mailServer({ onAuth });
  const result = await send(
    settings(server, { username: 'sun', password: 'canary', tls: 'starttls' }),
  );
  expect(result).toMatchObject({ outcome: 'CHANNEL_REFUSED', handedOver: 0 });
  expect(result.answer).not.toContain('canary');
  expect(result.answer).toContain('535');
});

test.each([
  [550, 'RECIPIENT_REFUSED'],
  [450, 'RETRY'],
])('%i to the recipient is %s, and nothing was handed over', async (code, outcome) => {
  const server = await mailServer({ onRcptTo: (_, __, done) => done(smtpRefusal(code)) });
  expect(await send(settings(server))).toMatchObject({ outcome, handedOver: 0 });
});

test.each([
  [554, 'RECIPIENT_REFUSED'],
  [451, 'RETRY'],
])('%i to the mail itself is %s', async (code, outcome) => {
  const server = await mailServer({
    onData(stream, _, done) {
      stream.resume();
      stream.on('end', () => done(smtpRefusal(code)));
    },
  });
  expect(await send(settings(server))).toMatchObject({ outcome, handedOver: 1 });
});

test('450 and then success: the second attempt arrives, once', async () => {
  let asked = 0;
  const server = await mailServer({
    onRcptTo: (_, __, done) => done((asked += 1) === 1 ? smtpRefusal(450) : null),
  });
  expect((await send(settings(server))).outcome).toBe('RETRY');
  expect((await send(settings(server))).outcome).toBe('SENT');
  expect(server.received).toHaveLength(1);
});

test('a server that hangs in the middle of DATA: the attempt ends with its signal, and it may have arrived', async () => {
  const server = await startScriptedServer((line) => {
    if (line.startsWith('EHLO')) return '250 scripted';
    if (line === 'DATA') return '354 go on';
    return /^(MAIL|RCPT)/.test(line) ? '250 ok' : 'HANG';
  });
  closers.push(server.close);
  const stop = new AbortController();
  const began = Promise.withResolvers<void>();
  const sending = createEmailChannel(settings(server)).send(testMessage(), {
    signal: stop.signal,
    handsOver: async () => began.resolve(),
  });
  await began.promise;
  stop.abort(new Error('long enough'));
  await expect(sending).rejects.toThrow('long enough');
});

test('a server that closes after MAIL FROM is tried again', async () => {
  const server = await startScriptedServer((line) =>
    line.startsWith('EHLO') ? '250 scripted' : 'CLOSE',
  );
  closers.push(server.close);
  expect(await send(settings(server))).toMatchObject({ outcome: 'RETRY', handedOver: 0 });
});

test('nobody listens: tried again', async () => {
  const server = await mailServer();
  await server.close();
  closers.pop();
  expect(await send(settings(server))).toMatchObject({ outcome: 'RETRY', handedOver: 0 });
});

test('an address with a line break reaches nobody', async () => {
  const server = await mailServer();
  const message = testMessage({ recipient: 'ok@x.test\r\nRCPT TO:<evil@x.test>' });
  expect(await send(settings(server), message)).toMatchObject({
    outcome: 'RECIPIENT_REFUSED',
    handedOver: 0,
  });
  expect(server.received).toEqual([]);
});

test('what stops the handing over stops the mail, and is no refusal of the server', async () => {
  const server = await mailServer();
  const sending = createEmailChannel(settings(server)).send(testMessage(), {
    signal: new AbortController().signal,
    handsOver: () => Promise.reject(new Error('another worker has it')),
  });
  await expect(sending).rejects.toThrow('another worker has it');
  expect(server.received).toEqual([]);
});
