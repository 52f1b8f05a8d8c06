import type { Notice } from '../../domain/notice.ts';

/** A notice of a plant that does not answer, with changes. */
export function testNotice(changes: Partial<Notice> = {}): Notice {
  return {
    notificationId: 1,
    subject: { kind: 'PLANT', id: 'vale-2' },
    kind: 'RAISED',
    sense: 'PROBLEM',
    severity: 'RED',
    holds: true,
    isAcknowledged: false,
    brand: 'SOLIS',
    customerId: 'vale',
    plantId: 'vale-2',
    name: 'Vale 2',
    what: 'OFFLINE',
    sinceMs: Date.parse('2026-12-01T08:41:00Z'),
    timezone: 'America/Sao_Paulo',
    why: 'Not seen for 31 h, since 2026-11-30 05:41.',
    cost: 'about 38.0 kWh lost so far',
    action: null,
    path: '/plants/vale-2',
    ...changes,
  };
}
