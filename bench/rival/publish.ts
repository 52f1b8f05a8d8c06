import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { digestMarkdown, type Report, reportMarkdown } from './report.ts';

/** `npm run bench:rival:report`: writes docs/bench-rival.md from docs/bench-rival.json. */

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const report = JSON.parse(readFileSync(fileOf('docs/bench-rival.json'), 'utf8')) as Report;
if (report.is_quick) throw new Error('a trial with --quick is not published');
writeFileSync(
  fileOf('docs/bench-rival.md'),
  `# Side by side with BullMQ

Both poll the same plants of the same vendor, one after the other on the same machine, and the vendor's own log judges both. The worker on BullMQ is tuned as its documentation advises. *Hardened by hand* is BullMQ with the locks and repairs that careful users build around it. *Doubled* is an answer that was asked for again; the ledger never has a second row.

${digestMarkdown(report)}
## Every figure

${reportMarkdown(report)}`,
);
