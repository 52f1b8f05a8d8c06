import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  exceptionAnswer,
  frame,
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
import type { Sites } from './site.ts';

/** Bugs that other pollers were reported to have with real devices, each played against this client. */

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
const never: Reply = () => {};

test('grid-x/modbus#97, home-assistant/core#101982: a device closes idle connections; the write succeeds, the read meets the end: the slot is GOOD', async () => {
  const one = testGateway(site(), registerPoints([0]));
  await one.poll();
  for (let poll = 0; poll < 5; poll += 1) {
    peer.reply = inTurn((_request, socket) => void socket.end(), rightly);
    const result = await one.poll();
    expect(inShort(result)).toEqual([10]);
    expect(result.failure).toBeNull();
  }
});

test('abeggled/openbridgeserver#1136: an established connection that says nothing for minutes is given up, and the next slot has a new one', async () => {
  peer.reply = never;
  const one = testGateway(site(), registerPoints([0]));
  expect((await one.poll()).failure?.reason).toBe('TIMEOUT');
  elapsedMs += 10_000;
  peer.reply = rightly;
  expect(inShort(await one.poll())).toEqual([10]);
  expect(peer.connections).toBe(2);
});

test('kellerza/sunsynk#658: one register for two makes both BAD, never the one and an old one', async () => {
  const one = testGateway(site(), registerPoints([0, 1]));
  await one.poll();
  peer.reply = ({ transactionId }) => frame(transactionId, [1, 3, 2, 0, 9]);
  const result = await one.poll();
  expect(inShort(result)).toEqual(['WRONG_LENGTH', 'WRONG_LENGTH']);
  expect(result.failure?.message).toContain('the length is 5 instead of 7');
});

test('0xAHA/Growatt_ModbusTCP#351: a bridge that swaps the answers of units 2 and 3 gets one request at a time, and its answers are rejected', async () => {
  let open = 0;
  let most = 0;
  peer.reply = (request, socket) => {
    open += 1;
    most = Math.max(most, open);
    setImmediate(() => {
      open -= 1;
      socket.write(registersAnswer({ ...request, unitId: request.unitId ^ 1 }, [666]));
    });
  };
  const units = [2, 3].map((unitId) => testGateway(site(), [resolvedPoint({ unitId })]));
  const polls = await Promise.all(units.map((one) => one.poll({ ignoresBackOff: true })));
  for (const result of polls) {
    expect(inShort(result)).toEqual(['NOT_ANSWERED']);
    expect(result.failure?.reason).toBe('FOREIGN_FRAMES');
  }
  expect(most).toBe(1);
});

test.each([0xc0, 0x1b])(
  'Pho3niX90/solis_modbus#480: answers of unit %i are rejected in words; with a pause between requests the device answers rightly',
  async (unitId) => {
    let answeredAtMs = -Infinity;
    let needsMs = Infinity;
    peer.reply = (request) => {
      const isHurried = request.nth > 1 && performance.now() - answeredAtMs < needsMs;
      answeredAtMs = performance.now();
      return rightAnswer(isHurried ? { ...request, unitId } : request, peer);
    };
    const points = registerPoints([0, 200]);
    const hurried = await testGateway(site(), points).poll();
    expect(hurried.failure).toEqual({
      reason: 'FOREIGN_FRAMES',
      message: expect.stringContaining(`the unit is ${unitId} instead of 1`),
    });
    expect(inShort(hurried)).toEqual([10, 'NOT_ANSWERED']);
    needsMs = 40;
    answeredAtMs = -Infinity;
    const calm = testGateway(site(), points, { pauseBetweenRequestsMs: 100 });
    expect(inShort(await calm.poll())).toEqual([10, 0]);
  },
);

test('home-assistant/core#51103: exception 6 is asked again, and is no 0', async () => {
  peer.reply = inTurn((request) => exceptionAnswer(request, 6), rightly);
  const one = testGateway(site(), registerPoints([0]));
  expect(inShort(await one.poll())).toEqual([10]);
  peer.reply = (request) => exceptionAnswer(request, 6);
  expect(inShort(await one.poll())).toEqual(['!6']);
});

