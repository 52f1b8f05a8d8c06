import { expect, test } from 'vitest';

import { createEmailChannel } from '../../adapters/notifications/email/email.ts';
import { testContent, testMessage } from '../../test/support/messages.ts';
import { testNotice } from '../../test/support/notices.ts';
import { startMailCatcher } from './catcher.ts';

test('a mail that is sent to it is shown, with its HTML in a frame without scripts', async ({
  onTestFinished,
}) => {
  const catcher = await startMailCatcher({ smtp: 0, http: 0 });
  onTestFinished(() => catcher.close());
  const plain = { tls: 'none', username: null, password: null } as const;
  const channel = createEmailChannel({
    host: '127.0.0.1',
    port: catcher.smtpPort,
    from: 'sun@heliograph.test',
    ...plain,
  });
  const content = testContent([testNotice({ name: '<script>alert(1)</script>' })]);
  const sent = await channel.send(testMessage({ content }), {
    signal: new AbortController().signal,
    handsOver: async () => {},
  });
  expect(sent.outcome).toBe('SENT');
  const get = async (path: string) => (await fetch(new URL(path, catcher.url))).text();
  const list = await get('/');
  expect(list).toContain('ana@example.org');
  expect(list).not.toContain('<script>');
  expect(await get('/1')).toContain('<iframe sandbox');
  expect(await get('/1')).toContain('Not seen for 31 h');
  expect(await get('/1.html')).toContain('&lt;script&gt;');
  expect(await get('/7')).toBe('There is no such mail.');
  const [mail] = JSON.parse(await get('/mails.json')) as { subject: string }[];
  expect(mail?.subject).toContain('OFFLINE');
});
