import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  closedPort,
  exceptionAnswer,
  frame,
  inTurn,
  type Peer,
  type PeerRequest,
  registersAnswer,
  type Reply,
  rightAnswer,
  rightly,
  startFullListener,
  startPeer,
} from '../../test/support/modbus/peer.ts';
import {
  inShort,
  registerPoints,
  resolvedPoint,
  testGateway,
  testSites,
} from '../../test/support/modbus/sites.ts';
import type { Sites } from './site.ts';

/** Peers that break each rule of the protocol, over real sockets: nothing wrong becomes a value, and the reason names it. */

let peer: Peer;
let sites: Sites;
let elapsedMs: number;

beforeEach(async () => {
  elapsedMs = 0;
  peer = await startPeer();
  peer.set(0, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  sites = testSites({ elapsed: () => elapsedMs });
});

afterEach(async () => {
  sites.close();
  await peer.close();
});

const site = () => sites.of('127.0.0.1', peer.port);
/** Registers 0 and 1 of unit 1. */
const gateway = () => testGateway(site(), registerPoints([0, 1]));
const never: Reply = () => {};

describe('a frame that is not the answer closes the connection, and the next poll gets its own', () => {
  const wrong: readonly [
    what: string,
    reply: (request: PeerRequest) => Buffer,
    reason: string,
    words: string,
  ][] = [
    [
      'another transaction id',
      (request) =>
        registersAnswer({ ...request, transactionId: request.transactionId ^ 1 }, [1, 2]),
      'FOREIGN_FRAMES',
      'transaction id',
    ],
    [
      'another protocol id',
      ({ transactionId }) => frame(transactionId, [1, 3, 4, 0, 1, 0, 2], { protocol: 1 }),
      'PROTOCOL',
      'protocol id is 1 instead of 0',
    ],
    [
      'length 0xFFFF',
      ({ transactionId }) => frame(transactionId, [1, 3, 4, 0, 1, 0, 2], { length: 0xffff }),
      'PROTOCOL',
      'length is 65535',
    ],
    [
      'length 0',
      ({ transactionId }) => frame(transactionId, [1, 3, 4, 0, 1, 0, 2], { length: 0 }),
      'PROTOCOL',
      'length is 0',
    ],
    [
      'a byte count of 4 with one register',
      ({ transactionId }) => frame(transactionId, [1, 3, 4, 0, 1]),
      'PROTOCOL',
      'length is 5 instead of 7',
    ],
    [
      'a byte count of 2 with two registers',
      ({ transactionId }) => frame(transactionId, [1, 3, 2, 0, 1, 0, 2]),
      'PROTOCOL',
      'byte count is 2 instead of 4',
    ],
    [
      'another unit',
      (request) => registersAnswer({ ...request, unitId: 2 }, [1, 2]),
      'FOREIGN_FRAMES',
      'unit is 2 instead of 1',
    ],
    [
      'another function',
      (request) => registersAnswer({ ...request, function: 4 }, [1, 2]),
      'FOREIGN_FRAMES',
      'function is 4 instead of 3',
    ],
    [
      'more bytes than the frame has',
      (request) => Buffer.concat([registersAnswer(request, [1, 2]), Buffer.from([0])]),
      'PROTOCOL',
      "follow after the answer's end",
    ],
    [
      'a flood',
      (request) => Buffer.concat([registersAnswer(request, [1, 2]), Buffer.alloc(1_000_000, 1)]),
      'PROTOCOL',
      "follow after the answer's end",
    ],
    [
      'a web page',
      () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'FOREIGN_FRAMES',
      'transaction id',
    ],
  ];

  test.each(wrong)('%s', async (_, reply, reason, words) => {
    peer.reply = inTurn((request) => reply(request), rightly);
    const one = gateway();
    const first = await one.poll();
    expect(first.failure).toEqual({ reason, message: expect.stringContaining(words) });
    expect(first.points.filter(({ kind }) => kind === 'BITS')).toEqual([]);
    elapsedMs += 1_000;
    expect(inShort(await one.poll())).toEqual([10, 11]);
    expect(peer.connections).toBe(2);
  });
});

test('an answer in single bytes is one answer', async () => {
  peer.reply = (request, socket) => {
    const bytes = rightAnswer(request, peer);
    let sent = 0;
    const next = () => {
      if (sent < bytes.length) socket.write(bytes.subarray(sent, (sent += 1)), next);
    };
    next();
  };
  const one = gateway();
  expect(inShort(await one.poll())).toEqual([10, 11]);
  expect(inShort(await one.poll())).toEqual([10, 11]);
  expect(peer.connections).toBe(1);
});

test('an answer after the time-out never answers a later request', async () => {
  const late: { request: PeerRequest; send: (bytes: Buffer) => void }[] = [];
  peer.reply = inTurn(
    (request, socket) => void late.push({ request, send: (bytes) => void socket.write(bytes) }),
    (request) => {
      // The late answer comes on the connection that was given up, before the answer to this request.
      for (const { request: old, send } of late) send(registersAnswer(old, [666, 667]));
      return rightAnswer(request, peer);
    },
  );
  const one = gateway();
  expect((await one.poll()).failure?.reason).toBe('TIMEOUT');
  elapsedMs += 1_000;
  expect(inShort(await one.poll())).toEqual([10, 11]);
});

test('bytes that nobody asked for close the connection before they can answer the next request', async () => {
  const one = gateway();
  await one.poll();
  const [socket] = peer.sockets;
  const closed = new Promise((resolve) => socket?.once('close', resolve));
  const { transactionId } = peer.requests[0] as PeerRequest;
  socket?.write(
    registersAnswer(
      { ...peer.requests[0], transactionId: transactionId + 1 } as PeerRequest,
      [6, 6],
    ),
  );
  await closed;
  expect(inShort(await one.poll())).toEqual([10, 11]);
  expect(sites.stats.lateFrames).toBe(1);
  expect(peer.connections).toBe(2);
});

test('transaction ids have 16 bits, start anywhere on each connection and rise by one', async () => {
  const one = testGateway(site(), registerPoints([0, 200]), { closeAfterPoll: true });
  for (let poll = 0; poll < 8; poll += 1) await one.poll();
  const ids = peer.requests.map(({ transactionId }) => transactionId);
  for (let poll = 0; poll < 8; poll += 1)
    expect(ids[poll * 2 + 1]).toBe(((ids[poll * 2] as number) + 1) % 65_536);
  // One in 2^112 of all runs would draw eight equal numbers, or eight below 256 by chance of one in 2^64.
  expect(new Set(ids).size).toBeGreaterThan(2);
  expect(Math.max(...ids)).toBeGreaterThan(255);
});

describe('time', () => {
  test('a peer that sends a byte now and then does not stretch the deadline of a request', async () => {
    peer.reply = (request, socket) => {
      const bytes = rightAnswer(request, peer);
      let sent = 0;
      const timer = setInterval(() => {
        if (socket.destroyed || sent >= bytes.length - 1) clearInterval(timer);
        else socket.write(bytes.subarray(sent, (sent += 1)));
      }, 50);
    };
    const { failure, points } = await gateway().poll();
    expect(failure?.reason).toBe('TIMEOUT');
    expect(failure?.message).toContain('unit 1, function 3, addresses 0 to 1 within 250 ms');
    expect(inShort({ points })).toEqual(['NOT_ANSWERED', 'NOT_ANSWERED']);
  });

  test('a poll ends at its deadline, with what was answered until then', async () => {
    peer.reply = inTurn(rightly, never);
    const one = testGateway(site(), registerPoints([0, 200]));
    const { failure, points } = await one.poll({ deadlineMs: 100 });
    expect(failure?.reason).toBe('TIMEOUT');
    expect(inShort({ points })).toEqual([10, 'NOT_ANSWERED']);
    expect(peer.sockets.size).toBeLessThanOrEqual(1);
  });

  test('a connection that is not accepted is given up', async () => {
    const full = await startFullListener();
    const slow = testSites({ connectTimeoutMs: 200 });
    const { failure } = await testGateway(
      slow.of('127.0.0.1', full.port),
      registerPoints([0]),
    ).poll();
    expect(failure).toEqual({
      reason: 'CONNECT_TIMEOUT',
      message: expect.stringContaining('did not accept a connection within 200 ms'),
    });
    await full.close();
    slow.close();
  });
});

describe('a connection that the other side closes', () => {
  test.each([
    ['FIN', 'end'],
    ['RST', 'resetAndDestroy'],
  ] as const)(
    '%s on an idle one: connects again, sends again, counts no failure',
    async (_, how) => {
      const one = gateway();
      await one.poll();
      // It closes when it is asked: the client learns of it only then.
      peer.reply = inTurn((_request, socket) => void socket[how](), rightly);
      const result = await one.poll();
      expect(result).toMatchObject({ failure: null, notice: null, requests: 2 });
      expect(inShort(result)).toEqual([10, 11]);
      expect(sites.stats.reconnects).toBe(1);
    },
  );

  test('a second time in the same poll it is a failure: no storm of connections', async () => {
    const one = gateway();
    await one.poll();
    peer.reply = (_request, socket) => void socket.end();
    const { failure, requests } = await one.poll();
    expect(failure?.reason).toBe('CLOSED');
    expect(requests).toBe(2);
    expect(peer.connections).toBe(2);
  });

  test('after the first byte of an answer it is a failure at once', async () => {
    const one = gateway();
    await one.poll();
    peer.reply = (request, socket) => void socket.end(rightAnswer(request, peer).subarray(0, 1));
    const { failure } = await one.poll();
    expect(failure).toEqual({
      reason: 'CLOSED',
      message: expect.stringContaining('in the middle of its answer'),
    });
    expect(peer.connections).toBe(1);
  });

  test('after a time-out nothing is sent again', async () => {
    const one = gateway();
    await one.poll();
    peer.reply = never;
    expect(await one.poll()).toMatchObject({ failure: { reason: 'TIMEOUT' }, requests: 1 });
  });

  test('one that was never answered is not tried again', async () => {
    peer.reply = (_request, socket) => void socket.end();
    const { failure } = await gateway().poll();
    expect(failure?.reason).toBe('CLOSED');
    expect(peer.connections).toBe(1);
  });
});

describe('back-off', () => {
  test('1, 2, 5, 10, 20, 30, 60 s: polls fail at once in words, and touch nothing', async () => {
    peer.reply = never;
    const one = gateway();
    for (const waitS of [1, 2, 5, 10, 20, 30, 60, 60]) {
      expect(await one.poll()).toMatchObject({ failure: { reason: 'TIMEOUT' }, isBackOff: false });
      const asked = peer.requests.length;
      elapsedMs += waitS * 1_000 - 1;
      const refused = await one.poll();
      expect(refused).toMatchObject({
        failure: { reason: 'BACK_OFF' },
        isBackOff: true,
        requests: 0,
      });
      expect(refused.failure?.message).toContain('did not answer');
      expect(inShort(refused)).toEqual(['NOT_ANSWERED', 'NOT_ANSWERED']);
      expect(peer.requests.length).toBe(asked);
      elapsedMs += 1;
    }
    peer.reply = rightly;
    expect(inShort(await one.poll())).toEqual([10, 11]);
    peer.reply = never;
    await one.poll();
    elapsedMs += 1_000;
    peer.reply = rightly;
    expect((await one.poll()).failure).toBeNull();
  });

  test('a person may poll in spite of it', async () => {
    peer.reply = inTurn(never, rightly);
    const one = gateway();
    await one.poll();
    expect(inShort(await one.poll({ ignoresBackOff: true }))).toEqual([10, 11]);
    expect((await one.poll()).failure).toBeNull();
  });

  test('a port that refuses is left alone too', async () => {
    const one = testGateway(sites.of('127.0.0.1', await closedPort()), registerPoints([0]));
    expect((await one.poll()).failure).toEqual({
      reason: 'CONNECTION_REFUSED',
      message: expect.stringContaining('nothing listens'),
    });
    expect((await one.poll()).isBackOff).toBe(true);
  });
});

describe('exceptions', () => {
  test.each([5, 6])('%i is asked once more in the same poll', async (code) => {
    peer.reply = inTurn((request) => exceptionAnswer(request, code), rightly);
    expect(await gateway().poll()).toMatchObject({ failure: null, requests: 2 });
    peer.reply = (request) => exceptionAnswer(request, code);
    const twice = await gateway().poll();
    expect(twice).toMatchObject({ failure: { reason: `EXCEPTION_${code}` }, requests: 2 });
    expect(inShort(twice)).toEqual([`!${code}`, `!${code}`]);
  });

  test('others fail their request with their name; the next requests are sent', async () => {
    peer.reply = inTurn((request) => exceptionAnswer(request, 4), rightly);
    const result = await testGateway(site(), registerPoints([0, 200])).poll();
    expect(result.failure).toEqual({
      reason: 'EXCEPTION_4',
      message: expect.stringContaining('exception 4 (device failure)'),
    });
    expect(inShort(result)).toEqual(['!4', 0]);
    expect(peer.connections).toBe(1);
  });

  test.each([0x0a, 0x0b])(
    '%i fails its unit only; after three polls running the gateway gets a new connection',
    async (code) => {
      peer.reply = (request) =>
        request.unitId === 2 ? exceptionAnswer(request, code) : rightAnswer(request, peer);
      const points = [
        resolvedPoint({ unitId: 2 }),
        resolvedPoint({ unitId: 2, address: 200 }),
        resolvedPoint({ unitId: 1 }),
      ];
      const one = testGateway(site(), points);
      for (let poll = 1; poll <= 4; poll += 1) {
        const result = await one.poll();
        expect(inShort(result)).toEqual([`!${code}`, 'NOT_ANSWERED', 10]);
        expect(result.failure).toEqual({
          reason: 'UNIT_SILENT',
          message: expect.stringContaining('does not reach unit 2'),
        });
        expect(peer.connections).toBe(poll <= 3 ? 1 : 2);
        elapsedMs += 60_000;
      }
    },
  );

  test('1 marks the function of its unit: the rest of it is not sent, and later nothing', async () => {
    peer.reply = (request) =>
      request.unitId === 2 && request.function === 4
        ? exceptionAnswer(request, 1)
        : rightAnswer(request, peer);
    const points = [
      ...registerPoints([0, 200], { unitId: 2, function: 4 }),
      ...registerPoints([0], { unitId: 2 }),
      ...registerPoints([0], { unitId: 1, function: 4 }),
    ];
    const one = testGateway(site(), points);
    for (const requests of [3, 3, 2, 2]) {
      const result = await one.poll();
      expect(inShort(result)).toEqual(['!1', '!1', 10, 10]);
      expect(result).toMatchObject({ failure: null, requests });
    }
  });
});

describe('what is refused is learned', () => {
  /** Refuses requests that touch one of these registers. */
  const refusing =
    (...addresses: number[]): Reply =>
    (request) =>
      addresses.some((one) => request.address <= one && one < request.address + request.count)
        ? exceptionAnswer(request, 2)
        : rightAnswer(request, peer);

  test('one refused register makes its own point BAD; the others are read in the same poll', async () => {
    peer.reply = refusing(3);
    const one = testGateway(site(), registerPoints([0, 1, 2, 3, 4, 5, 6, 7]));
    const values = [10, 11, 12, '!2', 14, 15, 16, 17];
    const first = await one.poll();
    expect(inShort(first)).toEqual(values);
    expect(first).toMatchObject({ failure: null, requests: 7 });
    const second = await one.poll();
    expect(second.learned?.refusals.filter(({ times }) => times > 1)).toMatchObject([
      { unitId: 1, function: 3, address: 3, count: 1, code: 2 },
    ]);
    const third = await one.poll();
    expect(inShort(third)).toEqual(values);
    expect(third).toMatchObject({ failure: null, requests: 2, learned: null });
  });

  test('at most eight extra requests in a poll; the rest is found in the next ones', async () => {
    peer.reply = refusing(0, 9, 25, 38);
    peer.set(
      0,
      Array.from({ length: 40 }, (_, index) => index),
    );
    const one = testGateway(site(), registerPoints([...Array.from({ length: 40 }).keys()]));
    const counts: number[] = [];
    for (let poll = 0; poll < 12; poll += 1) counts.push((await one.poll()).requests);
    expect(counts[0]).toBe(9);
    // Registers 1 to 8, 10 to 24, 26 to 37, and 39.
    expect(counts.at(-1)).toBe(4);
    const last = await one.poll();
    expect(inShort(last)).toEqual(
      Array.from({ length: 40 }, (_, at) => ([0, 9, 25, 38].includes(at) ? '!2' : at)),
    );
    expect(last.learned).toBeNull();
  });

  test('a hiccup is forgotten with the next answer', async () => {
    peer.reply = inTurn((request) => exceptionAnswer(request, 2), rightly);
    const one = gateway();
    const first = await one.poll();
    expect(inShort(first)).toEqual([10, 11]);
    expect(first.learned?.refusals).toHaveLength(1);
    const second = await one.poll();
    expect(second).toMatchObject({ requests: 1, learned: { refusals: [] } });
  });

  test('where everything is refused the failure says so', async () => {
    peer.reply = (request) => exceptionAnswer(request, 2);
    const one = testGateway(site(), registerPoints([0]));
    for (const requests of [1, 1, 0])
      expect(await one.poll()).toMatchObject({ failure: { reason: 'EXCEPTION_2' }, requests });
    expect((await one.poll()).failure?.message).toContain('refuses every point');
  });
});

describe('a value and its scale factor', () => {
  const near = resolvedPoint({ address: 0, scaleFactorAddress: 2 });
  const far = resolvedPoint({ address: 0, scaleFactorAddress: 400 });

  test('from one request: no change of the factor can come between', async () => {
    peer.set(2, [0xffff]);
    const result = await testGateway(site(), [near]).poll();
    expect(inShort(result)).toEqual(['10·10^-1']);
    expect(result.requests).toBe(1);
  });

  test('the factor 0x8000 is handed on as it is', async () => {
    peer.set(2, [0x8000]);
    expect(inShort(await testGateway(site(), [near]).poll())).toEqual(['10·10^-32768']);
  });

  test('from three requests where they cannot come from one', async () => {
    peer.set(400, [2]);
    const result = await testGateway(site(), [far]).poll();
    expect(inShort(result)).toEqual(['10·10^2']);
    expect(peer.requests.map(({ address }) => address)).toEqual([400, 0, 400]);
  });

  test('a value between two different factors is read again', async () => {
    peer.reply = inTurn(
      (request) => registersAnswer(request, [0xffff]),
      (request) => registersAnswer(request, [1_000]),
      (request) => registersAnswer(request, [0]),
      (request) => registersAnswer(request, [100]),
      (request) => registersAnswer(request, [0]),
    );
    const result = await testGateway(site(), [far]).poll();
    expect(inShort(result)).toEqual(['100·10^0']);
    expect(result.requests).toBe(5);
  });

  test('one whose factor goes on changing is dropped', async () => {
    let factor = 0;
    peer.reply = (request) =>
      request.address === 400
        ? registersAnswer(request, [(factor += 1)])
        : rightAnswer(request, peer);
    const result = await testGateway(site(), [far, ...registerPoints([1])]).poll();
    expect(inShort(result)).toEqual(['NOT_ANSWERED', 11]);
    expect(result.failure).toBeNull();
    const alone = await testGateway(site(), [far]).poll();
    expect(alone.failure?.message).toContain('changed its scale factors');
  });

  test('a hole between them that the device refuses: they are read apart', async () => {
    peer.set(2, [1]);
    peer.reply = (request) =>
      request.address <= 1 && request.address + request.count > 1
        ? exceptionAnswer(request, 2)
        : rightAnswer(request, peer);
    const one = testGateway(site(), [near]);
    for (const requests of [4, 4, 3]) {
      const result = await one.poll();
      expect(inShort(result)).toEqual(['10·10^1']);
      expect(result.requests).toBe(requests);
    }
  });

  test('a factor that is refused makes its point BAD', async () => {
    peer.reply = (request) =>
      request.address === 400 ? exceptionAnswer(request, 2) : rightAnswer(request, peer);
    expect(inShort(await testGateway(site(), [far]).poll())).toEqual(['!2']);
  });
});

describe('quirks', () => {
  test('a pause after connecting and between requests: nothing is sent before it is over', async () => {
    const times: number[] = [];
    peer.reply = (request) => {
      times.push(performance.now());
      return rightAnswer(request, peer);
    };
    let connectedAtMs = 0;
    const slow = await startPeer(peer.reply, () => {
      connectedAtMs = performance.now();
    });
    const one = testGateway(sites.of('127.0.0.1', slow.port), registerPoints([0, 200]), {
      pauseAfterConnectMs: 200,
      pauseBetweenRequestsMs: 200,
    });
    expect((await one.poll()).failure).toBeNull();
    // Clocks of client and peer may differ by the time that the connection took to be told of.
    expect((times[0] as number) - connectedAtMs).toBeGreaterThan(100);
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(150);
    await slow.close();
  });

  test('close after each poll', async () => {
    const one = testGateway(site(), registerPoints([0]), { closeAfterPoll: true });
    for (let poll = 1; poll <= 4; poll += 1) {
      expect(await one.poll()).toMatchObject({ failure: null, notice: null });
      expect(peer.connections).toBe(poll);
    }
    expect(sites.stats.reconnects).toBe(0);
  });

  test('most registers, holes, barriers and one request per point shape the requests', async () => {
    const asked = async (quirks: Parameters<typeof testGateway>[2]) => {
      peer.requests.length = 0;
      await testGateway(site(), registerPoints([0, 1, 4]), quirks).poll();
      return peer.requests.map(({ address, count }) => [address, count]);
    };
    expect(await asked({})).toEqual([[0, 5]]);
    expect(await asked({ maxRegisters: 2 })).toEqual([
      [0, 2],
      [4, 1],
    ]);
    expect(await asked({ maxHole: 1 })).toEqual([
      [0, 2],
      [4, 1],
    ]);
    expect(await asked({ barriers: [3] })).toEqual([
      [0, 2],
      [4, 1],
    ]);
    expect(await asked({ oneRequestPerPoint: true })).toEqual([
      [0, 1],
      [1, 1],
      [4, 1],
    ]);
  });

  test('an answer without transaction id is taken only where the quirk says so', async () => {
    peer.reply = (request) => registersAnswer({ ...request, transactionId: 0 }, [1, 2]);
    const quirky = testGateway(site(), registerPoints([0, 1]), { anyTransactionId: true });
    expect(inShort(await quirky.poll())).toEqual([1, 2]);
    peer.reply = (request) => registersAnswer({ ...request, transactionId: 0, unitId: 7 }, [1, 2]);
    expect((await quirky.poll()).failure?.message).toContain('the unit is 7');
  });

  test.each([
    ['COUNTS_HEADER', 13],
    ['LEAVES_OUT_UNIT', 6],
  ] as const)(
    'a length that %s is taken only where the quirk says so',
    async (lengthFault, length) => {
      peer.reply = ({ transactionId }) => frame(transactionId, [1, 3, 4, 0, 1, 0, 2], { length });
      expect((await gateway().poll()).failure?.message).toContain(`the length is ${length}`);
      elapsedMs += 1_000;
      const quirky = testGateway(site(), registerPoints([0, 1]), { lengthFault });
      expect(inShort(await quirky.poll())).toEqual([1, 2]);
      peer.reply = ({ transactionId }) =>
        frame(transactionId, [1, 3, 4, 0, 1, 0, 2], { length: length - 1 });
      expect((await quirky.poll()).failure?.message).toContain(`the length is ${length - 1}`);
    },
  );
});
