import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { noQuirks } from '../../domain/gateways/gateway.ts';
import { parseNetworks } from '../../domain/gateways/network.ts';
import { patience } from '../../test/support/patience.ts';
import {
  exceptionAnswer,
  inTurn,
  type Peer,
  registersAnswer,
  type Reply,
  rightAnswer,
  rightly,
  startPeer,
} from '../../test/support/modbus/peer.ts';
import {
  inShort,
  registerPoints,
  resolvedPoint,
  testGateway,
  testSites,
} from '../../test/support/modbus/sites.ts';
import type { SiteRead, Sites } from './site.ts';

/** Who shares a socket, who waits for whom, where a site may be, and how it ends. */

let peer: Peer;
let sites: Sites;
let elapsedMs: number;

beforeEach(async () => {
  elapsedMs = 0;
  peer = await startPeer();
  peer.set(0, [10, 11, 12, 13]);
  sites = testSites({ elapsed: () => elapsedMs });
});

afterEach(async () => {
  sites.close();
  await peer.close();
});

const site = () => sites.of('127.0.0.1', peer.port);
const gateway = () => testGateway(site(), registerPoints([0]));
const never: Reply = () => {};
const asking = (of: Partial<SiteRead> = {}): SiteRead => ({
  unitId: 1,
  function: 3,
  address: 0,
  count: 2,
  quirks: noQuirks,
  deadlineMs: 5_000,
  ...of,
});

describe('one socket for each host and port', () => {
  test('gateways of one share it, whatever the case of its name; other ports have their own', () => {
    expect(sites.of('Meter.Example.', 502)).toBe(sites.of('meter.example', 502));
    expect(sites.of('meter.example', 502)).not.toBe(sites.of('meter.example', 503));
  });

  test('polls and reads wait for each other in the order in which they came, and keep the connection', async () => {
    const held: (() => void)[] = [];
    peer.reply = (request, socket) =>
      void held.push(() => void socket.write(rightAnswer(request, peer)));
    const order: number[] = [];
    const all = [0, 1, 2, 3].map(async (address) => {
      const result =
        address === 2
          ? await site().read(asking({ address, count: 1 }))
          : await testGateway(site(), registerPoints([address])).poll();
      order.push(address);
      return result;
    });
    for (let sent = 1; sent <= 4; sent += 1) {
      await vi.waitFor(async () => expect(held.length).toBe(sent), patience);
      held.at(-1)?.();
    }
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(peer.requests.map(({ address }) => address)).toEqual([0, 1, 2, 3]);
    expect(peer.connections).toBe(1);
  });

  test('a poll whose deadline passes while it waits fails in words, and the next has its turn', async () => {
    peer.reply = inTurn(never, rightly);
    const first = gateway().poll();
    const waiting = gateway().poll({ deadlineMs: 20 });
    const third = gateway().poll({ ignoresBackOff: true });
    expect((await waiting).failure).toEqual({
      reason: 'TIMEOUT',
      message: expect.stringContaining('was busy with another poll for 20 ms'),
    });
    expect((await first).failure?.reason).toBe('TIMEOUT');
    expect(inShort(await third)).toEqual([10]);
  });

  test('a hanging site holds up no other', async () => {
    const silent = await startPeer(never);
    const hanging = testGateway(sites.of('127.0.0.1', silent.port), registerPoints([0])).poll();
    expect(inShort(await gateway().poll())).toEqual([10]);
    expect((await hanging).failure?.reason).toBe('TIMEOUT');
    await silent.close();
  });
});

