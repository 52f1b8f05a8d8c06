import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { PlacesEnvironment } from './cache.ts';
import { PortBook } from './ports.ts';
import { startTemporal } from './temporal.ts';
import {
  findTemporal,
  installedTemporal,
  provideTemporal,
  type TemporalSource,
} from './temporal-binary.ts';
import { type CliRelease, type DownloadOptions, pinnedRelease } from './temporal-download.ts';

/** An archive's name, for this machine. */
const archiveName = `temporal_cli_7.7.7_${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}.tar.gz`;
const working = `echo 'temporal version 7.7.7 (Server 1.32.0, UI 2.54.1)'`;
const limits = { silenceMs: 300, totalMs: 5_000 };

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-download-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function writeScript(folder: string, name: string, script: string): string {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
  return join(folder, name);
}

/** An archive as the release has it, whose `temporal` is a shell script. */
function archiveOf(script: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-archive-'));
  writeScript(folder, 'temporal', script);
  writeFileSync(join(folder, 'LICENSE'), 'MIT');
  spawnSync('tar', ['-czf', 'a.tar.gz', 'LICENSE', 'temporal'], { cwd: folder });
  const archive = readFileSync(join(folder, 'a.tar.gz'));
  rmSync(folder, { recursive: true });
  return archive;
}

/** Plays the download address. @returns its URL, and the paths that were asked for. */
async function serve(answer: RequestListener): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v7`, asked };
}

function releaseOf(archive: Buffer, address: string): CliRelease {
  const sha256 = createHash('sha256').update(archive).digest('hex');
  return { version: '7.7.7', server: '1.32.0', address, sha256: { [archiveName]: sha256 } };
}

/** A machine with nothing in its cache; its Go, if it has one, "builds" a program that says so. */
function machine(options: { go: boolean }): PlacesEnvironment & { PATH: string } {
  const PATH = newFolder();
  if (options.go)
    writeScript(
      PATH,
      'go',
      `case "$1" in
        version) echo 'go version go1.26.8 linux/amd64' ;;
        build) printf '#!/bin/sh\\necho built\\n' > "$9"; chmod +x "$9" ;;
      esac`,
    );
  return { PATH, XDG_CACHE_HOME: join(PATH, 'cache') };
}

async function provide(source: TemporalSource, options: Partial<DownloadOptions> = {}) {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  return { file: await provideTemporal(source, { log, limits, ...options }), lines };
}

const right = archiveOf(working);

test('the official CLI is downloaded, checked and kept', async () => {
  const { address, asked } = await serve((_, response) => response.end(right));
  const env = machine({ go: true });
  const release = releaseOf(right, address);
  const { file, lines } = await provide(findTemporal(env, release));
  expect(asked).toEqual([`/v7/${archiveName}`]);
  expect(lines).toEqual([
    expect.stringMatching(
      /downloading the official CLI 7\.7\.7 with server 1\.32\.0 from 127.*once$/,
    ),
    expect.stringContaining('the checksum is right'),
  ]);
  expect(spawnSync(file, { encoding: 'utf8' }).stdout).toContain('Server 1.32.0');
  expect(readdirSync(dirname(file)).toSorted()).toEqual(['build.lock', 'temporal']);
  expect(findTemporal(env, release)).toEqual({ kind: 'file', file });
  // It is there, also for those who do not want downloads.
  expect(findTemporal({ ...env, TEMPORAL_DOWNLOAD: 'off' }, release)).toEqual({
    kind: 'file',
    file,
  });
});

test('two who need it at once download it once', async () => {
  const { address, asked } = await serve((_, response) => response.end(right));
  const source = findTemporal(machine({ go: false }), releaseOf(right, address));
  const [one, two] = await Promise.all([provide(source), provide(source)]);
  expect(one.file).toBe(two.file);
  expect(asked).toHaveLength(1);
  expect([...one.lines, ...two.lines].join()).toContain('another process is downloading');
});

/** What the address may do instead of answering, with the archive that the table of checksums promises. */
const failures: [string, RequestListener, Buffer, RegExp][] = [
  ['answers 404', (_, response) => response.writeHead(404).end('none'), right, /answered 404/],
  [
    'has another archive',
    (_, response) => response.end(archiveOf('echo another')),
    right,
    /the checksum of http.* is [0-9a-f]{64}, not [0-9a-f]{64}/,
  ],
  ['hangs', () => {}, right, /was silent for 0\.3 s/],
  [
    'hangs in the middle',
    (_, response) => {
      response.writeHead(200, { 'content-length': right.length });
      response.write(right.subarray(0, 100));
    },
    right,
    /was silent for 0\.3 s/,
  ],
  [
    'is cut off in the middle',
    (_, response) => {
      response.writeHead(200, { 'content-length': right.length });
      response.write(right.subarray(0, 100), () => response.destroy());
    },
    right,
    /other side closed|terminated|ECONNRESET/,
  ],
  [
    'trickles',
    (_, response) => {
      const timer = setInterval(() => response.write('x'), 50);
      response.on('close', () => clearInterval(timer));
    },
    right,
    /took longer than 1 s/,
  ],
  [
    'has no archive under the right checksum',
    (_, response) => response.end('nonsense'),
    Buffer.from('nonsense'),
    /the archive cannot be unpacked/,
  ],
];

test.each(failures)('an address that %s: Go builds it', async (_, answer, promised, reason) => {
  const { address } = await serve(answer);
  const source = findTemporal(machine({ go: true }), releaseOf(promised, address));
  const { file, lines } = await provide(source, { limits: { ...limits, totalMs: 1_000 } });
  const sentence = lines.find((line) => line.includes('building it with Go instead'));
  expect(sentence).toMatch(/^Temporal: the official CLI cannot be had: /);
  expect(sentence).toMatch(reason);
  expect(spawnSync(file, { encoding: 'utf8' }).stdout).toBe('built\n');
  // Nothing that could be taken for a program, and nothing that fills the disk.
  expect(readdirSync(dirname(source.file))).toEqual(['build.lock']);
});

test('a program that does not run here is not kept', async () => {
  const broken = archiveOf('echo "cannot execute binary file"; exit 126');
  const { address } = await serve((_, response) => response.end(broken));
  const source = findTemporal(machine({ go: true }), releaseOf(broken, address));
  const { file, lines } = await provide(source);
  expect(lines.join()).toMatch(
    /does not run here: cannot execute binary file; building it with Go/,
  );
  expect(spawnSync(file, { encoding: 'utf8' }).stdout).toBe('built\n');
});

test('without a network and without Go, one message says both', async () => {
  const nobody = createServer().listen(0, '127.0.0.1');
  await once(nobody, 'listening');
  const address = `http://127.0.0.1:${(nobody.address() as AddressInfo).port}`;
  nobody.close();
  await once(nobody, 'close');
  const source = findTemporal(machine({ go: false }), releaseOf(right, address));
  await expect(provide(source)).rejects.toThrow(
    /^the official CLI cannot be had: http:\/\/127.*ECONNREFUSED.* Temporal's server is missing: install Go/,
  );
});