test('NModbus4/NModbus4#167: exception 0x0B for hours: a new connection after three, and the other units are polled', async () => {
  peer.reply = ({ connection, ...request }) =>
    request.unitId === 2 && connection === 1
      ? exceptionAnswer({ ...request, connection }, 0x0b)
      : rightAnswer({ ...request, connection }, peer);
  const one = testGateway(site(), [resolvedPoint({ unitId: 2 }), resolvedPoint({ unitId: 1 })]);
  for (let poll = 0; poll < 3; poll += 1) {
    expect(inShort(await one.poll())).toEqual(['!11', 10]);
    elapsedMs += 60_000;
  }
  expect(inShort(await one.poll())).toEqual([10, 10]);
  expect(peer.connections).toBe(2);
});

test('node-red-contrib-modbus#188, libmodbus#121: units 0 to 255 are sent as given', async () => {
  const units = [0, 1, 247, 248, 255];
  const points = units.map((unitId) => resolvedPoint({ unitId }));
  await testGateway(site(), points).poll();
  expect(peer.requests.map(({ unitId }) => unitId)).toEqual(units);
});

test('openWB/core#2890: exception 2 above 50 registers is learned; every value comes in the first poll', async () => {
  peer.reply = (request) =>
    request.count > 50 ? exceptionAnswer(request, 2) : rightAnswer(request, peer);
  const one = testGateway(
    site(),
    Array.from({ length: 50 }, (_, index) => resolvedPoint({ address: index * 2, registers: 2 })),
  );
  for (const requests of [3, 3, 2, 2]) {
    const result = await one.poll();
    expect(result.points.every(({ kind }) => kind === 'BITS')).toBe(true);
    expect(result).toMatchObject({ failure: null, requests });
  }
});

test('wimb0/home-assistant-saj-r5-modbus#235: (256, 60) is refused, (256, 59) is fine', async () => {
  peer.reply = (request) =>
    request.address + request.count > 315
      ? exceptionAnswer(request, 2)
      : rightAnswer(request, peer);
  const addresses = Array.from({ length: 60 }, (_, index) => 256 + index);
  const one = testGateway(site(), registerPoints(addresses));
  let result = await one.poll();
  for (let poll = 0; poll < 6; poll += 1) result = await one.poll();
  expect(inShort(result)).toEqual([...Array.from({ length: 59 }, () => 0), '!2']);
  expect(peer.requests.at(-1)).toMatchObject({ address: 256, count: 59 });
  expect(result.requests).toBe(1);
});

test('kellerza/sunsynk#18: reading the hole 185 puts four bytes too many into the next answer: rejected, and with the barrier 185 all is right', async () => {
  let isPoisoned = false;
  peer.reply = (request) => {
    const answer = rightAnswer(request, peer);
    const sent = isPoisoned
      ? frame(request.transactionId, [...answer.subarray(6), 0, 0, 0, 0])
      : answer;
    isPoisoned = request.address <= 185 && request.address + request.count > 185;
    return sent;
  };
  const points = registerPoints([184, 186, 400]);
  const poisoned = await testGateway(site(), points).poll();
  expect(inShort(poisoned)).toEqual([0, 0, 'WRONG_LENGTH']);
  isPoisoned = false;
  const barred = testGateway(site(), points, { barriers: [185] });
  expect(inShort(await barred.poll())).toEqual([0, 0, 0]);
});

test('openhab-core#2926: a device that answers only some time after connecting gets its pause', async () => {
  let connectedAtMs = 0;
  const huawei = await startPeer(
    (request) => (performance.now() - connectedAtMs < 50 ? undefined : rightAnswer(request, peer)),
    () => {
      connectedAtMs = performance.now();
    },
  );
  const one = testGateway(sites.of('127.0.0.1', huawei.port), registerPoints([0]), {
    pauseAfterConnectMs: 300,
  });
  expect(inShort(await one.poll())).toEqual([10]);
  await huawei.close();
});

