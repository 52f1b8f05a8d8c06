import { describe, expect, test } from 'vitest';

import { createTestIo, type TestTerminal } from '../test/support/command-line.ts';
import type { PlantView } from '../db/plants/plants.ts';
import { type Command, parseCommand } from './command.ts';
import { CommandError } from '../environment/config.ts';
import { confirmMany } from './commands/plants/selected-plants.ts';
import { filterFlags, readSelection } from './selection.ts';

const command: Command = {
  name: 'plants pause',
  usage: 'ID|--brand B',
  flags: filterFlags,
  switches: ['yes'],
  run: async () => 0,
};

function contextOf(args: readonly string[], terminal: TestTerminal = {}) {
  const { io, stderr } = createTestIo(terminal);
  const context = parseCommand(command, args, io);
  if (context === 'HELP') throw new Error('help was asked');
  return { context, stderr };
}
const select = (...args: string[]) => readSelection(contextOf(args).context);

describe('which plants are meant', () => {
  test('one, by its id', () => {
    expect(select('canal')).toEqual({
      filter: { ids: ['canal'] },
      plantId: 'canal',
      words: 'canal',
    });
  });

  test('all that every filter matches', () => {
    expect(select('--brand', 'solis', '--customer', 'noord')).toEqual({
      filter: { brand: 'SOLIS', customer_id: 'noord' },
      plantId: null,
      words: 'brand SOLIS and customer noord',
    });
    expect(select('--account', 'solis-main').filter).toEqual({ account_id: 'solis-main' });
  });

  test.each([
    ['none is named', []],
    ['two are named', ['a', 'b']],
    ['one is named with a filter', ['a', '--brand', 'SOLIS']],
    ['the brand is unknown', ['--brand', 'ACME']],
  ])('is a wrong call where %s', (_, args) => {
    expect(() => select(...args)).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});

describe('a command for many', () => {
  const plants = [{ id: 'a' }, { id: 'b' }] as PlantView[];
  const confirm = async (args: readonly string[], terminal: TestTerminal = {}) => {
    const { context, stderr } = contextOf(args, terminal);
    const outcome = await confirmMany(context, readSelection(context), plants, 'paused').then(
      () => 'DONE',
      (error: unknown) => (error instanceof CommandError ? error.exitCode : error),
    );
    return { outcome, stderr: stderr.text };
  };

  test('shows the count and goes on with --yes', async () => {
    expect(await confirm(['--brand', 'SOLIS', '--yes'])).toEqual({
      outcome: 'DONE',
      stderr: '2 plants of brand SOLIS will be paused\n',
    });
  });

  test('is a wrong call without --yes where there is nobody to ask', async () => {
    expect((await confirm(['--brand', 'SOLIS'])).outcome).toBe(2);
  });

  test.each([
    ['y\n', 'DONE'],
    ['YES\n', 'DONE'],
    ['n\n', 1],
    ['\n', 1],
    ['yesterday\n', 1],
    ['', 1],
  ])('asks at a terminal: %j', async (typed, outcome) => {
    const answered = await confirm(['--brand', 'SOLIS'], { typed });
    expect(answered.outcome).toBe(outcome);
    expect(answered.stderr).toContain('2 plants of brand SOLIS will be paused. Go on? [y/N]');
  });

  test('asks nothing where one plant was named', async () => {
    expect(await confirm(['a'])).toEqual({ outcome: 'DONE', stderr: '' });
  });
});
