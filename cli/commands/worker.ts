import type { Command } from '../command.ts';
import { exitCodes, requireMockMode } from '../config.ts';
import { createLog } from '../log.ts';
import { installRuntime, startWorker } from '../worker.ts';

/** `heliograph worker`: polls until it is told to stop. */
export const worker: Command = {
  name: 'worker',
  usage: '',
  options: {},
  async run({ config: readConfig }) {
    const config = readConfig();
    requireMockMode(config);
    const log = createLog(config.LOG_LEVEL);
    installRuntime(log);
    const running = await startWorker({ config, log });
    let stopping = false;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping) return;
      stopping = true;
      log.info({ signal }, 'worker stops: what runs is finished first');
      running.stop();
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    // Started by `heliograph start`: ends with it, however that ends.
    process.once('disconnect', () => stop('SIGTERM'));
    process.send?.('started');
    await running.finished;
    log.info({}, 'worker stopped');
    process.disconnect?.();
    return exitCodes.done;
  },
};
