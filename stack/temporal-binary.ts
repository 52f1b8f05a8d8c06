import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, type PlacesEnvironment } from './cache.ts';
import { waitForLock } from './lock.ts';
import { findOnPath, isExecutableFile, run, serverEnvironment } from './process.ts';
import { messageOf, StackError } from './stack-error.ts';
import {
  type Archive,
  archiveFor,
  type CliRelease,
  download,
  downloadedFile,
  DownloadError,
  type DownloadOptions,
  pinnedRelease,
} from './temporal-download.ts';

/** The oldest usable server version: time skipping came with 1.32. */
const serverVersionMin = [1, 32, 0] as const;
/** Older Go versions cannot fetch the version that go.mod requires. */
const goVersionMin = [1, 21, 0] as const;
const askLimitMs = 10_000;
const progressPauseMs = 10_000;

const moduleDir = join(import.meta.dirname, 'temporal');
const commandPackage = 'github.com/temporalio/cli/cmd/temporal';
const buildTags = ['-tags', 'disable_grpc_modules'];
/** Measured on two cores, one of which may have other work. */
const buildTakes = '4 to 8 minutes on 2 cores';

type Build = { kind: 'build'; go: string; file: string };

/** Where the Temporal server comes from. */
export type TemporalSource =
  | { kind: 'file'; file: string }
  | Build
  /** `otherwise` is done when the download fails; a text says what is missing for that. */
  | { kind: 'download'; file: string; archive: Archive; otherwise: Build | string };

/**
 * Finds the Temporal server to run: an earlier build or download, else `temporal` on the PATH, else the official CLI to
 * download, else one to build with Go. A StackError says what to install if none of these is possible.
 */
export function findTemporal(
  env: PlacesEnvironment,
  release: CliRelease = pinnedRelease,
): TemporalSource {
  const { file, version } = lookForTemporal(env, release);
  if (file !== null) return { kind: 'file', file };
  const go = findOnPath('go', env.PATH);
  const goVersion = go === null ? null : goVersionOf(go);
  const canBuild = go !== null && goVersion !== null && isAtLeast(goVersion, goVersionMin);
  const otherwise: Build | string = canBuild
    ? { kind: 'build', go, file: builtFile(env) }
    : missing(version, goVersion);
  const archive = archiveFor(env, release);
  if (archive !== null)
    return { kind: 'download', file: downloadedFile(env, release), archive, otherwise };
  if (typeof otherwise === 'string') throw new StackError(otherwise);
  return otherwise;
}

/** The Temporal program that can run at once; null if there is none. */
export function installedTemporal(env: PlacesEnvironment): string | null {
  return lookForTemporal(env, pinnedRelease).file;
}

/** `version` is that of the program on the PATH, even if it is too old to be `file`. */
function lookForTemporal(
  env: PlacesEnvironment,
  release: CliRelease,
): { file: string | null; version: number[] | null } {
  const kept = [builtFile(env), downloadedFile(env, release)].find(isExecutableFile);
  if (kept !== undefined) return { file: kept, version: null };
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
    `Temporal's server is missing${because}: install Go ${goVersionMin.slice(0, 2).join('.')} or newer (\`sudo apt install golang-go\`, \`brew install go\` or https://go.dev/dl; the server is then built once, in ${buildTakes}), ` +
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

/**
 * The server's file. Downloads it first if needed, in seconds to minutes, or builds it, in minutes; once for each user of
 * the machine. A download that fails is followed by a build.
 */
export async function provideTemporal(
  source: TemporalSource,
  options: DownloadOptions,
): Promise<string> {
  const { log } = options;
  switch (source.kind) {
    case 'file':
      return source.file;
    case 'build':
      return once(source.file, 'building', options, () => build(source, options));
    case 'download': {
      const { archive, file, otherwise } = source;
      try {
        return await once(file, 'downloading', options, () => download(archive, file, options));
      } catch (error) {
        if (!(error instanceof DownloadError)) throw error;
        const failed = `the official CLI cannot be had: ${error.message}`;
        if (typeof otherwise === 'string')
          throw new StackError(`${failed}. ${otherwise}`, { cause: error });
        log(`Temporal: ${failed}; building it with Go instead`);
        return provideTemporal(otherwise, options);
      }
    }
  }
}

/** Makes a file unless it is there, while no other process makes it. @param making what they do: "building". */
async function once(
  file: string,
  making: string,
  { log, signal }: DownloadOptions,
  make: () => Promise<void>,
): Promise<string> {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const lock = await waitForLock(join(folder, 'build.lock'), {
    signal,
    onWait: () => log(`Temporal: another process is ${making} the server; waiting for it`),
  });
  try {
    if (!isExecutableFile(file)) await make();
    return file;
  } finally {
    lock.release();
  }
}

const unfinishedPrefix = 'building';

async function build({ go, file }: Build, { log, signal }: DownloadOptions): Promise<void> {
  const folder = dirname(file);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(unfinishedPrefix)) rmSync(join(folder, name));
  }
  const unfinished = join(folder, unfinishedPrefix);
  log(
    `Temporal: building the server with Go, once: Temporal's server ${moduleVersion('go.temporal.io/server')}, Web UI and CLI from their sources, which takes ${buildTakes} (more while the sources are downloaded); it is kept in ${folder}`,
  );
  const options = { cwd: moduleDir, env: goEnvironment(), signal };
  const progress = reportProgress(log);
  try {
    const listed = await run(go, ['list', '-deps', ...buildTags, commandPackage], options);
    // Beside the packages it names the sources that it downloads: `go: downloading …`.
    const packages = listed.output.split('\n').filter((line) => /^(?!go: )\S/.test(line));
    if (listed.code === 0) progress.of(packages.length);
    const args = ['build', '-mod=readonly', '-trimpath', ...buildTags, '-ldflags', '-s -w'];
    args.push('-o', unfinished, '-v', commandPackage);
    const { code, output } = await run(go, args, { ...options, onOutput: progress.compiled });
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
    progress.end();
  }
}

/** Says now and then how far Go is. It names each package when it has compiled it; those of an earlier build are not named. */
function reportProgress(log: (line: string) => void) {
  const startedMs = performance.now();
  let compiled = 0;
  let packages: number | null = null;
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    const far =
      packages === null ? 'downloading sources' : `${compiled} of ${packages} packages compiled`;
    log(`Temporal: still building, ${far}, ${seconds} s so far`);
  }, progressPauseMs);
  return {
    of(count: number): void {
      packages = count;
    },
    compiled(text: string): void {
      compiled += text.split('\n').length - 1;
    },
    end(): void {
      clearInterval(timer);
    },
  };
}

/** `v1.32.1` of go.mod. */
function moduleVersion(module: string): string {
  const lines = readFileSync(join(moduleDir, 'go.mod'), 'utf8').split('\n');
  const required = lines.map((line) => line.trim().split(' ')).find(([name]) => name === module);
  return required?.[1] ?? '';
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
