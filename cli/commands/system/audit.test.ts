import { describe, expect, test } from 'vitest';

import { createTestIo } from '../../../test/support/command-line.ts';
import type { WholeAudit } from '../../../operations/checks.ts';
import type { AuditCounts } from '../../../operations/plants/check.ts';
import { parseCommand } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { audit, auditText } from './audit.ts';

async function run(...args: string[]): Promise<number> {
  const context = parseCommand(audit, args, createTestIo({ env: {} }).io);
  return context === 'HELP' ? exitCodes.done : ((await audit.run(context)) ?? exitCodes.done);
}

describe('heliograph audit refuses', () => {
  test.each<[string[], string]>([
    [['meadow'], 'the command checks the whole fleet'],
    [['--from', 'yesterday'], '--from must be a time with its zone'],
    [['--to', '2026-11-22T06:00:00'], '--to must be a time with its zone'],
    [
      ['--from', '2026-11-22T06:00:00Z', '--to', '2026-11-22T06:00:00Z'],
      '--from must lie before --to',
    ],
    [['--from', '2999-01-01T00:00:00Z', '--to', '2999-01-02T00:00:00Z'], 'and in the past'],
  ])('%j', async (args, message) => {
    await expect(run(...args)).rejects.toMatchObject({
      exitCode: exitCodes.usage,
      message: expect.stringContaining(message),
    });
  });
});

const counts: AuditCounts = {
  slots_due: 1_440,
  polled: 1_437,
  skipped: 0,
  missed: 1,
  pending: 1,
  lost: 1,
  doubled: 0,
  strays: 0,
  overlapping: 0,
  unscheduled: 2,
  days: 12,
  alerts: 5,
  alert_events: 1,
  plants: 12,
  loops: 12,
  locks: 1,
};
const gateways: WholeAudit['gateways'] = {
  slots_due: 0,
  polled: 0,
  skipped: 0,
  missed: 0,
  pending: 0,
  lost: 0,
  doubled: 0,
  strays: 0,
  overlapping: 0,
  alerts: 0,
  alert_events: 0,
};
const clean: WholeAudit = {
  gateways,
  checked_from: '2026-11-01T00:00:00.000Z',
  checked_to: '2026-11-02T00:00:00.000Z',
  counts,
  violations: [],
  truncated: false,
};

describe('the report', () => {
  test('says what was checked', () => {
    expect(auditText(clean)).toBe(`checked 2026-11-01T00:00:00.000Z to 2026-11-02T00:00:00.000Z
  slots due            1440  1437 polled, 0 skipped, 1 missed, 1 pending, 1 lost
  polls between slots     2  requested by people, or the first after a start
  rows at fault           0  0 doubled, 0 where nothing was due, 0 overlapping
  live days              12  compared with their polls
  alerts                  5  with 1 event
  plants                 12  with 12 loops
  locks                   1  held

nothing is violated
`);
  });

  test('groups violations by kind and says what to do about each', () => {
    const text = auditText({
      ...clean,
      truncated: true,
      violations: [
        {
          kind: 'LOCK_UNKNOWN_OWNER',
          plant_id: 'meadow',
          gateway_id: null,
          at: null,
          sentence: 'It belongs to \u001b[31mnobody.',
        },
        {
          kind: 'SLOT_MISSING',
          plant_id: 'ridge',
          gateway_id: null,
          at: '2026-11-01T06:00:00.000Z',
          sentence: 'The slot has no row.',
        },
        {
          kind: 'LOCK_UNKNOWN_OWNER',
          plant_id: 'ridge',
          gateway_id: null,
          at: null,
          sentence: 'It is foreign.',
        },
      ],
    });
    const [, ...sections] = text.slice(text.indexOf('3 violations')).split('\n\n');
    expect(text).toContain('3 violations listed, and there are more\n\n');
    expect(sections).toEqual([
      expect.stringMatching(
        /^LOCK_UNKNOWN_OWNER\n {2}meadow: It belongs to {2}\[31mnobody\.\n {2}ridge: It is foreign\.\n {2}→ .+\.$/,
      ),
      expect.stringMatching(
        /^SLOT_MISSING\n {2}ridge 2026-11-01T06:00:00\.000Z: The slot has no row\.\n {2}→ .+\.\n$/,
      ),
    ]);
  });
});
