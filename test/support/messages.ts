import type { Outgoing } from '../../adapters/notifications/contract.ts';
import { countNotices } from '../../domain/notifications/compose.ts';
import type { MessageContent } from '../../domain/notifications/message.ts';
import type { Notice } from '../../domain/notice.ts';
import { testNotice } from './notices.ts';

const writtenAtMs = Date.parse('2026-12-01T09:01:00Z');

/** A message of these notices, with changes. */
export function testContent(
  notices: readonly Notice[] = [testNotice()],
  changes: Partial<MessageContent> = {},
): MessageContent {
  return {
    kind: 'ALERTS',
    notices,
    moreCount: 0,
    counts: countNotices(notices),
    brief: [],
    remark: null,
    publicUrl: 'https://sun.example.org',
    writtenAtMs,
    ...changes,
  };
}

export function testMessage(changes: Partial<Outgoing> = {}): Outgoing {
  return {
    deliveryId: 7,
    threadOf: null,
    recipient: 'ana@example.org',
    content: testContent(),
    unsubscribeUrl: null,
    nowMs: writtenAtMs,
    ...changes,
  };
}
