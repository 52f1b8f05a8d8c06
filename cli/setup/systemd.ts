import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ProcessName } from '../../db/roles.ts';
import type { Config } from '../../environment/config.ts';

/** The files of an installation with systemd: units, settings and secrets of each process. */

export interface PlannedFile {
  path: string;
  mode: number;
  text: string;
  /** Its content is not shown. */
  isSecret: boolean;
  /** A person may have changed it: one that exists is kept. */
  isKept: boolean;
}

const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const settingsFolder = '/etc/heliograph';
const secretsFolder = `${settingsFolder}/secrets`;

/** Which variables each process needs in its environment file; the secrets come as files. */
const variablesOf = {
  worker: [
    'REDIS_URL',
    'REDIS_KEY_PREFIX',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'INTEGRATION_MOCK_MODE',
    'PUBLIC_URL',
    'WATCHED_FOLDERS',
  ],
  gateways: [
    'REDIS_URL',
    'REDIS_KEY_PREFIX',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'GATEWAY_NETWORKS',
    'GATEWAY_SHARDS',
  ],
  api: [
    'REDIS_URL',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'TEMPORAL_UI_URL',
    'INTEGRATION_MOCK_MODE',
    'API_HOST',
    'API_PORT',
    'PUBLIC_URL',
    'TRUSTED_PROXIES',
  ],
} as const satisfies Record<ProcessName, readonly string[]>;

export const secretPath = (name: string): string => `${secretsFolder}/${name}`;

/** The unit of a process: the file of `deploy/`, with the folders and the Node of this installation. */
function unitText(process: ProcessName, nodePath: string): string {
  const text = readFileSync(join(packageRoot, 'deploy', `heliograph-${process}.service`), 'utf8');
  return text
    .replaceAll('/opt/heliograph', packageRoot.replace(/\/$/, ''))
    .replaceAll('/usr/bin/node', nodePath)
    .replaceAll(`${secretsFolder}/database_url`, `${secretsFolder}/database_url_${process}`);
}

/** @param env the environment of this command: variables that are set there are written down. */
function settingsText(process: ProcessName, env: NodeJS.ProcessEnv): string {
  const lines = variablesOf[process].map((name) => {
    const value = env[name];
    return value === undefined || value === '' ? `# ${name}=` : `${name}=${value}`;
  });
  return `# Settings of heliograph-${process}: README.md describes each variable. Secrets are files in ${secretsFolder}.\n${lines.join('\n')}\n`;
}

/**
 * Everything that is written for these processes.
 *
 * @param root a folder before every path; empty: this machine's own.
 * @param secrets by the name of their file.
 */
export function plannedFiles(
  processes: readonly ProcessName[],
  {
    env,
    root,
    secrets,
  }: { env: NodeJS.ProcessEnv; root: string; secrets: Readonly<Record<string, string>> },
): PlannedFile[] {
  const at = (path: string) => join(root === '' ? '/' : root, path);
  return [
    ...processes.flatMap((name): PlannedFile[] => [
      {
        path: at(`/etc/systemd/system/heliograph-${name}.service`),
        mode: 0o644,
        text: unitText(name, process.execPath),
        isSecret: false,
        isKept: false,
      },
      {
        path: at(`${settingsFolder}/${name}.env`),
        mode: 0o640,
        text: settingsText(name, env),
        isSecret: false,
        isKept: true,
      },
    ]),
    ...Object.entries(secrets).map(([name, value]): PlannedFile => ({
      path: at(secretPath(name)),
      mode: 0o600,
      text: `${value}\n`,
      isSecret: true,
      isKept: true,
    })),
  ];
}

export const folderOf = (file: PlannedFile): string => dirname(file.path);

/** The URL with which a process reaches the database: that of the owner, with another role. */
export function roleUrl(
  { DATABASE_URL }: Pick<Config, 'DATABASE_URL'>,
  role: string,
  password: string,
): string {
  const url = new URL(DATABASE_URL ?? '');
  url.username = role;
  url.password = encodeURIComponent(password);
  return url.href;
}
