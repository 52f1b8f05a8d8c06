import { expect, test } from 'vitest';

import { withGatewayTables } from './report.ts';

const page = `before
<!-- gateways rival -->
| old |
<!-- /gateways -->
between
<!-- gateways costs -->
<!-- /gateways -->
`;

test('a table is replaced where there are figures, and stays where there are none', () => {
  const rival = {
    measured_at: '2026-11-30T12:00:00Z',
    node: '24',
    cpu: 'a processor',
    cores: 2,
    results: [
      {
        row: 'kill' as const,
        engine: 'telegraf' as const,
        gateways: 1_000,
        interval_s: 10,
        slots_due: 3_131,
        polls: 2_195,
        polls_per_s: 70.4,
        late: { p50_ms: 4, p99_ms: 38, max_ms: 122 },
        lost: 936,
        doubled: 0,
        cpu_ms_per_poll: null,
        rss_mb: 71,
      },
    ],
  };
  const written = withGatewayTables(page, { bench: null, rival });
  expect(written).toContain(
    '| SIGKILL | Telegraf, Modbus input | 1,000, 10 s | 70.4 | – | 4, 38, 122 | 3,131 | 936 | 0 | 71 MB |\n<!-- /gateways -->\nbetween',
  );
  expect(written).not.toContain('| old |');
  expect(withGatewayTables(page, { bench: null, rival: null })).toBe(page);
});
