import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { digestMarkdown, type Report, reportMarkdown } from './report.ts';

/** `npm run bench:rival:report`: writes docs/bench-rival.md from docs/bench-rival.json. */

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const report = JSON.parse(readFileSync(fileOf('docs/bench-rival.json'), 'utf8')) as Report;
if (report.is_quick) throw new Error('a trial with --quick is not published');
writeFileSync(
  fileOf('docs/bench-rival.md'),
  `# Heliograph and BullMQ compared

Heliograph and a worker on BullMQ poll the same plants of the same vendor, one after the other on the same machine. The vendor's own log judges both. The BullMQ worker is tuned as BullMQ's documentation advises. *Hardened by hand* is BullMQ with the locks and repairs that careful users build around it. *Doubled* counts answers that were requested a second time; the ledger has no second row of them. *Lost* counts slots without an answer and without a row.

${digestMarkdown(report)}
## Every figure

${reportMarkdown(report)}`,
);
