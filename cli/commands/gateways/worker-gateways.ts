import type { Command } from '../../command.ts';
import { createGatewayMetrics } from '../../../worker/gateway-metrics.ts';
import { startGatewaysWorker } from '../../../worker/gateways.ts';
import { runUntilStopped } from '../system/worker.ts';

/** `heliograph worker:gateways`: polls gateways until a signal stops it. */
export const workerGateways: Command = {
  name: 'worker:gateways',
  usage: '',
  async run({ config: readConfig, io }) {
    const config = readConfig();
    await runUntilStopped(config, io, {
      createMetrics: createGatewayMetrics,
      start: (log, meter) =>
        startGatewaysWorker({ config, log, ...(meter === null ? {} : { meter }) }),
    });
  },
};
