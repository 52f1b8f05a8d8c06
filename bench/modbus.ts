import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';

import { createSites } from '../adapters/modbus/site.ts';
import { noQuirks } from '../domain/gateways/gateway.ts';
import { parseNetworks } from '../domain/gateways/network.ts';
import { nothingLearned } from '../domain/gateways/read-plan.ts';
import { resolvedPoint } from '../test/support/modbus/sites.ts';

/**
 * What a poll of the Modbus client costs: two requests and twelve points, over real sockets to a farm in a process of its own.
 * `npm run bench:modbus -- --sockets 10000 --interval 10 --seconds 30`; with interval 0 each site is polled again at once.
 */

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '1000' },
    interval: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '20' },
    farm: { type: 'boolean', default: false },
  },
});
/** Ports of the farm: one address of 127.0.0.0/8 bears fewer connections than a bench needs. */
const farmPorts = 16;

if (values.farm) await runFarm();
else await runBench();

/** Answers every request for registers with as many as it asks for. */
async function runFarm(): Promise<void> {
  const ports: number[] = [];
  for (let count = 0; count < farmPorts; count += 1) {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('data', (request) => {
        const bytes = request.readUInt16BE(10) * 2;
        const answer = Buffer.alloc(9 + bytes, 7);
        request.copy(answer, 0, 0, 8);
        answer.writeUInt16BE(bytes + 3, 4);
        answer.writeUInt8(bytes, 8);
        socket.write(answer);
      });
      socket.on('error', () => socket.destroy());
    });
    server.listen({ port: 0, host: '0.0.0.0', backlog: 10_000 });
    await once(server, 'listening');
    ports.push((server.address() as { port: number }).port);
  }
  process.send?.(ports);
  process.once('disconnect', () => process.exit());
}

async function runBench(): Promise<void> {
  const sockets = Number(values.sockets);
  const intervalMs = Number(values.interval) * 1_000;
  const farm = fork(new URL(import.meta.url), ['--farm']);
  const [ports] = (await once(farm, 'message')) as [number[]];
  const points = Array.from({ length: 12 }, (_, index) =>
    resolvedPoint({ address: index < 6 ? index * 2 : 500 + index * 2, registers: 2 }),
  );
  const sites = createSites({ networks: parseNetworks('127.0.0.0/8') });
  // A site for each address of loopback and port.
  const all = Array.from({ length: sockets }, (_, index) => {
    const block = Math.floor(index / farmPorts);
    return sites.of(`127.1.${block >> 8}.${(block & 255) + 1}`, ports[index % farmPorts] as number);
  });
  const counts = { polls: 0, failed: 0 };
  const lateMs: number[] = [];
  const quirksOf = () => noQuirks;
  const poll = async (index: number): Promise<void> => {
    const site = all[index] as (typeof all)[number];
    const { failure } = await site.poll({
      points,
      quirksOf,
      learned: nothingLearned,
      deadlineMs: 8_000,
    });
    counts.polls += 1;
    if (failure !== null) counts.failed += 1;
  };
  // Connections first, a few at a time: they are not what is measured.
  for (let from = 0; from < sockets; from += 100)
    await Promise.all(all.slice(from, from + 100).map((_, index) => poll(from + index)));
  Object.assign(counts, { polls: 0 });
  const started = { atMs: performance.now(), cpu: process.cpuUsage() };
  const endsAtMs = started.atMs + Number(values.seconds) * 1_000;
  if (intervalMs === 0)
    await Promise.all(
      all.map(async (_, index) => {
        while (performance.now() < endsAtMs) await poll(index);
      }),
    );
  else await onGrid({ sockets, intervalMs, endsAtMs, poll, lateMs });
  const tookS = (performance.now() - started.atMs) / 1_000;
  const { user, system } = process.cpuUsage(started.cpu);
  lateMs.sort((one, other) => one - other);
  const quantile = (share: number) => (lateMs[Math.floor(lateMs.length * share)] ?? 0).toFixed(1);
  console.log(
    `${sockets} sockets: ${(counts.polls / tookS).toFixed(0)} polls/s, ${((user + system) / 1_000 / counts.polls).toFixed(3)} ms CPU a poll (${(user / 1_000 / counts.polls).toFixed(3)} in user mode), ${counts.failed} failed, started late p50 ${quantile(0.5)} p99 ${quantile(0.99)} ms, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MB`,
  );
  sites.close();
  farm.kill();
}

/** Polls each site on its own phase of the interval. */
async function onGrid(of: {
  sockets: number;
  intervalMs: number;
  endsAtMs: number;
  poll: (index: number) => Promise<void>;
  lateMs: number[];
}): Promise<void> {
  const { sockets, intervalMs, endsAtMs, poll, lateMs } = of;
  const startsAtMs = performance.now();
  const open = new Set<Promise<void>>();
  for (let next = 0; ;) {
    const dueMs = startsAtMs + (next * intervalMs) / sockets;
    const now = performance.now();
    if (now >= endsAtMs) break;
    if (dueMs > now) await new Promise((resolve) => setTimeout(resolve, Math.max(1, dueMs - now)));
    else {
      lateMs.push(now - dueMs);
      const one = poll(next % sockets).finally(() => open.delete(one));
      open.add(one);
      next += 1;
    }
  }
  await Promise.all(open);
}
