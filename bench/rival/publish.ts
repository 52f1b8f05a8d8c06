import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { digestMarkdown, type Report, reportMarkdown } from './report.ts';

/** `npm run bench:rival:report`: writes docs/bench-rival.md and the table of the README from docs/bench-rival.json. */

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const marked = /(<!-- rival:[^>]*-->\n)[\s\S]*?(<!-- \/rival -->)/;

const report = JSON.parse(readFileSync(fileOf('docs/bench-rival.json'), 'utf8')) as Report;
if (report.is_quick) throw new Error('a trial with --quick is not published');
writeFileSync(
  fileOf('docs/bench-rival.md'),
  `# Side by side with BullMQ\n\n${reportMarkdown(report)}`,
);
const readme = fileOf('README.md');
writeFileSync(
  readme,
  readFileSync(readme, 'utf8').replace(
    marked,
    (_, begin: string, end: string) => `${begin}${digestMarkdown(report)}${end}`,
  ),
);