test('a download that is given up ends at once and leaves nothing', async () => {
  const { address } = await serve(() => {});
  const source = findTemporal(machine({ go: true }), releaseOf(right, address));
  await expect(provide(source, { signal: AbortSignal.timeout(100) })).rejects.toThrow('aborted');
  expect(readdirSync(dirname(source.file))).toEqual(['build.lock']);
});

test('what a killed download left is removed by the next', async () => {
  const { address } = await serve((_, response) => response.end(right));
  const source = findTemporal(machine({ go: false }), releaseOf(right, address));
  if (source.kind !== 'download') throw new Error('no download is tried');
  await provide({ ...source, archive: { ...source.archive, sha256: 'wrong' } }).catch(() => {});
  const left = `${source.file}.unfinished`;
  writeFileSync(left, 'half an archive');
  expect(installedTemporal(machine({ go: false }))).toBeNull();
  const { file } = await provide(source);
  expect(existsSync(left)).toBe(false);
  expect(existsSync(file)).toBe(true);
});

test('TEMPORAL_DOWNLOAD switches it off, or names a mirror', async () => {
  const { address, asked } = await serve((_, response) => response.end(right));
  const env = machine({ go: true });
  const release = releaseOf(right, 'http://127.0.0.1:9/none');
  expect(findTemporal({ ...env, TEMPORAL_DOWNLOAD: 'off' }, release)).toMatchObject({
    kind: 'build',
  });
  expect(() => findTemporal({ ...env, TEMPORAL_DOWNLOAD: 'on' }, release)).toThrow(
    /^TEMPORAL_DOWNLOAD must be `off`, or the http\(s\) URL/,
  );
  await provide(findTemporal({ ...env, TEMPORAL_DOWNLOAD: `${address}/` }, release));
  expect(asked).toEqual([`/v7/${archiveName}`]);
});

test('only an archive with a checksum in the table is downloaded', () => {
  const env = machine({ go: true });
  expect(findTemporal(env, { ...pinnedRelease, sha256: {} })).toMatchObject({ kind: 'build' });
  expect(findTemporal(env)).toMatchObject({
    kind: 'download',
    archive: {
      url: expect.stringMatching(/^https:\/\/github\.com\/temporalio\/cli\/releases\/.*\.tar\.gz$/),
    },
  });
  for (const [name, sha256] of Object.entries(pinnedRelease.sha256)) {
    expect(name).toMatch(/^temporal_cli_1\.9\.1_(linux|darwin)_(amd64|arm64)\.tar\.gz$/);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  }
});

test('a downloaded server keeps its state in the data folder, on the ports that it was given', async () => {
  const real = installedTemporal(process.env);
  if (real === null)
    throw new Error(
      'this test runs the Temporal server of this machine: build it first by `npm start`',
    );
  // The release's program is about 45 MB; this one stands for it and becomes the server that is there.
  const archive = archiveOf(`[ "$1" = --version ] && { ${working}; exit; }\nexec '${real}' "$@"`);
  const { address } = await serve((_, response) => response.end(archive));
  const source = findTemporal(machine({ go: false }), releaseOf(archive, address));
  const dataDir = newFolder();
  const temporal = await startTemporal({
    source,
    dataDir,
    namespace: 'default',
    ephemeral: true,
    timeSkipping: false,
    ui: false,
    ports: new PortBook(join(dataDir, 'ports.json'), dataDir),
    log() {},
  });
  try {
    expect(temporal.binary).toContain('temporal-cli-7.7.7');
    expect(existsSync(join(dataDir, 'temporal.db'))).toBe(true);
    const asked = spawnSync(
      temporal.binary,
      ['operator', 'cluster', 'health', '--address', temporal.address],
      { encoding: 'utf8' },
    );
    expect(asked.stdout).toContain('SERVING');
  } finally {
    await temporal.server.stop();
  }
});
