import { describe, expect, test } from 'vitest';

import { createTestIo, runTestCommand } from '../test/support/command-line.ts';
import { type Command, parseCommand } from './command.ts';
import { CommandError } from '../environment/config.ts';
import manifest from '../package.json' with { type: 'json' };

const command: Command = {
  name: 'plants move',
  usage: 'ID --latitude N',
  flags: ['latitude'],
  switches: ['yes'],
  run: async () => 0,
};
const parse = (...args: string[]) => {
  const context = parseCommand(command, args, createTestIo().io);
  if (context === 'HELP') throw new Error('help was asked');
  return context;
};
const refusal = (...args: string[]) => {
  try {
    parse(...args);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('the call was accepted');
};

describe('a command line', () => {
  test('takes a negative number as the value of a flag, in either form', () => {
    expect(parse('canal', '--latitude', '-33.9').flags['latitude']).toBe('-33.9');
    expect(parse('--latitude=-.5', 'canal').flags['latitude']).toBe('-.5');
    expect(parse('canal', '--latitude', '-33.9').positionals).toEqual(['canal']);
  });

  test('takes no flag as the value of another', () => {
    expect(refusal('--latitude', '--yes').exitCode).toBe(2);
    expect(refusal('--yes', '-1').exitCode).toBe(2);
  });

  test('is refused with its usage where a flag is unknown', () => {
    expect(refusal('--lattitude', '1')).toMatchObject({
      exitCode: 2,
      message: "Unknown option '--lattitude'\nusage: heliograph plants move ID --latitude N",
    });
  });

  test('tells its flags when it is asked', async () => {
    const { code, stdout } = await runTestCommand(['plants', 'poll', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('usage: heliograph plants poll ID|');
    expect(stdout).toContain('brands: SOLIS, HUAWEI, GOODWE, Deye (DELE)\n');
    expect((await runTestCommand(['audit', '--help'])).stdout).not.toContain('brands');
  });

  test("that names no command of a group is refused with the group's commands", async () => {
    const { code, stdout, stderr } = await runTestCommand(['plants', 'fly', '--yes']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('there is no command `plants fly`');
    expect(stderr).toContain('plants list');
  });

  test.each([
    [['plants', 'lst'], 'plants lst', 'did you mean `plants list`?'],
    [['plant', 'list'], 'plant list', 'did you mean `plants list`?'],
    [['plants', 'resmue', 'canal'], 'plants resmue', 'did you mean `plants resume`?'],
    [['stauts'], 'stauts', 'did you mean `status`?'],
    [['--data', 'x', 'adit'], 'adit', 'did you mean `audit`?'],
    [
      ['import', 'fleet.csv'],
      'import fleet.csv',
      'did you mean `plants import` or `gateways import`?',
    ],
    [['list'], 'list', 'did you mean `plants list`, `alerts list` or `users list`?'],
    [['weather'], 'weather', '`heliograph help` lists all'],
    [
      ['users'],
      'users',
      'there are users add, users list, users set, users reset, users remove, users link',
    ],
  ])('%j is answered with one line that names the nearest', async (args, typed, guess) => {
    expect(await runTestCommand(args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `heliograph: there is no command \`${typed}\`: ${guess}\n`,
    });
  });

  test.each([
    [['--data', '/nowhere', 'plants', 'list']],
    [['--data=/nowhere', 'plants', 'list']],
    [['plants', '--data', '/nowhere', 'list']],
    [['plants', 'list', '--data', '/nowhere']],
    [['--json', '--data', '/nowhere', 'plants', 'list']],
  ])('may have flags that every command knows anywhere: %j', async (args) => {
    const { code, stderr } = await runTestCommand(args);
    expect(code).toBe(78);
    expect(stderr).toContain('/nowhere/stack.json');
  });

  test('may ask for help before the command as well', async () => {
    const after = await runTestCommand(['plants', 'poll', '--help']);
    expect(await runTestCommand(['--help', 'plants', 'poll'])).toEqual(after);
  });

  test('may not have other flags there', async () => {
    expect(await runTestCommand(['--yes', 'plants', 'resume', 'canal'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'heliograph: the command must come before --yes: `heliograph help` lists all\n',
    });
  });

  test('tells the version', async () => {
    expect(await runTestCommand(['--version'])).toEqual({
      code: 0,
      stdout: `heliograph ${manifest.version}\n`,
      stderr: '',
    });
  });

  test('without a word shows the overview, as a wrong call; `help` is none', async () => {
    expect((await runTestCommand([])).code).toBe(2);
    expect(await runTestCommand(['help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('alerts list'),
    });
  });
});

describe('the environment', () => {
  test('with a URL that cannot be read is refused without telling its password', async () => {
    const env = {
      DATABASE_URL: 'postgres://u:canary#pw@127.0.0.1:9/db',
      REDIS_URL: 'http://u:canary@x',
    };
    const { code, stdout, stderr } = await runTestCommand(['plants', 'list'], { env });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain('DATABASE_URL must be a URL that begins with postgres://');
    expect(stderr).toContain('REDIS_URL must be a URL that begins with redis://');
    expect(stderr).not.toContain('canary');
  });
});
