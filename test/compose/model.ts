import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { provideProgram } from './tools.ts';

/** `temporal-compose.yml` as Compose's own loader reads it. */

export const root = join(import.meta.dirname, '../..');

export interface Service {
  image: string;
  command: string[];
  environment?: Record<string, string>;
  secrets?: { source: string; target: string }[];
  depends_on?: Record<
    string,
    { condition: 'service_healthy' | 'service_completed_successfully' | 'service_started' }
  >;
  healthcheck?: { test: string[]; start_period?: string };
  networks: Record<string, unknown>;
  ports?: { host_ip?: string; published: string; target: number }[];
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  restart: string;
  privileged?: boolean;
  stop_grace_period?: string;
  deploy?: { resources?: { limits?: { memory?: string; pids?: number } } };
}

export interface ComposeModel {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean }>;
  secrets: Record<string, { file: string }>;
}

/** @throws with Compose's own words where the file is not right. */
export function readModel(): ComposeModel {
  const { status, stdout, stderr } = spawnSync(
    provideProgram('compose-check'),
    ['--format', 'json', join(root, 'temporal-compose.yml')],
    { cwd: root, encoding: 'utf8', env: { PATH: process.env['PATH'] } },
  );
  if (status !== 0) throw new Error(stderr.trim());
  return JSON.parse(stdout) as ComposeModel;
}

/** `90s`, `1m30s` in ms. */
export function durationMs(text: string): number {
  const [, minutes = '0', seconds = '0'] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  return Number(minutes) * 60_000 + Number(seconds) * 1_000;
}

/** In an order in which each comes after what it depends on. */
export function inOrder(services: ComposeModel['services']): string[] {
  const order: string[] = [];
  const visit = (name: string) => {
    if (order.includes(name)) return;
    for (const other of Object.keys(services[name]?.depends_on ?? {})) visit(other);
    order.push(name);
  };
  for (const name of Object.keys(services)) visit(name);
  return order;
}
