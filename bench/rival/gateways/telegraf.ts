import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheFolder } from '../../../stack/cache.ts';
import { findOnPath } from '../../../stack/process.ts';
import { benchPoints } from '../../gateways/points.ts';
import { gridOf } from './judge.ts';

/** Telegraf: its program, built from its Go module with the Modbus input only, and its configuration for a farm. */

const moduleFolder = fileURLToPath(new URL('./telegraf/', import.meta.url));
const version = 'v1.37.2';

/** Builds the program once. @throws Error where Go is missing or the build fails. */
export function buildTelegraf(say: (line: string) => void): string {
  const program = join(cacheFolder(process.env), `telegraf-modbus-${version}`);
  if (existsSync(program)) return program;
  say(`building Telegraf ${version} with its Modbus input (minutes, once)`);
  mkdirSync(cacheFolder(process.env), { recursive: true });
  const go = findOnPath('go', process.env['PATH']);
  if (go === null)
    throw new Error('Telegraf is built with Go: install it, or leave --engine telegraf out');
  const { status } = spawnSync(go, ['build', '-mod=readonly', '-o', program, '.'], {
    cwd: moduleFolder,
    stdio: ['ignore', process.stderr.fd, 'inherit'],
  });
  if (status !== 0) throw new Error('Telegraf could not be built: see the lines above');
  return program;
}

/**
 * One input for each gateway, as its documentation advises, on the same grid of slots as ours (`collection_offset`), with
 * the same holes bridged, and rows in PostgreSQL.
 */
export function telegrafConfig(
  gateways: readonly { id: string; host: string; port: number }[],
  { intervalMs, databaseUrl }: { intervalMs: number; databaseUrl: string },
): string {
  const fields = benchPoints
    .map(({ key, address }) => `{address = ${address}, name = "${key}", type = "FLOAT32"}`)
    .join(', ');
  const inputs = gateways.map(
    ({ id, host, port }) => `
[[inputs.modbus]]
  name = "${id}"
  controller = "tcp://${host}:${port}"
  interval = "${intervalMs}ms"
  collection_offset = "${gridOf(id, intervalMs).phaseMs}ms"
  timeout = "1s"
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = 1
    byte_order = "ABCD"
    register = "input"
    optimization = "max_insert"
    optimization_max_register_fill = 30
    measurement = "modbus"
    fields = [${fields}]`,
  );
  return [
    `[agent]
  interval = "${intervalMs}ms"
  round_interval = true
  metric_batch_size = 1000
  metric_buffer_limit = 100000
  flush_interval = "1s"
  omit_hostname = true
  skip_processors_after_aggregators = true
[[outputs.postgresql]]
  connection = "${databaseUrl}"`,
    ...inputs,
    '',
  ].join('\n');
}
