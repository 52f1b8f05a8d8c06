import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PortBook } from '../../stack/ports.ts';
import { Restarts } from '../../stack/restarts.ts';
import { supervise } from '../../worker/supervise.ts';
import { demoDevices } from './gateway-devices.ts';

/** Runs the demo's simulated gateways as a process of their own. */

const farmPath = fileURLToPath(new URL('./gateway-farm.ts', import.meta.url));

export interface DemoFarm {
  /** One for each of `demoDevices`; the same at every start, unless another program has taken one. */
  ports: number[];
  /** Where it takes orders. */
  controlUrl: string;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Resolves when it listens. @throws when it ends too often before that. */
export async function startDemoFarm(
  dataDir: string,
  say: (line: string) => void,
): Promise<DemoFarm> {
  // A book of its own: that of the servers keeps what it read when they started.
  const book = new PortBook(join(dataDir, 'ports.gateways.json'), `gateways of ${dataDir}`);
  const ports: number[] = [];
  for (const { id } of demoDevices) ports.push(await book.claim(`gateway ${id}`));
  const control = await book.claim('gateway control');
  const stopping = new AbortController();
  const restarts = new Restarts();
  const started = Promise.withResolvers<string>();
  const ended = supervise(
    {
      command: 'process of the simulated gateways',
      program: [farmPath, '--demo', ports.join(','), '--control', String(control)],
      env: { PATH: process.env['PATH'] },
      onStarted: (message) => started.resolve((message as { started: string }).started),
      allowAfterEnd: () => restarts.allowAfterEnd(),
      beforeRestart: async () => {},
    },
    stopping.signal,
    say,
  ).catch((error: unknown) => {
    started.reject(error);
    // Everything else goes on: gateways that are away are what people see then.
    say(error instanceof Error ? error.message : String(error));
  });
  return {
    ports,
    controlUrl: await started.promise,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