describe('a read', () => {
  test('gives bytes, an exception or a failure', async () => {
    peer.set(40_000, [0x5375, 0x6e53]);
    expect(await site().read(asking({ address: 40_000 }))).toEqual({
      kind: 'ANSWER',
      bytes: Uint8Array.from([0x53, 0x75, 0x6e, 0x53]),
    });
    peer.reply = (request) => exceptionAnswer(request, 2);
    expect(await site().read(asking())).toEqual({ kind: 'EXCEPTION', code: 2 });
    peer.reply = never;
    expect(await site().read(asking())).toMatchObject({ failure: { reason: 'TIMEOUT' } });
  });

  test('goes out although the socket waits after failures, and an answer ends the waiting', async () => {
    peer.reply = inTurn(never, rightly);
    await gateway().poll();
    expect((await gateway().poll()).isBackOff).toBe(true);
    expect((await site().read(asking())).kind).toBe('ANSWER');
    expect((await gateway().poll()).failure).toBeNull();
  });

  test('fails when there is no connection, and closes where its quirk says so', async () => {
    const quirks = { ...noQuirks, closeAfterPoll: true };
    await site().read(asking({ quirks }));
    await site().read(asking({ quirks }));
    expect(peer.connections).toBe(2);
    const refused = await sites.of('169.254.169.254', 502).read(asking());
    expect(refused).toMatchObject({ failure: { reason: 'ADDRESS_REFUSED' } });
    const cut = await site().read(asking({ signal: AbortSignal.abort() }));
    expect(cut).toMatchObject({ failure: { reason: 'CLOSED' } });
  });
});

