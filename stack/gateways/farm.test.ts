import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { isPortFree } from '../ports.ts';
import { type Behaviour, evenTemper } from './behaviour.ts';
import { patience } from '../../test/support/patience.ts';
import { type Control, orderBreak, orderMend, readFarmFigures, startControl } from './control.ts';
import { type Farm, type FarmGateway, type FarmOptions, startFarm } from './farm.ts';
import { generatedGateways, generatedHost } from './generated.ts';
import { Device } from './registers.ts';

const request = Buffer.from('000100000006010300000002', 'hex');
const answer = '00010000000701030400112233';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

let nextPort = 24_000 + (process.pid % 4_000);
async function freePort(): Promise<number> {
  for (;;) {
    nextPort += 1;
    if (await isPortFree(nextPort)) return nextPort;
  }
}

function gatewayOf(id: string, host: string, port: number): FarmGateway {
  const device = new Device(
    {
      ranges: [
        {
          function: 3,
          address: 0,
          registers: 2,
          fields: [{ address: 0, type: 'u32', value: 0x00112233 }],
        },
      ],
    },
    () => ({ powerW: 0, todayKwh: 0, lifetimeKwh: 0 }),
  );
  return { id, host, port, devices: new Map([[1, device]]), temper: evenTemper };
}

async function start(options: FarmOptions): Promise<Farm> {
  const farm = await startFarm(options);
  ends.push(() => farm.close());
  return farm;
}

async function dial(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  ends.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** What comes until as many bytes are there as the answer has. */
async function ask(socket: Socket, frame: Buffer = request): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => chunks.push(bytes));
  socket.write(frame);
  await vi.waitUntil(() => 2 * Buffer.concat(chunks).length >= answer.length, patience);
  socket.removeAllListeners('data');
  return Buffer.concat(chunks).toString('hex');
}

describe('a farm', () => {
  test('answers for each gateway on its own port, and counts what each has seen', async () => {
    const ports = [await freePort(), await freePort()];
    const gateways = ports.map((port, n) => gatewayOf(`g${n}`, '127.0.0.1', port));
    const seen: string[] = [];
    const farm = await start({ gateways, listen: 'EACH', onRequest: (id) => seen.push(id) });
    const socket = await dial('127.0.0.1', ports[1] ?? 0);
    expect(await ask(socket)).toBe(answer);
    expect(await ask(socket)).toBe(answer);
    expect(seen).toEqual(['g1', 'g1']);
    expect(farm.figures()).toMatchObject([
      { id: 'g0', requests: 0, connections: 0, lastRequestAtMs: null },
      { id: 'g1', requests: 2, connections: 1, connectionsMax: 1, overlapping: 0 },
    ]);
  });

  test.runIf(process.platform === 'linux')(
    'with one listening socket tells gateways apart by the address that was dialled',
    async () => {
      const port = await freePort();
      const farm = await start({ gateways: generatedGateways(600, port), listen: 'SHARED' });
      const frame = Buffer.from('000100000006010400000002', 'hex');
      for (const n of [0, 249, 250, 599]) await ask(await dial(generatedHost(n), port), frame);
      const asked = farm.figures().flatMap(({ requests }, n) => (requests > 0 ? [n] : []));
      expect(asked).toEqual([0, 249, 250, 599]);
    },
  );

  test.runIf(process.platform === 'linux')(
    'with one listening socket hangs up on an address that is no gateway of it',
    async () => {
      const port = await freePort();
      await start({ gateways: generatedGateways(1, port), listen: 'SHARED' });
      const socket = await dial('127.0.0.1', port);
      await once(socket.resume(), 'close');
    },
  );

  test('sees two masters and two requests at once', async () => {
    const port = await freePort();
    const farm = await start({ gateways: [gatewayOf('g', '127.0.0.1', port)], listen: 'EACH' });
    farm.break('g', 'SILENT', Infinity);
    const [one, other] = [await dial('127.0.0.1', port), await dial('127.0.0.1', port)];
    one.write(request);
    other.write(request);
    await vi.waitUntil(() => farm.figures()[0]?.requests === 2, patience);
    expect(farm.figures()).toMatchObject([{ connectionsMax: 2, overlapping: 1 }]);
  });

  test('hangs up on a peer that does not speak Modbus TCP', async () => {
    const port = await freePort();
    await start({ gateways: [gatewayOf('g', '127.0.0.1', port)], listen: 'EACH' });
    const socket = await dial('127.0.0.1', port);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket.resume(), 'close');
  });
});

