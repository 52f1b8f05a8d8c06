import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, type PlacesEnvironment } from './cache.ts';
import { waitForLock } from './lock.ts';
import { findOnPath, isExecutableFile, run, serverEnvironment } from './process.ts';
import { messageOf, StackError } from './stack-error.ts';

/** The oldest usable server version: time skipping came with 1.32. */
const serverVersionMin = [1, 32, 0] as const;
/** Older Go versions cannot fetch the version that go.mod requires. */
const goVersionMin = [1, 21, 0] as const;
const askLimitMs = 10_000;
const progressPauseMs = 10_000;

const moduleDir = join(import.meta.dirname, 'temporal');
const commandPackage = 'github.com/temporalio/cli/cmd/temporal';

/** Where the Temporal server comes from. */
export type TemporalSource =
  | { kind: 'file'; file: string }
  | { kind: 'build'; go: string; file: string };

/**
 * Finds the Temporal server to run: an earlier build, else `temporal` on the PATH, else one to build with Go. A StackError
 * says what to install if none of these is possible.
 */
export function findTemporal(env: PlacesEnvironment): TemporalSource {
  const { file, version } = lookForTemporal(env);
  if (file !== null) return { kind: 'file', file };
  const go = findOnPath('go', env.PATH);
  const goVersion = go === null ? null : goVersionOf(go);
  if (go !== null && goVersion !== null && isAtLeast(goVersion, goVersionMin)) {
    return { kind: 'build', go, file: builtFile(env) };
  }
  throw new StackError(missing(version, goVersion));
}

/** The Temporal program that can run at once; null if there is none. */
export function installedTemporal(env: PlacesEnvironment): string | null {
  return lookForTemporal(env).file;
}

/** `version` is that of the program on the PATH, even if it is too old to be `file`. */
function lookForTemporal(env: PlacesEnvironment): {
  file: string | null;
  version: number[] | null;
} {
  const built = builtFile(env);
  if (isExecutableFile(built)) return { file: built, version: null };
  const onPath = findOnPath('temporal', env.PATH);
  const version = onPath === null ? null : serverVersionOf(onPath);
  const newEnough = version !== null && isAtLeast(version, serverVersionMin);
  return { file: newEnough ? onPath : null, version };
}

/** One sentence with both remedies. */
function missing(temporal: number[] | null, go: number[] | null): string {
  const found = [
    temporal ? `the \`temporal\` on the PATH has server ${temporal.join('.')}` : null,
    go ? `the \`go\` is ${go.join('.')}` : null,
  ].filter((each) => each !== null);
  const because = found.length > 0 ? ` (${found.join(', ')})` : '';
  return (
    `Temporal's server is missing${because}: install Go ${goVersionMin.slice(0, 2).join('.')} or newer (\`sudo apt install golang-go\`, \`brew install go\` or https://go.dev/dl; the server is then built once, in 4 minutes), ` +
    `or the Temporal CLI with server ${serverVersionMin.slice(0, 2).join('.')} or newer (\`curl -sSf https://temporal.download/cli.sh | sh\` or \`brew install temporal\`), or set TEMPORAL_ADDRESS.`
  );
}

/** The file in the user's cache, named by its sources: another version is another file. */
function builtFile(env: PlacesEnvironment): string {
  const hash = createHash('sha256')
    .update(readFileSync(join(moduleDir, 'go.mod')))
    .update(readFileSync(join(moduleDir, 'go.sum')))
    .update(`${process.platform} ${process.arch}`);
  const folder = `temporal-${hash.digest('hex').slice(0, 12)}`;
  return join(cacheFolder(env), folder, 'temporal');
}

/** `temporal version 1.8.2 (Server 1.32.1, UI 2.50.1)`. */
function serverVersionOf(binary: string): number[] | null {
  return versionIn(outputOf(binary, ['--version']), /Server (\d+)\.(\d+)\.(\d+)/);
}

/** `go version go1.26.8 linux/amd64`; a first release says go1.26 or go1.26.0. */
function goVersionOf(go: string): number[] | null {
  return versionIn(outputOf(go, ['version']), /go(\d+)\.(\d+)(?:\.(\d+))?/);
}

function versionIn(text: string, pattern: RegExp): number[] | null {
  const found = pattern.exec(text);
  return found === null ? null : [1, 2, 3].map((group) => Number(found[group] ?? 0));
}

function outputOf(command: string, args: string[]): string {
  // Inside a module, Go would fetch and report the version that go.mod names.
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const asked = spawnSync(command, args, { encoding: 'utf8', cwd: '/', env, timeout: askLimitMs });
  return asked.stdout ?? '';
}

function isAtLeast(version: readonly number[], wanted: readonly number[]): boolean {
  for (const [place, part] of wanted.entries()) {
    const had = version[place] ?? 0;
    if (had !== part) return had > part;
  }
  return true;
}

/** The server's file. Builds it first if needed: 3 to 4 minutes, once for each user of the machine. */
export async function provideTemporal(
  source: TemporalSource,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  if (source.kind === 'file') return source.file;
  const folder = dirname(source.file);
  mkdirSync(folder, { recursive: true });
  const lock = await waitForLock(join(folder, 'build.lock'), {
    signal,
    onWait: () => log('Temporal: another process is building the server; waiting for it'),
  });
  try {
    if (!isExecutableFile(source.file)) await build(source, log, signal);
    return source.file;
  } finally {
    lock.release();
  }
}

const unfinishedPrefix = 'building';

async function build(
  { go, file }: Extract<TemporalSource, { kind: 'build' }>,
  log: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folder = dirname(file);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(unfinishedPrefix)) rmSync(join(folder, name));
  }
  const unfinished = join(folder, unfinishedPrefix);
  const args = ['build', '-mod=readonly', '-trimpath', '-tags', 'disable_grpc_modules'];
  args.push('-ldflags', '-s -w', '-o', unfinished, commandPackage);
  log(`Temporal: building the server with Go, once, about 4 minutes; it is kept in ${folder}`);
  const startedMs = performance.now();
  const progress = setInterval(() => {
    log(`Temporal: still building, ${Math.round((performance.now() - startedMs) / 1000)} s so far`);
  }, progressPauseMs);
  try {
    const { code, output } = await run(go, args, { cwd: moduleDir, env: goEnvironment(), signal });
    if (code !== 0) {
      throw new StackError(
        `cannot build Temporal's server with ${go}:\n${output.trim().slice(-2000)}`,
      );
    }
    renameSync(unfinished, file);
  } catch (error) {
    if (error instanceof StackError) throw error;
    signal?.throwIfAborted();
    throw new StackError(`cannot build Temporal's server: ${messageOf(error)}`, { cause: error });
  } finally {
    clearInterval(progress);
  }
}

/** The user's environment (proxies, module cache), without variables that change the build. An empty GOFLAGS would fall back to that of `go env -w`. */
function goEnvironment(): NodeJS.ProcessEnv {
  const { GOOS: _os, GOARCH: _arch, ...kept } = process.env;
  return {
    ...kept,
    ...serverEnvironment(),
    GOFLAGS: '-mod=readonly',
    GOWORK: 'off',
    GO111MODULE: 'on',
    CGO_ENABLED: '0',
    GOTOOLCHAIN: process.env['GOTOOLCHAIN'] ?? 'auto',
  };
}
