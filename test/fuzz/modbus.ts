import { parseArgs } from 'node:util';

import { anySeed, fuzzClient, fuzzFrames, seededRandom } from './frames.ts';

/**
 * Fuzzes the Modbus client: `npm run fuzz:modbus -- --frames 10000000`. Every frame is judged, one of `--every` also goes over
 * a real connection. Says how many were taken wrongly and how much memory grew; `--seed` repeats a run.
 */

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    every: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(anySeed()) },
  },
});
const frames = Number(values.frames);
const random = seededRandom(Number(values.seed));
const rounds = 20;
const residentMb: number[] = [];
const wrong: string[] = [];
let [judged, dialled, taken] = [0, 0, 0];
for (let round = 1; round <= rounds; round += 1) {
  const some = fuzzFrames(Math.ceil(frames / rounds), random);
  const overTcp = await fuzzClient(Math.ceil(frames / rounds / Number(values.every)), random);
  judged += some.frames;
  dialled += overTcp.frames;
  taken += some.taken + overTcp.taken;
  wrong.push(...some.wrong, ...overTcp.wrong);
  residentMb.push(Math.round(process.memoryUsage.rss() / 2 ** 20));
  console.log(
    `${judged} frames judged, ${dialled} over connections, ${taken} taken, ${wrong.length} wrong, ${residentMb.at(-1)} MB`,
  );
}
console.log(
  `seed ${values.seed}: ${wrong.length} wrong, 0 crashes, memory after each tenth: ${residentMb.filter((_, at) => at % 2 === 1).join(', ')} MB`,
);
for (const one of wrong.slice(0, 20)) console.log(one);
process.exitCode = wrong.length === 0 ? 0 : 1;
