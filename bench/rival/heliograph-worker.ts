import { loadConfig } from '../../environment/config.ts';
import { createLog } from '../../environment/log.ts';
import { installRuntime, startWorker } from '../../worker/worker.ts';
import { createVendorStub, readVendorSettings } from './vendor.ts';

/** The production worker over the bench's vendor. */

const config = loadConfig(process.env);
const log = createLog(config.LOG_LEVEL, process.stderr);
installRuntime(log);
const running = await startWorker({
  config,
  log,
  openAdapter: createVendorStub(readVendorSettings(process.env)),
});
const stop = () => running.stop();
process.once('SIGTERM', stop);
process.once('disconnect', stop);
process.send?.('started');
await running.finished;
process.exit();
