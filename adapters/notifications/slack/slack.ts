import {
  moreText,
  noticeText,
  openingLines,
  subjectOf,
  writtenText,
} from '../../../domain/notifications/text.ts';
import type { MessageContent } from '../../../domain/notifications/message.ts';
import type { Notice } from '../../../domain/notice.ts';
import type { ChannelAdapter } from '../contract.ts';
import { attemptHttp } from '../http.ts';

/** Slack by an incoming webhook: one attachment a message, its colour that of its worst line. */

export function createSlackChannel({ url }: { url: string }): ChannelAdapter {
  return {
    async send({ content, nowMs }, options) {
      const request = {
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: JSON.stringify(slackBody(content)),
      } as const;
      const { sent, answer } = await attemptHttp(request, options, nowMs);
      const word = /^[a-z_]{1,40}$/.exec(answer?.body.trim() ?? '')?.[0];
      if (sent.outcome === 'SENT' || word === undefined) return sent;
      return { ...sent, answer: `${sent.answer} (${word})` };
    },
  };
}

/** What Slack is sent. Texts are `plain_text` or escaped: no name can mention a channel or format a line. */
export function slackBody(content: MessageContent) {
  const subject = subjectOf(content);
  return {
    text: escaped(subject),
    attachments: [
      {
        color: colourOf(content),
        fallback: escaped(subject),
        blocks: [
          ...openingLines(content).map(plain),
          ...content.notices.flatMap((notice) => noticeBlocks(notice, content.publicUrl)),
          ...closing(content),
        ],
      },
    ],
  };
}

function colourOf({ counts }: MessageContent): 'danger' | 'warning' | 'good' {
  if (counts.red > 0) return 'danger';
  return counts.yellow > 0 ? 'warning' : 'good';
}

function noticeBlocks(notice: Notice, publicUrl: string | null) {
  const { head, since, details, url } = noticeText(notice, publicUrl);
  const text = [head, since, ...details].join('\n');
  const link = url === null ? {} : { accessory: linkButton(url) };
  return [{ ...plain(text), ...link }];
}

function linkButton(url: string) {
  return { type: 'button', text: { type: 'plain_text', text: 'Open' }, url };
}

function closing(content: MessageContent) {
  const more = moreText(content);
  const words = [...(more === null ? [] : [more]), writtenText(content)].join(' · ');
  return [{ type: 'context', elements: [{ type: 'plain_text', text: words, emoji: false }] }];
}

/** Slack's limit of a text. */
const textLengthMax = 3_000;

function plain(text: string) {
  return {
    type: 'section',
    text: { type: 'plain_text', text: text.slice(0, textLengthMax), emoji: false },
  };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
