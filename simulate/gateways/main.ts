import { parseArgs } from 'node:util';

import { hoursMin } from './life.ts';
import { liveSite, type SiteResult } from './run.ts';

/**
 * `npm run simulate:site -- --seeds N --hours H [--seed S] [--json]`: lives a site of simulated gateways with the walker and
 * the rules of the product on a virtual clock. Exits with 1 where an invariant is broken; the same seed breaks it again.
 */

const usage =
  'usage: npm run simulate:site -- [--seeds N] [--hours H] [--seed S] [--stop-at-first] [--json]';

function readOptions(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        seeds: { type: 'string', default: '3' },
        hours: { type: 'string', default: '72' },
        seed: { type: 'string' },
        'stop-at-first': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const [count, hours] = [Number(values.seeds), Number(values.hours)];
    if (!Number.isInteger(count) || count < 1 || !(hours >= hoursMin)) return null;
    const seeds =
      values.seed === undefined
        ? Array.from({ length: count }, (_, index) => String(index + 1))
        : [values.seed];
    return { seeds, hours, stopsAtFirst: values['stop-at-first'], json: values.json };
  } catch {
    return null;
  }
}

function sentencesOf({ seed, hours, polls, rows, disabled, violation }: SiteResult): string[] {
  if (violation === null)
    return [`seed ${seed}: ${hours} h, ${polls} polls, ${rows} rows, ${disabled} switched off`];
  return [
    `seed ${seed}: ${violation.gatewayId}: ${violation.message}`,
    ...violation.trace.map((line) => `    ${line}`),
    `  again: npm run simulate:site -- --seed ${seed} --hours ${hours}`,
  ];
}

const options = readOptions(process.argv.slice(2));
if (options === null) {
  process.stderr.write(`${usage}\n`);
  process.exitCode = 2;
} else {
  const { seeds, hours, stopsAtFirst, json } = options;
  const results: SiteResult[] = [];
  for (const seed of seeds) {
    const result = await liveSite(seed, hours);
    results.push(result);
    if (!json) process.stdout.write(`${sentencesOf(result).join('\n')}\n`);
    if (stopsAtFirst && result.violation !== null) break;
  }
  const violations = results.flatMap(({ seed, violation }) =>
    violation === null ? [] : [{ seed, ...violation }],
  );
  if (json) process.stdout.write(`${JSON.stringify({ seeds: results.length, violations })}\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
