import { parseArgs } from 'node:util';

import { alignedText, runBench, say, UsageError, wholeNumber } from '../command.ts';
import { isOncePerSlot } from './figures.ts';
import {
  type Measured,
  runAway,
  runDeploy,
  runHostile,
  runKill,
  type RunOptions,
  runSteady,
  type Service,
  services,
} from './runs.ts';

/**
 * `npm run bench:gateways -- [--count N] [--interval S] [--seconds S] [--steady] [--full-speed] [--growth] [--kill] [--deploy]
 * [--away database|redis|temporal] [--hostile] [--all] [--json FILE]`: production walkers poll simulated gateways, twelve points
 * in two requests each; everything runs on this machine. Without a run's name: --steady.
 */

/** With this interval more is asked for than a machine of two cores can do: the rate is what it can do. */
const fullSpeedIntervalS = 2;
const growthSizes = [100, 1_000, 10_000];
const names = ['steady', 'full-speed', 'growth', 'kill', 'deploy', 'hostile'] as const;

function readOptions() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '10000' },
      interval: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '60' },
      away: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      all: { type: 'boolean', default: false },
      ...Object.fromEntries(
        names.map((name) => [name, { type: 'boolean', default: false }] as const),
      ),
    },
  });
  const given = values as typeof values & Record<string, unknown>;
  const away = (values.all ? services : values.away).map((word): Service => {
    const service = services.find((one) => one === word);
    if (service === undefined)
      throw new UsageError(`--away must be ${services.join(', ')}, not ${word}`);
    return service;
  });
  const chosen = names.filter((name) => values.all || given[name] === true);
  return {
    gateways: wholeNumber('count', values.count, 60_000),
    intervalS: wholeNumber('interval', values.interval, 86_400),
    seconds: wholeNumber('seconds', values.seconds, 86_400),
    chosen: new Set<string>(chosen.length + away.length === 0 ? ['steady'] : chosen),
    away,
    jsonFile: values.json ?? null,
  };
}

/** An error in a bench of an hour does not hide what was measured before. */
async function told<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
  say(`-- ${name}`);
  const result = await run();
  say(`  ${JSON.stringify(result)}`);
  return result;
}

async function bench(signal: AbortSignal) {
  const { gateways, intervalS, seconds, chosen, away, jsonFile } = readOptions();
  const options: RunOptions = { gateways, intervalS, seconds, say, signal };
  const when = async <Result>(name: string, run: () => Promise<Result>) => {
    if (!chosen.has(name)) return null;
    return told(name, run);
  };
  const growth: Measured[] = [];
  await when('growth', async () => {
    for (const size of growthSizes) growth.push(await runSteady({ ...options, gateways: size }));
  });
  const result = {
    measured_at: new Date().toISOString(),
    steady: await when('steady', () => runSteady(options)),
    full_speed: await when('full-speed', () =>
      runSteady({ ...options, intervalS: fullSpeedIntervalS }),
    ),
    growth,
    hostile: await when('hostile', () => runHostile(options)),
    kill_here: await when('kill', () => runKill(options, 'HERE')),
    kill_elsewhere: await when('kill', () => runKill(options, 'ELSEWHERE')),
    deploy: await when('deploy', () => runDeploy(options)),
    away: {} as Partial<Record<Service, Awaited<ReturnType<typeof runAway>>>>,
  };
  for (const service of away) {
    result.away[service] = await told(`${service} away`, () => runAway(options, service));
  }
  return { result, jsonFile };
}

export type GatewayBench = Awaited<ReturnType<typeof bench>>['result'];

function steadyText(name: string, run: Measured): [string, string][] {
  const { late, slots, devices, cpu_ms_per_poll: cpu, row_bytes: bytes } = run;
  return [
    [
      name,
      `${run.gateways} gateways every ${run.interval_s} s: ${run.polls} polls in ${run.seconds} s, ${run.polls_per_s} polls/s`,
    ],
    ['  late', `p50 ${late.p50_ms} ms, p99 ${late.p99_ms} ms, max ${late.max_ms} ms`],
    [
      '  slots',
      `${slots.due} due, ${slots.polled} polled, ${slots.missed} missed with their rows, ${slots.lost} lost, ${slots.doubled} doubled, ${slots.overlapping} overlapping, ${slots.strays} not due`,
    ],
    [
      '  devices',
      `${devices.requests_per_poll} requests a poll, ${devices.two_masters} had two masters, ${devices.overlapping} requests overlapped`,
    ],
    [
      '  CPU ms a poll',
      `walker ${cpu.walker}, PostgreSQL ${cpu.postgresql}, Temporal ${cpu.temporal}, Redis ${cpu.redis}, farm ${cpu.farm}; the whole machine ${cpu.machine}`,
    ],
    ['  memory', `${run.walker_rss_mb} MB; a row takes ${bytes.heap} + ${bytes.index} B`],
  ];
}

function disturbedText(name: string, run: NonNullable<GatewayBench['deploy']>): [string, string][] {
  const { slots, late } = run;
  return [
    [
      name,
      `polling again after ${run.polling_again_ms ?? 'never'} ms; ${slots.due} slots due, ${slots.missed} missed with their rows, ${slots.lost} lost, ${slots.doubled} doubled, ${slots.overlapping} overlapping; late p99 ${late.p99_ms} ms`,
    ],
  ];
}

function resultText(result: GatewayBench): string {
  const { steady, full_speed: fullSpeed, growth, hostile } = result;
  const lines: [string, string][] = [
    ...(steady === null ? [] : steadyText('steady', steady)),
    ...(fullSpeed === null ? [] : steadyText('full speed', fullSpeed)),
    ...growth.flatMap((run) => steadyText(`growth`, run)),
    ...(hostile === null ? [] : steadyText('hostile', hostile)),
    ...(hostile === null
      ? []
      : ([
          ['  the others', `late p99 ${hostile.late_of_others?.p99_ms} ms`],
          ...hostile.misbehaving.map(({ id, outcomes, reasons, stored, wrong }) => [
            `  ${id}`,
            `${outcomes}${reasons === null ? '' : ` (${reasons})`}; ${stored} values stored, ${wrong} of them wrong`,
          ]),
        ] as [string, string][])),
    ...disturbances(result).flatMap(([name, run]) => disturbedText(name, run)),
  ];
  return alignedText(lines);
}

export function disturbances(result: GatewayBench) {
  const all = [
    ['SIGKILL, same host', result.kill_here],
    ['SIGKILL, another host takes over', result.kill_elsewhere],
    ['deploy of two walkers', result.deploy],
    ['PostgreSQL away for 30 s', result.away.database],
    ['Redis emptied and away for 30 s', result.away.redis],
    ['Temporal away for 60 s', result.away.temporal],
  ] as const;
  return all.flatMap(([name, run]) => (run == null ? [] : [[name, run] as const]));
}

/** Whether no slot is lost, doubled or polled twice, and no wrong value is stored. Lateness and cost are told, not judged: they are the machine's. */
function isGood(result: GatewayBench): boolean {
  const steady = [result.steady, result.full_speed, ...result.growth];
  const runs = [...steady, result.hostile, ...disturbances(result).map(([, run]) => run)];
  return (
    runs.every(
      (run) =>
        run === null ||
        run.slots.lost + run.slots.doubled + run.slots.overlapping + run.slots.strays === 0,
    ) &&
    steady.every((run) => run === null || isOncePerSlot(run.devices)) &&
    (result.hostile?.misbehaving ?? []).every(({ wrong }) => wrong === 0)
  );
}

if (import.meta.main) await runBench('bench:gateways', bench, resultText, isGood);
