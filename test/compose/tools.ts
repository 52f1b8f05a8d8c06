import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from '../../stack/cache.ts';
import { findOnPath } from '../../stack/process.ts';

/** Programs of the compose file, built with Go from the modules of this repository, once, into the user's cache folder. */

const root = join(import.meta.dirname, '../..');

/** As the images name them. */
const programs = {
  'temporal-server': { module: 'stack/temporal', package: 'go.temporal.io/server/cmd/server' },
  'temporal-sql-tool': { module: 'stack/temporal', package: 'go.temporal.io/server/cmd/tools/sql' },
  'temporal-ui': {
    module: 'stack/temporal',
    package: 'github.com/temporalio/ui-server/v2/cmd/server',
  },
  temporal: { module: 'stack/temporal', package: 'github.com/temporalio/cli/cmd/temporal' },
  /** Compose's own loader: it knows the schema, and everything else that `docker compose config` checks. */
  'compose-check': {
    module: 'test/compose',
    package: 'github.com/compose-spec/compose-go/v2/cmd',
  },
} as const;

export type Program = keyof typeof programs;

/** The program's file; built first where it is not there yet, which takes up to four minutes. */
export function provideProgram(name: Program): string {
  const { module, package: path } = programs[name];
  const folder = join(root, module);
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(folder, file)));
  const state = hash.update(`${process.platform} ${process.arch}`).digest('hex').slice(0, 12);
  const file = join(cacheFolder(process.env), `${module.split('/').at(-1)}-${state}`, name);
  if (existsSync(file)) return file;
  const go = findOnPath('go', process.env['PATH']);
  if (go === null) throw new Error(`${name} is built with Go, which is not on the PATH`);
  console.log(`building ${name} with Go, once`);
  mkdirSync(join(file, '..'), { recursive: true });
  const flags = [
    '-mod=readonly',
    '-trimpath',
    '-tags',
    'disable_grpc_modules',
    '-ldflags',
    '-s -w',
  ];
  const built = spawnSync(go, ['build', ...flags, '-o', file, path], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
  });
  if (built.status !== 0) throw new Error(`${name} could not be built:\n${built.stderr}`);
  return file;
}
