import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { CommandError, loadConfig, requireMockMode, withFiles } from './config.ts';

const key = Buffer.alloc(32, 7).toString('base64');

describe('values in files', () => {
  let folder: string;
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const problem = (env: NodeJS.ProcessEnv): string => {
    try {
      withFiles(env);
    } catch (error) {
      if (error instanceof CommandError && error.exitCode === 78) return error.message;
      throw error;
    }
    return 'none';
  };

  test('are taken for every variable, without the line end that editors add', () => {
    const config = loadConfig({
      DATABASE_URL_FILE: file('url', 'postgres://u:p@db:5432/h\n'),
      MASTER_KEY_CURRENT_FILE: file('key', `${key}\n`),
      LOG_LEVEL_FILE: file('level', 'warn'),
    });
    expect(config.DATABASE_URL).toBe('postgres://u:p@db:5432/h');
    expect(config.masterKeys?.current.key.export().equals(Buffer.alloc(32, 7))).toBe(true);
    expect(config.LOG_LEVEL).toBe('warn');
  });

  test("are taken for Temporal's own secrets, and for nothing that is not ours", () => {
    const env = {
      TEMPORAL_API_KEY_FILE: file('api-key', 'from a file\n'),
      SOMETHING_ELSE_FILE: '/nowhere',
    };
    expect(withFiles(env)).toEqual({
      TEMPORAL_API_KEY: 'from a file',
      SOMETHING_ELSE_FILE: '/nowhere',
    });
  });

  test('are not taken beside the value itself, and all problems are told at once', () => {
    const path = file('both', 'x');
    const text = problem({
      DATABASE_URL: 'postgres://h/d',
      DATABASE_URL_FILE: path,
      REDIS_URL_FILE: join(folder, 'absent'),
      MASTER_KEY_CURRENT_FILE: file('empty', ' \n'),
      MASTER_KEY_PREVIOUS_FILE: file('large', 'x'.repeat(65 * 1024)),
    });
    expect(text).toMatch(/DATABASE_URL and DATABASE_URL_FILE are both set/);
    for (const name of ['REDIS_URL_FILE', 'MASTER_KEY_CURRENT_FILE', 'MASTER_KEY_PREVIOUS_FILE'])
      expect(text).toMatch(new RegExp(`${name} names .* cannot be read as a value`));
    expect(text).not.toContain('xxx');
  });

  test('count as absent where the name of the file is empty', () => {
    expect(withFiles({ DATABASE_URL: 'postgres://h/d', DATABASE_URL_FILE: '' })).toEqual({
      DATABASE_URL: 'postgres://h/d',
    });
  });

  test('that hold a wrong value are refused without it', () => {
    const env = { MASTER_KEY_CURRENT_FILE: file('wrong', 'hunter2') };
    expect(() => loadConfig(env)).toThrow(/MASTER_KEY_CURRENT must be 32 bytes/);
    expect(() => loadConfig(env)).not.toThrow(/hunter2/);
  });
});

describe('the address of the metrics', () => {
  test.each(['127.0.0.1:9464', '[::1]:9464', 'worker:0', '0.0.0.0:65535'])(
    '%s is one',
    (address) => {
      expect(loadConfig({ METRICS_ADDRESS: address }).METRICS_ADDRESS).toBe(address);
    },
  );
  test.each(['9464', ':9464', '127.0.0.1', '127.0.0.1:65536', 'http://127.0.0.1:9464', '::1:9464'])(
    '%s is none',
    (address) => {
      expect(() => loadConfig({ METRICS_ADDRESS: address })).toThrow(/METRICS_ADDRESS/);
    },
  );
});

describe('an embedded stack', () => {
  const masterKey = Buffer.alloc(32, 9).toString('base64');
  let folder: string;
  const load = (env: NodeJS.ProcessEnv) => loadConfig(env, folder);
  const ofStack = {
    DATABASE_URL: 'postgres://stack/db',
    REDIS_URL: 'redis://stack',
    REDIS_KEY_PREFIX: 'stack:',
    TEMPORAL_ADDRESS: 'stack:7233',
    TEMPORAL_NAMESPACE: 'solar',
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-stack-file-'));
    writeFileSync(join(folder, 'master.key'), masterKey);
    const stack = {
      state: 'ready',
      temporal_address: 'stack:7233',
      temporal_namespace: 'solar',
      temporal_ui: null,
      database_url: 'postgres://stack/db',
      redis_url: 'redis://stack',
      redis_key_prefix: 'stack:',
      pid: process.pid,
      master_key_file: join(folder, 'master.key'),
    };
    writeFileSync(join(folder, 'stack.json'), JSON.stringify(stack));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('gives what the environment does not name', () => {
    expect(load({})).toMatchObject(ofStack);
    expect(load({ TEMPORAL_ADDRESS: 'other:7233' })).toMatchObject({
      ...ofStack,
      TEMPORAL_ADDRESS: 'other:7233',
      TEMPORAL_NAMESPACE: 'default',
    });
    expect(load({ TEMPORAL_ADDRESS: 'stack:7233' })).toMatchObject(ofStack);
    expect(load({ TEMPORAL_NAMESPACE: 'mine' })).toMatchObject({
      ...ofStack,
      TEMPORAL_NAMESPACE: 'mine',
    });
    expect(load({ REDIS_URL: 'redis://other' })).toMatchObject({
      ...ofStack,
      REDIS_URL: 'redis://other',
      REDIS_KEY_PREFIX: '',
    });
  });

  test('gives its keys and its mock mode as well, also where every service is named', () => {
    for (const env of [{}, { TEMPORAL_ADDRESS: 'stack:7233' }, ofStack]) {
      const config = load(env);
      expect(config.masterKeys?.current.key.export().toString('base64')).toBe(masterKey);
      requireMockMode(config);
    }
    expect(() => requireMockMode(load({ INTEGRATION_MOCK_MODE: 'false' }))).toThrow(/MOCK_MODE/);
  });

  test('gives nothing to another database', () => {
    const config = load({ DATABASE_URL: 'postgres://production/db' });
    expect(config).toMatchObject({ stack: null, masterKeys: null });
    expect(config.TEMPORAL_ADDRESS).toBeUndefined();
    expect(config.REDIS_URL).toBeUndefined();
  });
});
