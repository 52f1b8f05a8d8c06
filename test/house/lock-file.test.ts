import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

/** The lock file names the packages of every platform, so that `npm install` leaves a clone as it was and `npm ci` works. */

interface Locked {
  version?: string;
  integrity?: string;
  link?: boolean;
  os?: string[];
  cpu?: string[];
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const lockFile = new URL('../../package-lock.json', import.meta.url);
const { packages } = JSON.parse(readFileSync(lockFile, 'utf8')) as {
  packages: Record<string, Locked>;
};

/** The package that a dependency of `from` resolves to: the nearest `node_modules` upwards. */
function resolved(from: string, name: string): Locked | undefined {
  for (let folder = from; ; folder = folder.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    const found = packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`];
    if (found !== undefined || folder === '') return found;
  }
}

describe('the lock file', () => {
  test('has each package that another needs, the optional ones of other platforms too', () => {
    const missing = Object.entries(packages).flatMap(
      ([path, { dependencies, optionalDependencies }]) =>
        Object.keys({ ...dependencies, ...optionalDependencies })
          .filter((name) => resolved(path, name)?.version === undefined)
          .map((name) => `${path === '' ? 'heliograph' : path} needs ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test('has the checksum of each package but those that README.md names', () => {
    const unchecked = Object.entries(packages)
      .filter(
        ([path, { integrity, link }]) => path.includes('node_modules/') && !integrity && !link,
      )
      .map(([path]) => path.replace('node_modules/', ''));
    for (const name of unchecked) expect(name).toMatch(/^@node-rs\/bcrypt-/);
    expect(unchecked).not.toContain('@node-rs/bcrypt-linux-x64-gnu');
  });
});
