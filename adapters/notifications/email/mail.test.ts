import fc from 'fast-check';
import MailComposer from 'nodemailer/lib/mail-composer';
import { expect, test } from 'vitest';

import { testContent, testMessage } from '../../../test/support/messages.ts';
import { testNotice } from '../../../test/support/notices.ts';
import { mailOf } from './mail.ts';

/** What a mail says. */

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'a\r\nBcc: evil@x.test',
    '<b>Vale</b>',
    '=?utf-8?q?x?=',
    '☀️🔥'.repeat(200),
    '\u202Egnp.exe',
    '\u0000',
    '"; <script>',
  ),
);

test('no name, reason or device ends a header or starts one', async () => {
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, async (name, what, why) => {
      const content = testContent([testNotice({ name, what, why, cost: why, action: name })]);
      const { subject, messageId, headers, text, html } = mailOf(
        testMessage({ content }),
        'x.test',
      );
      for (const value of [subject, messageId, ...Object.values(headers)])
        // oxlint-disable-next-line no-control-regex
        expect(value).not.toMatch(/[\u0000-\u001f\u007f\u2028\u2029]/);
      const built = await new MailComposer({
        subject,
        messageId,
        headers: { ...headers },
        text,
        html,
      })
        .compile()
        .build();
      const [head = ''] = built.toString('utf8').split('\r\n\r\n');
      const names = head.split(/\r\n(?![ \t])/).map((line) => line.slice(0, line.indexOf(':')));
      expect(names.toSorted()).toEqual(
        [
          'Auto-Submitted',
          'Content-Type',
          'Date',
          'MIME-Version',
          'Message-ID',
          'Subject',
          'X-Auto-Response-Suppress',
        ].toSorted(),
      );
    }),
    { numRuns: 300 },
  );
});

test('a plant that is called <b> stays text', () => {
  const content = testContent([testNotice({ name: '<b>"Vale" & Co</b>' })]);
  const { html, text } = mailOf(testMessage({ content }), 'x.test');
  expect(html).toContain('&lt;b&gt;&quot;Vale&quot; &amp; Co&lt;/b&gt;');
  expect(html).not.toContain('<b>');
  expect(text).toContain('<b>"Vale" & Co</b>');
});

test('it says what, since when, why, what it costs, and where to look', () => {
  expect(mailOf(testMessage(), 'x.test').text).toBe(`■ RED Vale 2: OFFLINE
  since 2026-12-01 05:41 UTC-3
  Not seen for 31 h, since 2026-11-30 05:41.
  Cost: about 38.0 kWh lost so far.
  https://sun.example.org/plants/vale-2

-- 
Written 2026-12-01 09:01 UTC
`);
});

test('a group counts, shows the worst first and says how many more there are', () => {
  const notices = [testNotice(), testNotice({ severity: 'YELLOW', name: 'Sul 9' })];
  const content = testContent(notices, {
    moreCount: 980,
    counts: { red: 400, yellow: 582, ended: 0 },
  });
  const { subject, text } = mailOf(testMessage({ content }), 'x.test');
  expect(subject).toBe('982 notices: 400 red, 582 yellow');
  expect(text).toContain('… and 980 more: https://sun.example.org/alerts');
});

test('whoever subscribed finds the way out in the header and in the text', () => {
  const { headers, text } = mailOf(
    testMessage({ unsubscribeUrl: 'https://sun.example.org/u/t' }),
    'x.test',
  );
  expect(headers['List-Unsubscribe']).toBe('<https://sun.example.org/u/t>');
  expect(headers['List-Unsubscribe-Post']).toBe('List-Unsubscribe=One-Click');
  expect(text).toContain('End these mails: https://sun.example.org/u/t');
});