describe('a gateway that is broken', () => {
  async function broken(behaviour: Behaviour) {
    const port = await freePort();
    const farm = await start({ gateways: [gatewayOf('g', '127.0.0.1', port)], listen: 'EACH' });
    farm.break('g', behaviour, Infinity);
    return { farm, port };
  }

  test.each<Behaviour>(['CLOSES', 'HANGS_UP'])('%s ends the connection', async (behaviour) => {
    const { port } = await broken(behaviour);
    const socket = await dial('127.0.0.1', port);
    socket.on('error', () => {});
    socket.write(request);
    await once(socket.resume(), 'close');
  });

  test('CLOSES_IDLE answers, and then closes', async () => {
    const { port } = await broken('CLOSES_IDLE');
    const socket = await dial('127.0.0.1', port);
    expect(await ask(socket)).toBe(answer);
    await once(socket.resume(), 'close');
  });

  test('DRIBBLES sends the same answer in pieces', async () => {
    const { port } = await broken('DRIBBLES');
    expect(await ask(await dial('127.0.0.1', port))).toBe(answer);
  });

  test('FLOODS sends frames that nobody asked for, also to whoever was connected before, until it is mended', async () => {
    const { farm, port } = await broken('GOOD');
    const socket = await dial('127.0.0.1', port);
    expect(await ask(socket)).toBe(answer);
    farm.break('g', 'FLOODS', Infinity);
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    socket.write(request);
    await vi.waitUntil(() => bytes > 100_000, patience);
    farm.mend('g');
    expect(await ask(await dial('127.0.0.1', port))).toBe(answer);
  });

  test('behaves again after its time', async () => {
    const port = await freePort();
    let nowMs = 0;
    const farm = await start({
      gateways: [gatewayOf('g', '127.0.0.1', port)],
      listen: 'EACH',
      clock: () => nowMs,
    });
    farm.break('g', 'BUSY', 120_000);
    nowMs = 119_999;
    expect(farm.figures()[0]?.behaviour).toBe('BUSY');
    nowMs = 120_000;
    expect(farm.figures()[0]?.behaviour).toBe('GOOD');
  });
});

test('the minutes of a gateway that misbehaves begin with its first request', async () => {
  const port = await freePort();
  let nowMs = 0;
  const gateway = {
    ...gatewayOf('g', '127.0.0.1', port),
    temper: { minutes: ['GOOD', 'BUSY'] as const },
  };
  const farm = await start({ gateways: [gateway], listen: 'EACH', clock: () => nowMs });
  const behaviours: unknown[] = [];
  const look = () => behaviours.push(farm.figures()[0]?.behaviour);
  nowMs = 3_600_000;
  look();
  await ask(await dial('127.0.0.1', port));
  nowMs += 59_999;
  look();
  nowMs += 1;
  look();
  expect(behaviours).toEqual(['GOOD', 'GOOD', 'BUSY']);
});

describe('the control of a farm', () => {
  async function controlled(): Promise<{ farm: Farm; control: Control }> {
    const port = await freePort();
    const farm = await start({ gateways: [gatewayOf('g', '127.0.0.1', port)], listen: 'EACH' });
    const control = await startControl(farm, 0);
    ends.push(() => control.close());
    return { farm, control };
  }

  test('breaks a gateway from another process, and mends it', async () => {
    const { farm, control } = await controlled();
    await orderBreak(control.url, 'g', { behaviour: 'SILENT', forMs: 60_000 });
    expect(await readFarmFigures(control.url)).toMatchObject([
      { id: 'g', behaviour: 'SILENT', last_request_at: null },
    ]);
    await orderMend(control.url, 'g');
    expect(farm.figures()[0]?.behaviour).toBe('GOOD');
  });

  test('says what is wrong with an order', async () => {
    const { control } = await controlled();
    const order = { behaviour: 'SILENT', forMs: 1 } as const;
    await expect(orderBreak(control.url, 'h', order)).rejects.toThrow(
      'there is no simulated gateway h',
    );
    await expect(orderBreak(control.url, 'g', { ...order, forMs: 0 })).rejects.toThrow(
      'for_ms must be from 1 to',
    );
    await expect(
      orderBreak(control.url, 'g', { ...order, behaviour: 'ODD' as Behaviour }),
    ).rejects.toThrow('behaviour must be one of GOOD, SILENT');
    await expect(orderBreak('http://127.0.0.1:1', 'g', order)).rejects.toThrow(
      'the simulated gateways do not answer at http://127.0.0.1:1',
    );
  });
});
