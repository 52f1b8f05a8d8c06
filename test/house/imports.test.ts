import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** The linter's table of layers and contexts refuses what it should, and nothing else. */

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Imports that the linter must refuse. */
const wrong: readonly (readonly [file: string, specifier: string])[] = [
  ['domain/plants/a.ts', '../../db/database.ts'],
  ['domain/plants/a.ts', '../gateways/status.ts'],
  ['domain/slots.ts', './plants/plant.ts'],
  ['domain/a.ts', 'node:fs'],
  ['workflows/plants/a.ts', '../../db/plants/plants.ts'],
  ['workflows/plants/a.ts', '../../activities/plants/fetch.ts'],
  ['workflows/plants/a.ts', '../meters/a.ts'],
  ['workflows/steps.ts', './plants/poll.ts'],
  ['workflows/plants/a.ts', 'zod'],
  ['activities/plants/a.ts', '../../workflows/plants/poll.ts'],
  ['activities/plants/a.ts', '../../adapters/modbus/client.ts'],
  ['activities/plants/a.ts', '../../db/gateways/gateways.ts'],
  ['activities/failure.ts', './plants/vendor.ts'],
  ['activities/fleet.ts', './plants/fleet.ts'],
  ['activities/plants/contract.ts', '../../db/plants/plants.ts'],
  ['adapters/clouds/solis/a.ts', '../../modbus/client.ts'],
  ['adapters/clouds/solis/a.ts', 'node:net'],
  ['adapters/clouds/solis/a.ts', '../../../db/plants/plants.ts'],
  ['adapters/modbus/a.ts', 'node:http'],
  ['adapters/modbus/a.ts', '../clouds/contract.ts'],
  ['adapters/modbus/a.ts', '../../db/gateways/gateways.ts'],
  ['db/ledger/prune.ts', '../plants/ledger.ts'],
  ['db/plants/a.ts', '../people/users.ts'],
  ['db/plants/a.ts', '@temporalio/client'],
  ['operations/plants/a.ts', '../../api/problem.ts'],
  ['operations/plants/a.ts', '../../cli/render.ts'],
  ['operations/plants/a.ts', '../../workflows/plants/poll.ts'],
  ['operations/a.ts', './plants/loops.ts'],
  ['operations/diagnosis.ts', './plants/components.ts'],
  ['api/plants/a.ts', '../people/routes.ts'],
  ['api/system/health.ts', '../../operations/plants/figures.ts'],
  ['api/system/metrics.ts', '../../db/plants/polling.ts'],
  ['api/plants/pages/a.ts', '../../../adapters/clouds/contract.ts'],
  ['api/plants/pages/a.ts', '../../../workflows/plants/poll.ts'],
  ['api/problem.ts', './plants/schemas.ts'],
  ['api/auth/a.ts', '../plants/schemas.ts'],
  ['environment/a.ts', '../workflows/plants/poll.ts'],
  ['worker/a.ts', '../cli/render.ts'],
  ['worker/a.ts', '../api/app.ts'],
  ['stack/a.ts', '../domain/slots.ts'],
  ['simulate/a.ts', '../db/plants/plants.ts'],
  ['simulate/a.ts', '../workflows/plants/plant-monitor.ts'],
  ['simulate/oracle.ts', '../domain/plants/status.ts'],
];

/** Imports that look alike and are right. */
const right: readonly (readonly [file: string, specifier: string])[] = [
  ['domain/plants/a.ts', '../slots.ts'],
  ['workflows/plants/a.ts', '../../activities/plants/contract.ts'],
  ['workflows/plants/a.ts', '../messages.ts'],
  ['workflows/index.ts', './plants/plant-monitor.ts'],
  ['activities/plants/a.ts', '../../adapters/clouds/contract.ts'],
  ['activities/gateways/a.ts', '../../adapters/modbus/client.ts'],
  ['adapters/modbus/a.ts', 'node:net'],
  ['adapters/modbus/a.ts', 'node:dns/promises'],
  ['adapters/modbus/a.ts', '../../domain/gateways/point.ts'],
  ['activities/create.ts', './plants/fetch.ts'],
  ['activities/reconcilers.ts', './plants/fleet.ts'],
  ['db/plants/a.ts', '../audit-log.ts'],
  ['operations/plants/a.ts', '../../workflows/plants/messages.ts'],
  ['operations/components.ts', './plants/components.ts'],
  ['api/plants/pages/a.ts', '../../../workflows/plants/messages.ts'],
  ['api/panels.ts', './plants/pages/a.ts'],
  ['api/system/health.ts', '../../operations/components.ts'],
  ['api/auth/a.ts', '../../db/people/users.ts'],
  ['api/app.ts', './plants/schemas.ts'],
  ['worker/queues.ts', '../activities/create.ts'],
  ['simulate/a.ts', '../db/sealing.ts'],
  ['simulate/a.ts', '../workflows/plants/loop.ts'],
];

describe('who may import whom', () => {
  let folder: string;
  let refused: Set<string>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-imports-'));
    copyFileSync(join(root, 'oxlint.config.ts'), join(folder, 'oxlint.config.ts'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const imports = new Map<string, string[]>();
    for (const [file, specifier] of [...wrong, ...right])
      imports.set(file, [...(imports.get(file) ?? []), specifier]);
    for (const [file, specifiers] of imports) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(
        join(folder, file),
        specifiers.map((one) => `export * from '${one}';\n`).join(''),
      );
    }
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'node_modules/oxlint/bin/oxlint'), '--format=json'],
      { cwd: folder, encoding: 'utf8' },
    );
    if (stderr !== '') throw new Error(stderr);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { code: string; filename: string; message: string }[];
    };
    refused = new Set(
      diagnostics
        .filter(({ code }) => code.includes('no-restricted-imports'))
        .map(({ filename, message }) => `${filename} ${/'([^']+)'/.exec(message)?.[1] ?? ''}`),
    );
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(wrong)('%s must not import %s', (file, specifier) => {
    expect(refused).toContain(`${file} ${specifier}`);
  });

  test.each(right)('%s may import %s', (file, specifier) => {
    expect(refused).not.toContain(`${file} ${specifier}`);
  });
});