describe('coils', () => {
  test('come as one byte each, from functions 1 and 2', async () => {
    peer.set(100, [1, 0, 1, 1, 0, 0, 0, 0, 1, 1]);
    const points = [100, 101, 103, 108, 109].flatMap((address) =>
      ([1, 2] as const).map((code) =>
        resolvedPoint({ address, function: code, type: 'bit', scaleFactorAddress: null }),
      ),
    );
    const result = await testGateway(site(), points).poll();
    expect(inShort(result)).toEqual([1, 1, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect(result.requests).toBe(2);
  });
});

describe('where a site may be', () => {
  /** One poll of a gateway of this name, with what the resolver says. */
  const pollAt = async (
    host: string,
    found: readonly string[] | Error,
    networks = '127.0.0.0/8',
  ) => {
    const own = testSites({
      networks: parseNetworks(networks),
      lookup: async () => {
        if (found instanceof Error) throw found;
        return found;
      },
    });
    const result = await testGateway(own.of(host, peer.port), registerPoints([0])).poll();
    own.close();
    return result;
  };

  test.each(['169.254.169.254', '::ffff:169.254.169.254', '224.0.0.1', '10.0.0.1'])(
    'not at %s, given or resolved, and no connection is made',
    async (address) => {
      for (const host of [address, 'meter.example']) {
        const { failure, requests } = await pollAt(host, [address]);
        expect(failure).toEqual({
          reason: 'ADDRESS_REFUSED',
          message: expect.stringContaining(address),
        });
        expect(requests).toBe(0);
      }
    },
  );

  test('loopback only where it is listed', async () => {
    expect((await pollAt('127.0.0.1', [], '10.0.0.0/8')).failure?.reason).toBe('ADDRESS_REFUSED');
    expect(inShort(await pollAt('127.0.0.1', []))).toEqual([10]);
  });

  test('a name is resolved once per connection, and the address that was checked is dialled', async () => {
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const asked: string[] = [];
    const own = testSites({
      lookup: async (host) => {
        asked.push(host);
        return answers[asked.length - 1] ?? [];
      },
    });
    const one = testGateway(own.of('meter.example', peer.port), registerPoints([0]));
    expect(inShort(await one.poll())).toEqual([10]);
    expect(inShort(await one.poll())).toEqual([10]);
    expect(asked).toEqual(['meter.example']);
    peer.reply = (_request, socket) => void socket.end();
    expect((await one.poll()).failure?.reason).toBe('ADDRESS_REFUSED');
    expect(asked).toHaveLength(2);
    expect((await one.poll({ ignoresBackOff: true })).failure?.reason).toBe('NAME_NOT_FOUND');
    own.close();
  });

  test('of several addresses the open ones are tried in turn', async () => {
    expect(inShort(await pollAt('meter.example', ['10.0.0.1', '127.0.0.1']))).toEqual([10]);
    const own = testSites({ lookup: async () => ['127.0.0.2', '127.0.0.1'] });
    const one = testGateway(own.of('meter.example', peer.port), registerPoints([0]));
    // The peer listens at the second only.
    expect((await one.poll()).failure?.reason).toBe('CONNECTION_REFUSED');
    expect(inShort(await one.poll({ ignoresBackOff: true }))).toEqual([10]);
    own.close();
  });

  test.each([
    ['no address', [], 'it has no address'],
    ['an error', Object.assign(new Error('no'), { code: 'ENOTFOUND' }), 'ENOTFOUND'],
    ['an error without a code', new Error('broken resolver'), 'broken resolver'],
  ] as const)('a name that leads to %s', async (_, found, words) => {
    expect((await pollAt('meter.example', found)).failure).toEqual({
      reason: 'NAME_NOT_FOUND',
      message: expect.stringContaining(words),
    });
  });

  test('a resolver that says nothing is given up with the connection, and its late error harms nobody', async () => {
    const { promise, reject } = Promise.withResolvers<string[]>();
    const own = testSites({ lookup: () => promise, connectTimeoutMs: 30 });
    const one = testGateway(own.of('meter.example', peer.port), registerPoints([0]));
    expect((await one.poll()).failure?.message).toContain('did not answer within 30 ms');
    const cut = new AbortController();
    const polled = one.poll({ ignoresBackOff: true, signal: cut.signal });
    cut.abort();
    expect((await polled).failure?.message).toContain('before its name was resolved');
    reject(new Error('late'));
    own.close();
  });

  test('localhost, by the resolver of the machine', async () => {
    const one = testGateway(sites.of('localhost', peer.port), registerPoints([0]));
    expect(inShort(await one.poll())).toEqual([10]);
  });
});

describe('a connection that is taken away while it is idle', () => {
  test('always after the same time: from the third poll on it is told, and the slots stay GOOD', async () => {
    let clock = 0;
    const own = performance.now.bind(performance);
    performance.now = () => own() + clock;
    try {
      const one = gateway();
      const notices: (string | undefined)[] = [];
      for (let poll = 0; poll < 6; poll += 1) {
        const result = await one.poll();
        expect(inShort(result)).toEqual([10]);
        notices.push(result.notice?.reason);
        const [socket] = peer.sockets;
        clock += 4_000;
        const closed = new Promise((resolve) => socket?.once('close', resolve));
        socket?.end();
        await closed;
      }
      expect(notices).toEqual([
        undefined,
        undefined,
        undefined,
        'IDLE_CLOSE',
        'IDLE_CLOSE',
        'IDLE_CLOSE',
      ]);
    } finally {
      performance.now = own;
    }
  });

  test('after ever another time: another client is suspected', async () => {
    let clock = 0;
    const own = performance.now.bind(performance);
    performance.now = () => own() + clock;
    try {
      const one = gateway();
      await one.poll();
      let notice = null;
      for (const idleMs of [4_000, 500, 9_000]) {
        const [socket] = peer.sockets;
        clock += idleMs;
        const closed = new Promise((resolve) => socket?.once('close', resolve));
        socket?.end();
        await closed;
        ({ notice } = await one.poll());
      }
      expect(notice).toMatchObject({ reason: 'ANOTHER_MASTER' });
      // One poll that found its connection open ends the suspicion.
      expect((await one.poll()).notice).toBeNull();
    } finally {
      performance.now = own;
    }
  });
});

describe('the end', () => {
  test('a signal ends polls that wait for an answer, for their turn, for a pause or for a connection', async () => {
    peer.reply = never;
    const { signal, abort } = abortable();
    const polls = [gateway().poll({ signal }), gateway().poll({ signal })];
    const other = await startPeer();
    const pausing = testGateway(sites.of('127.0.0.1', other.port), registerPoints([0]), {
      pauseAfterConnectMs: 4_000,
    }).poll({ signal });
    await vi.waitFor(async () => {
      expect(peer.requests.length).toBe(1);
      expect(other.connections).toBe(1);
    }, patience);
    abort();
    const early = gateway().poll({ signal });
    for (const { failure, isBackOff } of await Promise.all([...polls, pausing, early])) {
      expect(failure?.reason).toBe('CLOSED');
      expect(isBackOff).toBe(false);
    }
    expect(other.requests.length).toBe(0);
    // A poll that was cut is nobody's failure.
    peer.reply = rightly;
    expect(inShort(await gateway().poll())).toEqual([10]);
    await other.close();
  });

  test('one signal may serve thousands of polls at once', async () => {
    const { signal, abort } = abortable();
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    peer.reply = never;
    const polls = Array.from({ length: 2_000 }, () => gateway().poll({ signal }));
    abort();
    expect(new Set((await Promise.all(polls)).map(({ failure }) => failure?.reason))).toEqual(
      new Set(['CLOSED']),
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warned);
    expect(warnings).toEqual([]);
  });

  test('closing a site ends its polls and its connection; it can be used again', async () => {
    peer.reply = never;
    const polls = [gateway().poll(), gateway().poll()];
    await vi.waitFor(async () => expect(peer.requests.length).toBe(1), patience);
    site().close();
    for (const { failure } of await Promise.all(polls)) expect(failure?.reason).toBe('CLOSED');
    await vi.waitFor(async () => expect(peer.sockets.size).toBe(0), patience);
    peer.reply = rightly;
    expect(inShort(await gateway().poll())).toEqual([10]);
  });

  test('a site that is forgotten is another one afterwards', async () => {
    const before = site();
    await gateway().poll();
    sites.forget('127.0.0.1', peer.port);
    expect(site()).not.toBe(before);
    await vi.waitFor(async () => expect(peer.sockets.size).toBe(0), patience);
    sites.forget('127.0.0.1', 1);
  });
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe('what a poll says', () => {
  test('without points, or with none that fits into a request', async () => {
    expect((await testGateway(site(), []).poll()).failure?.message).toContain('no points to read');
    const long = testGateway(site(), [resolvedPoint({ registers: 126 })]);
    expect(await long.poll()).toMatchObject({
      failure: { reason: 'NO_POINTS', message: expect.stringContaining('fits into one request') },
      requests: 0,
    });
    expect(peer.connections).toBe(0);
  });

  test('its times come from the clock: when it began, when the last answer came', async () => {
    let now = 1_000;
    const own = testSites({ clock: () => (now += 1) });
    const one = testGateway(own.of('127.0.0.1', peer.port), registerPoints([0, 200]));
    const result = await one.poll();
    expect(result).toMatchObject({ startedAtMs: 1_001, measuredAtMs: 1_003, requests: 2 });
    peer.reply = never;
    const failed = await one.poll();
    expect(failed.measuredAtMs).toBeGreaterThan(failed.startedAtMs);
    own.close();
  });

  test('round trips, exceptions and rejected frames are counted', async () => {
    peer.reply = inTurn(
      rightly,
      (request) => exceptionAnswer(request, 2),
      (request) => registersAnswer({ ...request, unitId: 9 }, [1]),
    );
    const one = gateway();
    for (let poll = 0; poll < 3; poll += 1) await one.poll();
    const { requests, connects, exceptions, rejectedFrames, roundTrips, roundTripMs } = sites.stats;
    expect({ requests, connects, rejectedFrames }).toEqual({
      requests: 3,
      connects: 1,
      rejectedFrames: 1,
    });
    expect([...exceptions]).toEqual([[2, 1]]);
    expect(roundTrips.reduce((sum, count) => sum + count)).toBe(2);
    expect(roundTripMs).toBeGreaterThan(0);
  });
});

test('the plan follows quirks, learned ranges and points that change', async () => {
  const points = registerPoints([0, 1]);
  const poll = (quirks = noQuirks) =>
    site().poll({
      points,
      quirksOf: () => quirks,
      learned: { refusals: [] },
      deadlineMs: 5_000,
    });
  expect((await poll()).requests).toBe(1);
  expect((await poll({ ...noQuirks, oneRequestPerPoint: true })).requests).toBe(2);
  expect((await poll()).requests).toBe(1);
});
