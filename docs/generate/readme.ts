import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { environmentSchema } from '../../environment/config.ts';

/** Writes the README's configuration table from the schema: `npm run gen`. A test fails when the two differ. */

const readmePath = fileURLToPath(new URL('../../README.md', import.meta.url));
const marked = /(<!-- configuration:[^>]*-->\n)[\s\S]*?(<!-- \/configuration -->)/;

/** One row per variable: name, default, meaning. */
export function configurationTable(): string {
  const rows = Object.entries(environmentSchema.shape).map(([name, field]) => {
    const absent = field.safeParse(undefined);
    const value = absent.success ? absent.data : undefined;
    const otherwise =
      value === undefined || value === '' || Array.isArray(value) ? '' : `\`${String(value)}\``;
    return `| \`${name}\` | ${otherwise} | ${field.description ?? ''} |\n`;
  });
  return `| variable | default | meaning |\n|---|---|---|\n${rows.join('')}`;
}

/** The README with the current table. */
export function withConfigurationTable(readme: string): string {
  return readme.replace(
    marked,
    (_, begin: string, end: string) => `${begin}${configurationTable()}${end}`,
  );
}

export function readReadme(): string {
  return readFileSync(readmePath, 'utf8');
}

if (import.meta.main) writeFileSync(readmePath, withConfigurationTable(readReadme()));
