import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { runTestCommand } from '../../../test/support/command-line.ts';
import {
  exceptionAnswer,
  type Peer,
  registersAnswer,
  startPeer,
} from '../../../test/support/modbus/peer.ts';

/** Discovery over a real socket. */

let peer: Peer;
beforeEach(async () => {
  peer = await startPeer();
});
afterEach(() => peer.close());

async function discover(...args: string[]) {
  const { stdout, stderr } = await runTestCommand([
    'gateways',
    'discover',
    `127.0.0.1:${peer.port}`,
    ...args,
    '--json',
  ]);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as { units: Record<string, unknown>[] };
}

/** Answers for these registers of functions 3 and 4; refuses others with exception 2, and other functions with 1. */
function serve(registers: ReadonlyMap<string, number>): void {
  peer.reply = (request) => {
    if (request.function < 3) return exceptionAnswer(request, 1);
    const words = Array.from({ length: request.count }, (_, index) =>
      registers.get(`${request.function}/${request.address + index}`),
    );
    return words.includes(undefined)
      ? exceptionAnswer(request, 2)
      : registersAnswer(
          request,
          words.map((word = 0) => word),
        );
  };
}

function image(
  runs: readonly (readonly [code: number, address: number, words: readonly number[]])[],
) {
  const registers = new Map<string, number>();
  for (const [code, address, words] of runs)
    for (const [index, word] of words.entries()) registers.set(`${code}/${address + index}`, word);
  return registers;
}

const float = (value: number) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
};
const textWords = (text: string, length: number) =>
  Array.from(
    { length },
    (_, index) => ((text.charCodeAt(2 * index) || 0) << 8) | (text.charCodeAt(2 * index + 1) || 0),
  );

describe('discovery', () => {
  test('names SunSpec models, who made the device, and the preset', async () => {
    const common = [
      ...textWords('ACME', 16),
      ...textWords('Sun 10', 16),
      ...textWords('', 8),
      ...textWords('1.2', 8),
      ...textWords('S1', 16),
      1,
    ];
    const inverter = Array.from({ length: 50 }, () => 0xffff);
    serve(
      image([[3, 40_000, [0x5375, 0x6e53, 1, 65, ...common, 103, 50, ...inverter, 0xffff, 0]]]),
    );
    const { units } = await discover('--unit', '1');
    expect(units).toMatchObject([
      {
        unit_id: 1,
        answers: true,
        sunspec: {
          base: 40_000,
          models: [
            { id: 1, address: 40_002, length: 65 },
            { id: 103, address: 40_069, length: 50 },
          ],
          problems: [],
        },
        identity: { manufacturer: 'ACME', model: 'Sun 10', firmware: '1.2', serial: 'S1' },
        word_order: { order: 'ABCD' },
        functions: [
          { function: 1, is_supported: false },
          { function: 2 },
          { function: 3, is_supported: true },
          { function: 4 },
        ],
      },
    ]);
    expect(units[0]?.['presets']).toContainEqual(
      expect.objectContaining({ name: 'sunspec-inverter' }),
    );
    expect(peer.requests.every(({ function: code }) => code <= 4)).toBe(true);
  });

  test('guesses the order of words with its reason, and the preset that fits', async () => {
    const swapped = (value: number) => [value & 0xffff, value >> 16];
    serve(
      image([
        [4, 5002, [243, ...swapped(1631)]],
        [4, 5007, [412]],
        [4, 5016, swapped(446)],
        [4, 5030, swapped(431)],
        [4, 5035, [500]],
        [4, 0, [0]],
      ]),
    );
    const { units } = await discover('--unit', '1');
    expect(units).toMatchObject([
      {
        sunspec: null,
        word_order: {
          order: 'CDAB',
          reason: expect.stringMatching(/^the low word comes first: 3 of 3 values/) as string,
        },
        presets: [{ name: 'sungrow-sg', fits: 6, of: 6 }],
      },
    ]);
    serve(
      image([
        [4, 0, [...float(230), ...float(231), ...float(229)]],
        [4, 0x34, float(1200)],
        [4, 0x48, [...float(5000), ...float(60)]],
      ]),
    );
    expect((await discover('--unit', '1')).units).toMatchObject([
      { word_order: { order: 'ABCD' }, presets: [{ name: 'sdm630' }] },
    ]);
  });

  test('says in words why SunSpec stops, and keeps what it found', async () => {
    serve(image([[3, 40_000, [0x5375, 0x6e53, 1, 15, ...Array.from({ length: 200 }, () => 9)]]]));
    expect((await discover('--unit', '1')).units).toMatchObject([
      {
        sunspec: {
          base: 40_000,
          models: [],
          problems: [expect.stringContaining('model 1 length 15') as string],
        },
      },
    ]);
  });

  test('tells a unit that is silent from a gateway that is not there', async () => {
    peer.reply = (request) => exceptionAnswer(request, 11);
    const silent = await discover('--unit', '7,8');
    expect(silent.units).toMatchObject([
      { unit_id: 7, answers: false },
      { unit_id: 8, answers: false },
    ]);
    await peer.close();
    const { units } = await discover('--unit', '1,2');
    expect(units).toMatchObject([
      { unit_id: 1, answers: false, failure: { reason: 'CONNECTION_REFUSED' } },
    ]);
  });

  test('dials no network that GATEWAY_NETWORKS leaves out', async () => {
    const { code, stdout } = await runTestCommand(
      ['gateways', 'discover', `127.0.0.1:${peer.port}`, '--unit', '1', '--json'],
      { env: { GATEWAY_NETWORKS: '10.0.0.0/8' } },
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      units: [{ failure: { reason: 'ADDRESS_REFUSED' } }],
    });
    expect(peer.connections).toBe(0);
  });
});
