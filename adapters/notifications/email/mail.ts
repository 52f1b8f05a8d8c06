import {
  openingLines,
  moreText,
  noticeText,
  subjectOf,
  writtenText,
} from '../../../domain/notifications/text.ts';
import type { MessageContent } from '../../../domain/notifications/message.ts';
import type { Outgoing } from '../contract.ts';

/** A message as a mail: its headers, its text, its HTML. */

export interface Mail {
  subject: string;
  text: string;
  html: string;
  messageId: string;
  /** The first mail of the thread; null: this one. */
  inReplyTo: string | null;
  headers: Readonly<Record<string, string>>;
}

/** @param domain the part of the sender's address after the @: it names who made the ids. */
export function mailOf(message: Outgoing, domain: string): Mail {
  const { content, deliveryId, threadOf, unsubscribeUrl } = message;
  const idOf = (id: number) => `<heliograph-delivery-${id}@${domain}>`;
  return {
    subject: subjectOf(content),
    text: textOf(content, unsubscribeUrl),
    html: htmlOf(content, unsubscribeUrl),
    messageId: idOf(deliveryId),
    inReplyTo: threadOf === null ? null : idOf(threadOf),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      ...(unsubscribeUrl === null
        ? {}
        : {
            'List-Unsubscribe': `<${unsubscribeUrl}>`,
            'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
          }),
    },
  };
}

function textOf(content: MessageContent, unsubscribeUrl: string | null): string {
  const notices = content.notices.map((notice) => {
    const { head, since, details, url } = noticeText(notice, content.publicUrl);
    return [head, since, ...details, ...(url === null ? [] : [url])].join('\n  ');
  });
  const more = moreText(content);
  const blocks = [
    openingLines(content).join('\n'),
    ...notices,
    more === null
      ? ''
      : `${more}${content.publicUrl === null ? '' : `: ${content.publicUrl}/alerts`}`,
    `-- \n${writtenText(content)}${unsubscribeUrl === null ? '' : `\nEnd these mails: ${unsubscribeUrl}`}`,
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

const colours = { RED: '#b3261e', YELLOW: '#8a5a00', END: '#1b6e3c' } as const;

function htmlOf(content: MessageContent, unsubscribeUrl: string | null): string {
  const opening = openingLines(content).map((line) => `<p>${escaped(line)}</p>`);
  const notices = content.notices.map((notice) => {
    const { head, since, details, url } = noticeText(notice, content.publicUrl);
    const colour = colours[notice.sense === 'END' ? 'END' : notice.severity];
    const title =
      url === null
        ? escaped(head)
        : `<a href="${escaped(url)}" style="color:${colour}">${escaped(head)}</a>`;
    const lines = [since, ...details].map((line) => `<br>${escaped(line)}`).join('');
    return `<p style="border-left:4px solid ${colour};padding-left:8px"><strong style="color:${colour}">${title}</strong>${lines}</p>`;
  });
  const more = moreText(content);
  const link =
    content.publicUrl === null
      ? ''
      : ` <a href="${escaped(content.publicUrl)}/alerts">all alerts</a>`;
  const end =
    unsubscribeUrl === null ? '' : ` · <a href="${escaped(unsubscribeUrl)}">end these mails</a>`;
  return [
    '<!doctype html><html lang="en"><body style="font:14px/1.5 system-ui,sans-serif">',
    ...opening,
    ...notices,
    ...(more === null ? [] : [`<p>${escaped(more)}${link}</p>`]),
    `<p style="color:#666">${escaped(writtenText(content))}${end}</p>`,
    '</body></html>',
  ].join('\n');
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
