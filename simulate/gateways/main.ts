import { parseArgs } from 'node:util';

import { liveSite, type SiteResult } from './run.ts';

/**
 * `npm run simulate:site -- --seeds N --days D [--seed S] [--json]`: lives a site of simulated gateways with the walker and
 * the rules of the product on a virtual clock. Exits with 1 where an invariant is broken; the same seed breaks it again.
 */

const usage =
  'usage: npm run simulate:site -- [--seeds N] [--days D] [--seed S] [--stop-at-first] [--json]';

function readOptions(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        seeds: { type: 'string', default: '3' },
        days: { type: 'string', default: '3' },
        seed: { type: 'string' },
        'stop-at-first': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const [count, days] = [Number(values.seeds), Number(values.days)];
    if (!Number.isInteger(count) || count < 1 || !Number.isInteger(days) || days < 1) return null;
    const seeds =
      values.seed === undefined
        ? Array.from({ length: count }, (_, index) => String(index + 1))
        : [values.seed];
    return { seeds, days, stopsAtFirst: values['stop-at-first'], json: values.json };
  } catch {
    return null;
  }
}

function sentencesOf({ seed, days, polls, rows, disabled, violation }: SiteResult): string[] {
  if (violation === null)
    return [`seed ${seed}: ${days} days, ${polls} polls, ${rows} rows, ${disabled} switched off`];
  return [
    `seed ${seed}: ${violation.gatewayId}: ${violation.message}`,
    ...violation.trace.map((line) => `    ${line}`),
    `  again: npm run simulate:site -- --seed ${seed} --days ${days}`,
  ];
}

const options = readOptions(process.argv.slice(2));
if (options === null) {
  process.stderr.write(`${usage}\n`);
  process.exitCode = 2;
} else {
  const { seeds, days, stopsAtFirst, json } = options;
  const results: SiteResult[] = [];
  for (const seed of seeds) {
    const result = await liveSite(seed, days);
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
