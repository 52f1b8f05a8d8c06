import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ModbusSite } from '../../adapters/modbus/site.ts';
import { noQuirks } from '../../domain/gateways/gateway.ts';
import type { ReadFunction } from '../../domain/gateways/point.ts';
import { closedPort } from '../support/modbus/peer.ts';
import { testSites } from '../support/modbus/sites.ts';

/**
 * Compares the Modbus client with others: `npm run differential:modbus`. It reads servers of pymodbus, libmodbus and
 * simonvetter/modbus; jsmodbus and mbpoll read the same. It installs nothing, and says what is missing.
 */

const folder = fileURLToPath(new URL('.', import.meta.url));
const built = mkdtempSync(join(tmpdir(), 'heliograph-differential-'));
const fromHere = createRequire(import.meta.url);

function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

interface Peer {
  name: string;
  isHere: () => boolean;
  missing: string;
  /** What serves on a port. */
  command: (port: number) => string[];
  build?: () => void;
}

const peers: readonly Peer[] = [
  {
    name: 'pymodbus',
    isHere: () => has('/usr/bin/python3', '-c', 'import pymodbus'),
    missing: 'apt-get install python3-pymodbus',
    command: (port) => ['/usr/bin/python3', join(folder, 'server.py'), String(port)],
  },
  {
    name: 'libmodbus',
    isHere: () => has('gcc', '--version') && existsSync('/usr/include/modbus/modbus.h'),
    missing: 'apt-get install gcc libmodbus-dev',
    build: () =>
      void execFileSync('gcc', [
        '-o',
        join(built, 'libmodbus'),
        join(folder, 'server.c'),
        '-lmodbus',
      ]),
    command: (port) => [join(built, 'libmodbus'), String(port)],
  },
  {
    name: 'simonvetter/modbus',
    isHere: () => has('go', 'version'),
    missing: 'install Go and put it on the PATH',
    build: () =>
      void execFileSync('go', ['build', '-o', join(built, 'simonvetter'), '.'], {
        cwd: join(folder, 'go'),
      }),
    command: (port) => [join(built, 'simonvetter'), String(port)],
  },
];

function loadJsmodbus(): JsModbus | null {
  try {
    return fromHere('jsmodbus') as JsModbus;
  } catch {
    return null;
  }
}

interface JsAnswer {
  response: { body: { valuesAsArray: ArrayLike<number> } };
}
interface JsClient {
  readCoils(address: number, count: number): Promise<JsAnswer>;
  readDiscreteInputs(address: number, count: number): Promise<JsAnswer>;
  readHoldingRegisters(address: number, count: number): Promise<JsAnswer>;
  readInputRegisters(address: number, count: number): Promise<JsAnswer>;
}
interface JsModbus {
  client: { TCP: new (socket: unknown, unitId: number) => JsClient };
}

/** What each server holds, as in server.py, server.c and server.go. */
const register = (address: number) => (address * 40_503 + 12_345) & 0xffff;
const coil = (address: number) => Number((address * 7) % 3 === 0);

const ranges: readonly (readonly [code: ReadFunction, address: number, count: number])[] = (
  [1, 2, 3, 4] as const
).flatMap((code) => {
  const counts = code <= 2 ? [1, 7, 8, 9, 16, 1_000] : [1, 2, 4, 59, 124, 125];
  return counts.flatMap((count) => [[code, 0, count] as const, [code, 777, count] as const]);
});

/** The values of an answer, one for each register or coil. */
function valuesOf(bytes: Uint8Array, code: ReadFunction, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    code <= 2
      ? ((bytes[index >> 3] as number) >> (index & 7)) & 1
      : ((bytes[index * 2] as number) << 8) | (bytes[index * 2 + 1] as number),
  );
}

async function readOurs(site: ModbusSite, code: ReadFunction, address: number, count: number) {
  const range = { unitId: 1, function: code, address, count };
  const result = await site.read({ ...range, quirks: noQuirks, deadlineMs: 10_000 });
  if (result.kind !== 'ANSWER') throw new Error(`no answer: ${JSON.stringify(result)}`);
  return result.bytes;
}

async function readJs(js: JsModbus, port: number): Promise<number[][]> {
  const socket = connect({ host: '127.0.0.1', port });
  const client = new js.client.TCP(socket, 1);
  await once(socket, 'connect');
  const all: number[][] = [];
  for (const [code, address, count] of ranges) {
    const read = {
      1: 'readCoils',
      2: 'readDiscreteInputs',
      3: 'readHoldingRegisters',
      4: 'readInputRegisters',
    } as const;
    const { response } = await client[read[code]](address, count);
    all.push(Array.from(response.body.valuesAsArray).slice(0, count));
  }
  socket.destroy();
  return all;
}

