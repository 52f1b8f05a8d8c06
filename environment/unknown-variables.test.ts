import { describe, expect, test } from 'vitest';

import { environmentSchema } from './config.ts';
import { findUnknownVariables } from './unknown-variables.ts';

const unknown = (...names: string[]) =>
  findUnknownVariables(Object.fromEntries(names.map((name) => [name, 'x'])));

describe('a variable that means nothing here', () => {
  test.each([
    ['TRUST_PROXY', 'TRUSTED_PROXIES'],
    ['TRUSTED_PROXY', 'TRUSTED_PROXIES'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['REDIS_URI', 'REDIS_URL'],
    ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
    ['METRIC_TOKEN', 'METRICS_TOKEN'],
    ['MASTER_KEY_CURENT_FILE', 'MASTER_KEY_CURRENT'],
    ['PUBLIC_UR', 'PUBLIC_URL'],
    ['HELIOGRAPH_DATABASE_URL', 'DATABASE_URL'],
    ['TEMPORAL_SOMETHING_QUITE_DIFFERENT', null],
  ])('%s is found; %s is nearest', (name, nearest) => {
    expect(unknown(name)).toEqual([{ name, nearest }]);
  });

  test('is none of ours, and none of other programs', () => {
    const ours = Object.keys(environmentSchema.shape);
    expect(unknown(...ours, ...ours.map((name) => `${name}_FILE`))).toEqual([]);
    expect(
      unknown(
        'PATH',
        'HOME',
        'LANG',
        'NODE_OPTIONS',
        'PGPASSWORD',
        'npm_config_cache',
        'TEMPORAL_API_KEY',
        'TEMPORAL_API_KEY_FILE',
        'TEMPORAL_TLS_SERVER_NAME',
        'REDIS_SERVICE_HOST',
        'REDIS_PORT_6379_TCP_ADDR',
      ),
    ).toEqual([]);
  });
});
