import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, type PlacesEnvironment } from './cache.ts';
import { run } from './process.ts';
import { codeOf, messageOf, StackError } from './stack-error.ts';

/** Downloads the official Temporal CLI, which contains the server, and checks it before it may run. */

/** A release of the Temporal CLI. Only the archives in its table of checksums are downloaded. */
export interface CliRelease {
  version: string;
  /** Version of the server in it. */
  server: string;
  /** URL of the folder that holds the archives. */
  address: string;
  /** From the release's checksums.txt: SHA-256 in hex by the archive's name. */
  sha256: Readonly<Partial<Record<string, string>>>;
}

/** The release that TEMPORAL_DOWNLOAD's default downloads: the first one whose server is new enough. */
export const pinnedRelease = JSON.parse(
  readFileSync(join(import.meta.dirname, 'temporal', 'cli-release.json'), 'utf8'),
) as CliRelease;

/** The archive of a release for one kind of machine. */
export interface Archive {
  release: CliRelease;
  url: string;
  /** In hex. */
  sha256: string;
}

/** How long a download may take, ms. */
export interface DownloadLimits {
  /** Until the first byte, and between two pieces. */
  silenceMs: number;
  totalMs: number;
}

/** A build takes about as long as the longest download. */
const ordinaryLimits: DownloadLimits = { silenceMs: 10_000, totalMs: 300_000 };
/** Five times the size of an archive: what is larger is something else. */
const bytesMax = 256 * 1024 * 1024;
const progressPauseMs = 10_000;

/** Why a download failed; the message follows "the official CLI cannot be had: ". */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
}

/** What Temporal calls the processors. */
const architectures: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
};

/**
 * The archive for this machine; null if there is none, or TEMPORAL_DOWNLOAD is `off`.
 *
 * @throws StackError if TEMPORAL_DOWNLOAD is neither `off` nor a URL.
 */
export function archiveFor(env: PlacesEnvironment, release: CliRelease): Archive | null {
  const wish = env.TEMPORAL_DOWNLOAD ?? '';
  if (wish === 'off') return null;
  if (wish !== '' && !/^https?:\/\/\S+$/.test(wish))
    throw new StackError(
      'TEMPORAL_DOWNLOAD must be `off`, or the http(s) URL of a folder with the archives of the Temporal CLI.',
    );
  const { version } = release;
  const name = `temporal_cli_${version}_${process.platform}_${architectures[process.arch] ?? ''}.tar.gz`;
  const sha256 = release.sha256[name];
  if (sha256 === undefined) return null;
  const folder = (wish === '' ? release.address : wish).replace(/\/+$/, '');
  return { release, url: `${folder}/${name}`, sha256 };
}

/** Where the program of a release is kept once it was downloaded. */
export function downloadedFile(env: PlacesEnvironment, { version }: CliRelease): string {
  const folder = `temporal-cli-${version}-${process.platform}-${process.arch}`;
  return join(cacheFolder(env), folder, 'temporal');
}

export interface DownloadOptions {
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
  limits?: DownloadLimits;
}

/**
 * Downloads, checks and unpacks an archive into the file. The program gets this name only after it was run once, so a file
 * of this name is whole.
 *
 * @throws DownloadError, or the signal's reason.
 */
export async function download(
  { release, sha256, url }: Archive,
  file: string,
  options: DownloadOptions,
): Promise<void> {
  const { log, signal } = options;
  const scratch = `${file}.unfinished`;
  // Left by a process that was killed.
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  log(
    `Temporal: downloading the official CLI ${release.version} with server ${release.server} from ${new URL(url).host}, once`,
  );
  try {
    const packed = join(scratch, 'archive.tar.gz');
    const received = await fetchTo(packed, url, options);
    if (received !== sha256)
      throw new DownloadError(`the checksum of ${url} is ${received}, not ${sha256}`);
    const program = await unpack(packed, scratch, release, signal);
    renameSync(program, file);
    log(`Temporal: the checksum is right; the CLI is kept in ${file}`);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof DownloadError) throw error;
    throw new DownloadError(`${url}: ${reasonOf(error)}`, { cause: error });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Writes what a URL answers to a file. @returns the SHA-256 of it, in hex. @throws DownloadError, or what the network throws. */
async function fetchTo(path: string, url: string, options: DownloadOptions): Promise<string> {
  const { limits = ordinaryLimits, log, signal } = options;
  const silence = new AbortController();
  const silent = setTimeout(
    () => silence.abort(new DownloadError(`${url} was silent for ${limits.silenceMs / 1000} s`)),
    limits.silenceMs,
  );
  const total = new AbortController();
  const tooLong = setTimeout(
    () => total.abort(new DownloadError(`${url} took longer than ${limits.totalMs / 1000} s`)),
    limits.totalMs,
  );
  let bytes = 0;
  const progress = setInterval(() => log(`Temporal: ${megabytes(bytes)} so far`), progressPauseMs);
  const file = await open(path, 'w');
  try {
    const given = [silence.signal, total.signal, ...(signal ? [signal] : [])];
    const answer = await fetch(url, { signal: AbortSignal.any(given) });
    if (!answer.ok || answer.body === null)
      throw new DownloadError(`${url} answered ${answer.status}`);
    const hash = createHash('sha256');
    for await (const piece of answer.body) {
      silent.refresh();
      bytes += piece.length;
      if (bytes > bytesMax) throw new DownloadError(`${url} is larger than ${megabytes(bytesMax)}`);
      hash.update(piece);
      await file.write(piece);
    }
    return hash.digest('hex');
  } finally {
    clearTimeout(silent);
    clearTimeout(tooLong);
    clearInterval(progress);
    await file.close();
  }
}

/** The program of an archive, unpacked and run once. @throws DownloadError */
async function unpack(
  packed: string,
  folder: string,
  { server }: CliRelease,
  signal: AbortSignal | undefined,
): Promise<string> {
  const tar = await run('tar', ['-xzf', packed, '-C', folder, 'temporal'], { signal });
  if (tar.code !== 0)
    throw new DownloadError(`the archive cannot be unpacked: ${tar.output.trim()}`);
  const program = join(folder, 'temporal');
  chmodSync(program, 0o755);
  const tried = await run(program, ['--version'], { signal });
  if (!tried.output.includes(`Server ${server}`))
    throw new DownloadError(`its program does not run here: ${tried.output.trim().slice(0, 200)}`);
  return program;
}

/** `fetch` says "fetch failed" and keeps the reason in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = codeOf(cause);
  return code === undefined ? messageOf(cause) : `${messageOf(cause)} (${code})`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}