/** How mbpoll reads registers, and how the same bytes are read here. */
const mbpollTypes: readonly {
  args: string[];
  registers: number;
  at: (view: DataView, byte: number) => number;
}[] = [
  { args: ['-t', '4'], registers: 1, at: (view, byte) => view.getUint16(byte) },
  { args: ['-t', '3'], registers: 1, at: (view, byte) => view.getUint16(byte) },
  { args: ['-t', '4:int', '-B'], registers: 2, at: (view, byte) => view.getInt32(byte) },
  { args: ['-t', '4:int'], registers: 2, at: (view, byte) => swapped(view, byte).getInt32(0) },
  { args: ['-t', '4:float', '-B'], registers: 2, at: (view, byte) => view.getFloat32(byte) },
  { args: ['-t', '4:float'], registers: 2, at: (view, byte) => swapped(view, byte).getFloat32(0) },
];

/** Two registers, the low word first (CDAB). */
function swapped(view: DataView, byte: number): DataView {
  const other = new DataView(new ArrayBuffer(4));
  other.setUint16(0, view.getUint16(byte + 2));
  other.setUint16(2, view.getUint16(byte));
  return other;
}

function readMbpoll(port: number, args: readonly string[], count: number): string[] {
  const { stdout, stderr } = spawnSync(
    'mbpoll',
    [...`-m tcp -p ${port} -a 1 -0 -r 0 -c ${count} -1`.split(' '), ...args, '127.0.0.1'],
    { encoding: 'utf8' },
  );
  const values = [...stdout.matchAll(/^\[\d+\]:\s+(\S+)/gm)].map((match) => match[1] ?? '');
  if (values.length !== count) throw new Error(`mbpoll read ${values.length} values: ${stderr}`);
  return values;
}

let failures = 0;
function compare(what: string, is: readonly unknown[], right: readonly unknown[]): void {
  const isSame = JSON.stringify(is) === JSON.stringify(right);
  if (!isSame) failures += 1;
  console.log(`${isSame ? 'same' : 'DIFFERENT'}  ${what}`);
  if (!isSame) console.log(`  ${JSON.stringify(is)}\n  ${JSON.stringify(right)}`);
}

async function comparePeer(peer: Peer): Promise<void> {
  peer.build?.();
  const port = await closedPort();
  const [command = '', ...args] = peer.command(port);
  const server = spawn(command, args, { stdio: 'ignore' });
  const sites = testSites({ requestTimeoutMs: 5_000 });
  const site = sites.of('127.0.0.1', port);
  try {
    await untilListening(port);
    const ours: number[][] = [];
    for (const [code, address, count] of ranges)
      ours.push(valuesOf(await readOurs(site, code, address, count), code, count));
    const expected = ranges.map(([code, address, count]) =>
      Array.from({ length: count }, (_, index) => (code <= 2 ? coil : register)(address + index)),
    );
    compare(`${peer.name}: ${ranges.length} ranges of functions 1 to 4`, ours, expected);
    const bytes = await readOurs(site, 3, 0, 100);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    // One connection at a time is all that some servers bear.
    sites.close();
    if (js !== null) compare(`${peer.name}: read by jsmodbus`, await readJs(js, port), ours);
    if (hasMbpoll)
      for (const { args: type, registers, at } of mbpollTypes) {
        const count = 100 / registers;
        const read = readMbpoll(port, type, count);
        const own = Array.from({ length: count }, (_, index) => at(view, index * registers * 2));
        // mbpoll prints six digits of a float.
        const text = own.map((value) =>
          type[1]?.endsWith('float') ? value.toPrecision(6) : String(value),
        );
        const same = type[1]?.endsWith('float')
          ? read.map((one) => Number(one).toPrecision(6))
          : read;
        compare(`${peer.name}: read by mbpoll ${type.join(' ')}`, same, text);
      }
  } finally {
    sites.close();
    server.kill();
  }
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const socket = connect({ host: '127.0.0.1', port });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on port ${port}`);
}

const js = loadJsmodbus();
const hasMbpoll = has('mbpoll', '-V');
const missing = peers
  .filter(({ isHere }) => !isHere())
  .map((peer) => `${peer.name}: ${peer.missing}`);
if (js === null) missing.push('jsmodbus: npm install --prefix test/differential');
if (!hasMbpoll) missing.push('mbpoll: apt-get install mbpoll');
for (const one of missing) console.log(`MISSING    ${one}`);
for (const peer of peers) if (peer.isHere()) await comparePeer(peer);
rmSync(built, { recursive: true });
process.exitCode = failures === 0 && missing.length === 0 ? 0 : 1;
console.log(`${failures} differences, ${missing.length} peers missing`);
