import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findTemporal, provideTemporal } from './temporal-binary.ts';
import type { PlacesEnvironment } from './cache.ts';

/** A machine with these shell scripts on its PATH, nothing in the cache, and no wish to download. */
function machine(scripts: Record<string, string>): PlacesEnvironment & { PATH: string } {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-path-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return { PATH: folder, XDG_CACHE_HOME: join(folder, 'cache'), TEMPORAL_DOWNLOAD: 'off' };
}

const temporal = (server: string): string =>
  `echo 'temporal version 1.8.2 (Server ${server}, UI 2.50.1)'`;
const go = (version: string): string =>
  `[ "$1" = version ] && echo 'go version go${version} linux/amd64'`;
/** Counts its builds in a file beside itself, and takes a moment. `-o FILE`: its ninth argument. */
const buildingGo = `
case "$1" in
  version) echo 'go version go1.26.8 linux/amd64' ;;
  build) echo built >> "$(dirname "$0")/builds"; sleep 0.3; echo '#!/bin/sh' > "$9"; chmod +x "$9" ;;
esac`;

test('a `temporal` on the PATH is taken when its server is new enough', () => {
  for (const server of ['1.32.0', '1.32.1', '1.40.0', '2.0.0']) {
    const env = machine({ temporal: temporal(server) });
    expect(findTemporal(env)).toEqual({ kind: 'file', file: join(env.PATH, 'temporal') });
  }
});

test('else Go builds it', () => {
  const env = machine({ temporal: temporal('1.31.9'), go: go('1.22') });
  expect(findTemporal(env)).toMatchObject({ kind: 'build', go: join(env.PATH, 'go') });
});

test('without either, one sentence names what is there, what to install, and the address', () => {
  const nothing =
    /^Temporal's server is missing: install Go 1\.21 .*golang-go.*, or the Temporal CLI .*cli\.sh.*, or set TEMPORAL_ADDRESS\.$/;
  expect(() => findTemporal(machine({}))).toThrow(nothing);
  expect(() => findTemporal(machine({ temporal: temporal('1.31.9'), go: go('1.19.8') }))).toThrow(
    /missing \(the `temporal` on the PATH has server 1\.31\.9, the `go` is 1\.19\.8\): install/,
  );
  expect(() => findTemporal(machine({ temporal: 'echo nonsense', go: 'exit 1' }))).toThrow(nothing);
});

test('two who need it at once build it once', async () => {
  const env = machine({ go: buildingGo });
  const lines: string[] = [];
  const source = findTemporal(env);
  // The shell's own programs: the build sees this process's PATH.
  const files = await Promise.all(
    [1, 2].map(() => provideTemporal(source, { log: (line) => lines.push(line) })),
  );
  expect(files).toEqual([source.file, source.file]);
  expect(readFileSync(join(env.PATH, 'builds'), 'utf8')).toBe('built\n');
  expect(lines.filter((line) => line.includes('building the server with Go, once'))).toHaveLength(
    1,
  );
  expect(lines.filter((line) => line.includes('another process is building'))).toHaveLength(1);
  expect(lines.join()).toMatch(
    /Temporal's server v1\.32\.1, Web UI and CLI .* 4 to 8 minutes on 2 cores/,
  );
  expect(findTemporal(env)).toEqual({ kind: 'file', file: source.file });
});

test('a build that fails leaves nothing that looks like a server', async () => {
  const env = machine({ go: `${go('1.26.8')} && exit 0; echo 'no network'; exit 1` });
  const source = findTemporal(env);
  await expect(provideTemporal(source, { log() {} })).rejects.toThrow(
    /cannot build.*\nno network/s,
  );
  expect(existsSync(source.file)).toBe(false);
});

test('a build that is given up ends', async () => {
  const env = machine({ go: `${go('1.26.8')} && exit 0; exec sleep 60` });
  const source = findTemporal(env);
  await expect(
    provideTemporal(source, { log() {}, signal: AbortSignal.timeout(200) }),
  ).rejects.toThrow('aborted');
  expect(readdirSync(dirname(source.file))).toEqual(['build.lock']);
});