test('wlcrs/huawei_solar#1436: a device that drops those who wait after connecting is asked at once without the quirk', async () => {
  const emma = await startPeer(
    (request, _socket, own) => rightAnswer(request, own),
    (socket, own) => {
      setTimeout(() => {
        if (own.requests.length === 0) socket.destroy();
      }, 300);
    },
  );
  const waiting = testGateway(sites.of('127.0.0.1', emma.port), registerPoints([0]), {
    pauseAfterConnectMs: 3_000,
  });
  expect((await waiting.poll()).failure?.reason).toBe('CLOSED');
  elapsedMs += 1_000;
  expect(
    (await testGateway(sites.of('127.0.0.1', emma.port), registerPoints([0])).poll()).failure,
  ).toBeNull();
  await emma.close();
});

test('NModbus4#152, home-assistant/core#149494: a second client takes the connection away: three polls later it is called by its name, without a storm', async () => {
  const one = testGateway(site(), registerPoints([0]));
  peer.reply = (_request, socket) => void socket.resetAndDestroy();
  const reasons: (string | undefined)[] = [];
  for (let poll = 1; poll <= 4; poll += 1) {
    const { failure } = await one.poll();
    reasons.push(failure?.reason);
    expect(peer.connections).toBe(poll);
    elapsedMs += 60_000;
  }
  expect(reasons).toEqual(['CLOSED', 'CLOSED', 'ANOTHER_MASTER', 'ANOTHER_MASTER']);
});

test('pysunspec2#16: model 701 has 155 registers: it is cut between points', async () => {
  const points = Array.from({ length: 51 }, (_, index) =>
    resolvedPoint({ address: 40_070 + index * 3, registers: 3 }),
  );
  const result = await testGateway(site(), points).poll();
  expect(result.failure).toBeNull();
  expect(peer.requests.map(({ address, count }) => [address, count])).toEqual([
    [40_070, 123],
    [40_193, 30],
  ]);
});

test('modbus-proxy#55: an answer in the frame of a serial line is told as such', async () => {
  peer.reply = () => Buffer.from([1, 3, 2, 0, 9, 0x78, 0x42]);
  const { failure } = await testGateway(site(), registerPoints([0])).poll();
  expect(failure).toEqual({ reason: 'PROTOCOL', message: expect.stringContaining('Modbus RTU') });
});

test('thingsboard-gateway#932: one dead unit does not slow the others', async () => {
  peer.reply = (request) => (request.unitId === 2 ? undefined : rightAnswer(request, peer));
  const one = testGateway(
    site(),
    [2, 1, 3].map((unitId) => resolvedPoint({ unitId })),
  );
  const first = await one.poll();
  expect(inShort(first)).toEqual(['NOT_ANSWERED', 10, 10]);
  expect(first.failure).toEqual({
    reason: 'UNIT_SILENT',
    message: expect.stringContaining('other units answer'),
  });
  // It waits now, so that no poll stands still for it; and another gateway row of the same socket does not.
  const second = await one.poll();
  expect(second).toMatchObject({
    requests: 2,
    isBackOff: false,
    failure: { reason: 'UNIT_SILENT' },
  });
  expect(second.failure?.message).toContain('asked again in 1 s');
  const own = testGateway(site(), [resolvedPoint({ unitId: 2 })]);
  expect(await own.poll()).toMatchObject({ isBackOff: true, failure: { reason: 'BACK_OFF' } });
  elapsedMs += 1_000;
  const third = await one.poll();
  expect(inShort(third)).toEqual(['NOT_ANSWERED', 10, 10]);
  // The units that answer are asked first.
  expect(peer.requests.slice(-3).map(({ unitId }) => unitId)).toEqual([1, 3, 2]);
  elapsedMs += 60_000;
  peer.reply = rightly;
  expect(inShort(await one.poll())).toEqual([10, 10, 10]);
});
