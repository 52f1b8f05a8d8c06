import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { runTestCommand } from '../../../test/support/command-line.ts';
import type { DecodedPoint } from './decode-capture.ts';

/** Frames as people record them, and the errors that other programs made of them. */

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decode-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Shown {
  models: { id: number; address: number }[];
  polls: {
    at: string | null;
    outcome: string;
    points: DecodedPoint[];
    refused: { line: number; message: string }[];
  }[];
  problems: { line: number | null; message: string }[];
}

async function decode(text: string, ...args: string[]): Promise<Shown> {
  const file = join(folder, 'capture.txt');
  await writeFile(file, text);
  const { stdout, stderr } = await runTestCommand(['gateways', 'decode', ...args, file, '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Shown;
}

/** The points of a poll that were asked for, by key: value, or quality and why. */
function told({ polls }: Shown, poll = 0): Record<string, unknown> {
  const asked = (polls[poll]?.points ?? []).filter(
    (point) => (point as unknown as { is_asked: boolean }).is_asked,
  );
  return Object.fromEntries(
    asked.map(({ key, value, quality, why, code }) => [
      key,
      quality === 'GOOD' ? value : `${quality} ${why}${code === null ? '' : ` ${code}`}`,
    ]),
  );
}

async function gatewayFile(points: readonly unknown[], changes: object = {}): Promise<string> {
  const file = join(folder, `gateway-${Math.random()}.json`);
  await writeFile(
    file,
    JSON.stringify({ id: 'g', host: '10.0.0.1', unit_id: 1, points, ...changes }),
  );
  return file;
}

const twoRegisters = [
  { key: 'first', function: 3, address: 4, type: 'uint16' },
  { key: 'second', function: 3, address: 5, type: 'uint16' },
];
const request = '00 01 00 00 00 06 01 03 00 04 00 02';

describe('an answer alone', () => {
  const sungrow = ['--preset', 'sungrow-sg', '--unit', '1', '--function', '4'];

  test('of a Sungrow is 431 W and 1631 kWh, low word first', async () => {
    const power = await decode(
      '00 01 00 00 00 07 01 04 04 01 AF 00 00',
      ...sungrow,
      '--address',
      '5030',
      '--count',
      '2',
    );
    expect(told(power)).toEqual({ ac_power_w: 431 });
    const energy = await decode(
      '00 02 00 00 00 07 01 04 04 06 5F 00 00',
      ...sungrow,
      '--address',
      '5003',
      '--count',
      '2',
    );
    expect(told(energy)).toEqual({ energy_total_kwh: 1631 });
  });

  test('shows raw value, registers, unit and quality', async () => {
    const { polls } = await decode(
      '00 01 00 00 00 07 01 04 04 01 AF 00 00',
      ...sungrow,
      '--address',
      '5030',
    );
    expect(polls[0]?.points.find(({ key }) => key === 'ac_power_w')).toMatchObject({
      hex: '01AF 0000',
      raw: 431,
      value: 431,
      unit: 'W',
      quality: 'GOOD',
    });
  });

  test('that is an exception makes its points BAD with its name', async () => {
    const shown = await decode(
      '00 01 00 00 00 03 01 84 02',
      ...sungrow,
      '--address',
      '5030',
      '--count',
      '2',
    );
    expect(told(shown)).toEqual({ ac_power_w: 'BAD EXCEPTION 2' });
    expect(shown.polls[0]?.points.find(({ key }) => key === 'ac_power_w')?.message).toBe(
      'exception 2 (illegal data address)',
    );
  });

  test('needs its address', async () => {
    const { code, stderr } = await runTestCommand([
      'gateways',
      'decode',
      '--preset',
      'sma',
      '--unit',
      '3',
      '--function',
      '3',
      'x',
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('x cannot be read');
  });
});

describe('a capture', () => {
  const answer = '00 01 00 00 00 07 01 03 04 00 07 00 09';
  const values = { first: 7, second: 9 };

  test.each([
    ['with spaces', `${request}\n${answer}`],
    ['without spaces', `${request.replaceAll(' ', '')}\n${answer.replaceAll(' ', '')}`],
    [
      'in lower case with colons',
      `${request.replaceAll(' ', ':').toLowerCase()}\n${answer.replaceAll(' ', ':').toLowerCase()}`,
    ],
    ['with 0x', `${request.replaceAll(/(\S+)/g, '0x$1')}\n${answer.replaceAll(/(\S+)/g, '0x$1,')}`],
    ['with Tx and Rx', `Tx: ${request}\nRx: ${answer}`],
    ['as Modbus Poll prints it', `Tx:000123-${request}\nRx:000124-${answer}`],
    ['as Modbus Poll logs it', `000123-Tx:${request}\n000124-Rx:${answer}`],
    ['with arrows', `> ${request}\n< ${answer}`],
    ['with long arrows', `--> ${request}\n<-- ${answer}`],
    [
      'with words and times',
      `[2026-06-01 12:00:00.123] Request: ${request}\n[2026-06-01 12:00:00.187] Response: ${answer}`,
    ],
    [
      'as pymodbus logs it',
      `2026-06-01 12:00:00,123 DEBUG transport:312 send: ${request.replaceAll(/0?(\S)(?=\s|$)/g, '$1').replaceAll(/(\S+)/g, '0x$1')}\n2026-06-01 12:00:00,187 DEBUG transport:312 recv: ${answer.replaceAll(/(\S+)/g, '0x$1')}`,
    ],
    [
      'as libmodbus prints it',
      `[${request.replaceAll(' ', '][')}]\nWaiting for a confirmation...\n<${answer.replaceAll(' ', '><')}>`,
    ],
    ['with comments', `# the meter\n${request} // asks\n${answer} # says\n; end`],
    ['in one line', `${request} ${answer}`],
    [
      'over several lines',
      `${request.slice(0, 17)}\n${request.slice(18)}\n${answer.slice(0, 23)}\n${answer.slice(24)}`,
    ],
    [
      'as xxd prints it',
      `00000000: 0001 0000 0006 0103 0004 0002            ............\n00000000: 0001 0000 0007 0103 0400 0700 09         .............`,
    ],
    [
      'as hexdump prints it',
      `00000000  00 01 00 00 00 06 01 03  00 04 00 02              |............|\n00000000  00 01 00 00 00 07 01 03  04 00 07 00 09           |.............|`,
    ],
    [
      'as Python prints bytes',
      String.raw`send b'\x00\x01\x00\x00\x00\x06\x01\x03\x00\x04\x00\x02'` +
        '\n' +
        String.raw`recv b'\x00\x01\x00\x00\x00\x07\x01\x03\x04\x00\x07\x00\t'`,
    ],
    ['of RTU frames', '01 03 00 04 00 02 85 CA\n01 03 04 00 07 00 09 8B F4'],
    ['with carriage returns', `${request}\r\n${answer}\r\n`],
    [
      'with a request that nobody answered before',
      `${request.replace('00 01', '00 00')}\n${request}\n${answer}`,
    ],
  ])('%s is read', async (_, text) => {
    const shown = await decode(text, '--gateway', await gatewayFile(twoRegisters), '--unit', '1');
    expect(told(shown, shown.polls.length - 1)).toEqual(values);
  });

  test.each([
    [
      'a foreign transaction id',
      '00 02 00 00 00 07 01 03 04 00 07 00 09',
      'transaction id',
      'MISSING NOT_ANSWERED',
    ],
    [
      'a foreign protocol id',
      '00 01 00 05 00 07 01 03 04 00 07 00 09',
      'protocol id',
      'MISSING NOT_ANSWERED',
    ],
    ['a foreign unit', '00 01 00 00 00 07 C0 03 04 00 07 00 09', 'unit', 'MISSING NOT_ANSWERED'],
    [
      'another function',
      '00 01 00 00 00 07 01 04 04 00 07 00 09',
      'function',
      'MISSING NOT_ANSWERED',
    ],
    ['one register for two', '00 01 00 00 00 05 01 03 02 00 09', 'length', 'BAD LENGTH'],
    [
      'a byte count that lies',
      '00 01 00 00 00 07 01 03 02 00 07 00 09',
      'byte count',
      'BAD LENGTH',
    ],
    ['a length that lies', '00 01 00 00 00 06 01 03 04 00 07 00 09', 'length', 'BAD LENGTH'],
    ['bytes missing', '00 01 00 00 00 07 01 03 04 00 07', 'ends after', 'BAD LENGTH'],
    ['bytes too many', '00 01 00 00 00 07 01 03 04 00 07 00 09 00 0B', 'follow', 'BAD LENGTH'],
    ['an RTU frame', '01 03 04 00 07 00 09 8B F4', 'RTU', 'MISSING NOT_ANSWERED'],
  ])(
    'whose answer has %s leaves its points without a value and names the field',
    async (_, text, field, quality) => {
      const shown = await decode(
        `${request}\n${text}`,
        '--gateway',
        await gatewayFile(twoRegisters),
        '--unit',
        '1',
      );
      expect(told(shown)).toEqual({ first: quality, second: quality });
      expect(shown.polls[0]).toMatchObject({
        outcome: 'FAILED',
        refused: [{ message: expect.stringContaining(field) as string }],
      });
    },
  );

  test('may carry any transaction id where the gateway has that quirk', async () => {
    const file = await gatewayFile(twoRegisters, { quirks: { any_transaction_id: true } });
    const shown = await decode(
      `${request}\n00 09 00 00 00 07 01 03 04 00 07 00 09`,
      '--gateway',
      file,
      '--unit',
      '1',
    );
    expect(told(shown)).toEqual(values);
  });

  test('with an exception to one of two requests is PARTIAL', async () => {
    const shown = await decode(
      `00 01 00 00 00 06 01 03 00 04 00 01\n00 01 00 00 00 05 01 03 02 00 07\n00 02 00 00 00 06 01 03 00 05 00 01\n00 02 00 00 00 03 01 83 06`,
      '--gateway',
      await gatewayFile(twoRegisters),
      '--unit',
      '1',
    );
    expect(told(shown)).toEqual({ first: 7, second: 'BAD EXCEPTION 6' });
    expect(shown.polls[0]?.outcome).toBe('PARTIAL');
  });

  test('never joins a value that two requests cut', async () => {
    const file = await gatewayFile([{ key: 'wide', function: 3, address: 4, type: 'uint32' }]);
    const shown = await decode(
      `00 01 00 00 00 06 01 03 00 04 00 01\n00 01 00 00 00 05 01 03 02 00 07\n00 02 00 00 00 06 01 03 00 05 00 01\n00 02 00 00 00 05 01 03 02 00 08`,
      '--gateway',
      file,
      '--unit',
      '1',
    );
    expect(told(shown)).toEqual({ wide: 'MISSING NOT_ANSWERED' });
  });

  test('of several polls judges counters over their times', async () => {
    const file = await gatewayFile(
      [
        {
          key: 'total_kwh',
          function: 3,
          address: 4,
          type: 'uint16',
          scale: 0.01,
          kind: 'COUNTER',
          unit: 'kWh',
        },
      ],
      { capacity_kw: 10 },
    );
    const poll = (time: string, raw: number) =>
      `${time}\n00 01 00 00 00 06 01 03 00 04 00 01\n00 01 00 00 00 05 01 03 02 ${raw.toString(16).padStart(4, '0')}\n`;
    const shown = await decode(
      [
        poll('2026-06-01T12:00:00Z', 2947),
        poll('2026-06-01T12:01:00Z', 0),
        poll('# 2026-06-01T12:02:00Z', 2950),
        poll('poll 4: 2026-06-01 14:03:00+02:00', 9000),
      ].join('\n'),
      '--gateway',
      file,
      '--unit',
      '1',
    );
    expect(shown.polls.map((_, index) => told(shown, index)['total_kwh'])).toEqual([
      29.47,
      'BAD STEP',
      29.5,
      'BAD STEP',
    ]);
    expect(shown.polls[3]?.at).toBe('2026-06-01T12:03:00.000Z');
  });

  test('with coils reads the first in the lowest bit', async () => {
    const file = await gatewayFile([
      { key: 'a', function: 1, address: 19 },
      { key: 'b', function: 1, address: 21 },
      { key: 'c', function: 1, address: 27 },
    ]);
    const shown = await decode(
      '00 01 00 00 00 06 01 01 00 13 00 0A\n00 01 00 00 00 05 01 01 02 CD 01',
      '--gateway',
      file,
      '--unit',
      '1',
    );
    expect(told(shown)).toEqual({ a: 1, b: 1, c: 1 });
  });

  test('finds SunSpec models by their headers where there is no walk', async () => {
    const body = `0067 0032 ${'FFFF '.repeat(12)}03D6 0001 ${'FFFF '.repeat(36)}`.replaceAll(
      ' ',
      '',
    );
    const text = `00 01 00 00 00 06 01 03 9C 85 00 34\n0001 0000 ${(3 + 104).toString(16).padStart(4, '0')} 01 03 68 ${body}`;
    const shown = await decode(text, '--preset', 'sunspec-inverter', '--unit', '1');
    expect(shown.models).toMatchObject([{ id: 103, address: 40069 }]);
    expect(told(shown)).toMatchObject({ ac_power_w: 9820, frequency_hz: 'MISSING SENTINEL' });
  });

  test('that is none says so by line', async () => {
    const file = join(folder, 'none.txt');
    await writeFile(file, 'hello world\n00 01 0');
    const { code, stdout } = await runTestCommand([
      'gateways',
      'decode',
      '--preset',
      'sma',
      '--unit',
      '3',
      file,
    ]);
    expect(code).toBe(1);
    expect(stdout).toContain('line 1 has no bytes in hexadecimal digits');
    expect(stdout).toContain('line 2 ');
  });
});
