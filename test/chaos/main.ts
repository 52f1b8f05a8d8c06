import { parseArgs } from 'node:util';

import { runBench, say, UsageError } from '../../bench/command.ts';
import { plantsMin } from './draw-fleet.ts';
import { reportText } from './report.ts';
import { runChaos } from './run.ts';

/**
 * `npm run chaos -- --seed S --minutes M [--plants N] [--course whole|steps] [--json FILE]`: a fleet on a stack of its own, polled by the production
 * worker while the faults of the seed's schedule happen to it. Exits with 1 where anything is not as it must be.
 */

const plantsDefault = '200';
const minutesDefault = '5';
const minutesMax = 24 * 60;
const plantsMax = 10_000;

function readOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: minutesDefault },
      plants: { type: 'string', default: plantsDefault },
      course: { type: 'string', default: 'whole' },
      json: { type: 'string' },
    },
  });
  const [minutes, plants] = [Number(values.minutes), Number(values.plants)];
  if (!(minutes >= 1 && minutes <= minutesMax))
    throw new UsageError(`--minutes must be from 1 to ${minutesMax}, not ${values.minutes}`);
  if (!Number.isInteger(plants) || plants < plantsMin || plants > plantsMax)
    throw new UsageError(
      `--plants must be a whole number from ${plantsMin} to ${plantsMax}, not ${values.plants}`,
    );
  const course = (['whole', 'steps'] as const).find((one) => one === values.course);
  if (course === undefined)
    throw new UsageError(`--course must be whole or steps, not ${values.course}`);
  return { seed: values.seed, minutes, plants, course, jsonFile: values.json ?? null };
}

await runBench(
  'chaos',
  async (signal) => {
    const { jsonFile, ...options } = readOptions();
    return { result: await runChaos({ ...options, say, signal }), jsonFile };
  },
  reportText,
  ({ sentences }) => sentences.length === 0,
);
