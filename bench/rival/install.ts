import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { say } from '../command.ts';

const folder = fileURLToPath(new URL('./', import.meta.url));

/** Installs BullMQ in bench/rival without running its packages' scripts. */
export function installRival(): void {
  say('installing the rival in bench/rival');
  const { status } = spawnSync(
    'npm',
    [
      'install',
      '--prefix',
      folder,
      '--no-package-lock',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
    ],
    { stdio: ['ignore', process.stderr.fd, 'inherit'] },
  );
  if (status !== 0) throw new Error('npm could not install the rival');
}
