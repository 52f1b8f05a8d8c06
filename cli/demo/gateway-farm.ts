import { createWriteStream, type WriteStream } from 'node:fs';
import { parseArgs } from 'node:util';

import { type Behaviour, misbehaviours } from '../../stack/gateways/behaviour.ts';
import { startControl } from '../../stack/gateways/control.ts';
import type { DayCurve } from '../../stack/gateways/day-curve.ts';
import { type Farm, type FarmGateway, startFarm } from '../../stack/gateways/farm.ts';
import { floatMeter } from '../../stack/gateways/float-meter.ts';
import {
  generatedGateways,
  generatedMax,
  generatedUnitId,
} from '../../stack/gateways/generated.ts';
import { Device } from '../../stack/gateways/registers.ts';
import { demoFarmGateways } from './gateway-devices.ts';

/**
 * `npm run simulate:gateways -- --count N [--port P] [--hostile] [--control PORT] [--log FILE]`: simulated gateways as Modbus
 * TCP servers, until Ctrl-C. `--demo PORT,PORT,PORT,PORT` serves those of `npm start` instead. `--hostile` adds one gateway
 * for each misbehaviour. `--log` writes a line for each request: gateway, epoch ms, unit, function, address, count.
 */

const portDefault = 20_502;

const hostileId = (behaviour: Behaviour): string =>
  `bad-${behaviour.toLowerCase().replaceAll('_', '-')}`;

const noonW = 7_654.3;
/** By night the power is 0 in every order of words: these generators never sleep. */
const alwaysNoon: DayCurve = (nowMs) => ({
  powerW: noonW,
  todayKwh: 12.3,
  lifetimeKwh: 40_000 + ((nowMs - Date.UTC(2026, 0, 1)) / 3.6e9) * noonW,
});

function hostileGateways(port: number): FarmGateway[] {
  return misbehaviours.map((behaviour, n) => ({
    id: hostileId(behaviour),
    host: `127.19.0.${n + 1}`,
    port,
    devices: new Map([[generatedUnitId, new Device(floatMeter(), alwaysNoon)]]),
    temper: { minutes: [behaviour], refused: { from: 0x46, to: 0x49 } },
  }));
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name} must be a whole number from ${min} to ${max}, not ${text}`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '100' },
      port: { type: 'string', default: String(portDefault) },
      control: { type: 'string', default: '0' },
      demo: { type: 'string' },
      hostile: { type: 'boolean', default: false },
      log: { type: 'string' },
    },
  });
  const port = wholeNumber('port', values.port, 1, 65_535);
  const control = wholeNumber('control', values.control, 0, 65_535);
  if (values.demo !== undefined) {
    const ports = values.demo.split(',').map((text) => wholeNumber('demo', text, 1, 65_535));
    return { gateways: demoFarmGateways(ports), listen: 'EACH' as const, control, log: values.log };
  }
  const count = wholeNumber('count', values.count, 1, generatedMax);
  const gateways = generatedGateways(count, port);
  if (values.hostile) gateways.push(...hostileGateways(port));
  return { gateways, listen: 'SHARED' as const, control, log: values.log };
}

/** Ends with its parent, or with a signal. */
function endOnOrder(farm: Farm, close: () => Promise<void>): void {
  const end = () => void Promise.all([farm.close(), close()]).then(() => process.exit());
  for (const signal of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(signal, end);
}

async function main(): Promise<void> {
  const { gateways, listen, control: controlPort, log } = readOptions();
  const file: WriteStream | null = log === undefined ? null : createWriteStream(log);
  const farm = await startFarm({
    gateways,
    listen,
    ...(file === null
      ? {}
      : {
          onRequest: (id, { unitId, function: code, address, count }, atMs) =>
            void file.write(`${id} ${atMs} ${unitId} ${code} ${address} ${count}\n`),
        }),
  });
  const control = await startControl(farm, controlPort);
  endOnOrder(farm, async () => {
    await control.close();
    await new Promise<void>((resolve) => (file === null ? resolve() : file.end(resolve)));
  });
  const [first, last] = [gateways[0], gateways.at(-1)];
  process.stdout.write(
    `${gateways.length} simulated gateways: ${first?.host}:${first?.port} … ${last?.host}:${last?.port}; control at ${control.url}\n`,
  );
  process.send?.({ started: control.url });
}

main().catch((error: unknown) => {
  process.stderr.write(
    `simulated gateways: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
});
