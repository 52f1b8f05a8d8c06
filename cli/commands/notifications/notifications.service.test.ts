import { randomBytes } from 'node:crypto';

import { describe, expect } from 'vitest';

import { openChannelSettings } from '../../../db/notifications/channel-list.ts';
import { claimDelivery, endAttempt } from '../../../db/notifications/deliveries.ts';
import { loadConfig, requireMasterKeys } from '../../../environment/config.ts';
import { checkMasterKeys } from '../../../environment/services.ts';
import { insertProblem } from '../../../test/support/problems.ts';
import { cli, test } from '../../../test/support/test-commands.ts';

const canary = 'canary-of-the-hook';
const mail = 'host=mail.example.org\nfrom=sun@example.org\nport=2525\n';

const run = (line: string, input?: string) =>
  cli.run(['notifications', ...line.split(' ')], input === undefined ? {} : { input });
const done = async (line: string, input?: string) => {
  const result = await run(line, input);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return result.stdout;
};

test('without a channel or a route nobody is told', async () => {
  expect(await done('channels list')).toMatch(/^nobody is told: there is no channel/);
  expect(await done('routes list')).toMatch(/^nobody is told: there is no route/);
  expect((await cli.run(['problems', 'list'])).stdout).toBe('there is no such problem\n');
});

describe('a channel', () => {
  test('is added from standard input, sealed, listed without its settings', async () => {
    await done('channels add mail --kind email', mail);
    const url = `https://hooks.example.org/${canary}`;
    const added = await done('channels add ops --kind slack --json', JSON.stringify({ url }));
    const { id } = JSON.parse(added) as { id: number };
    const { config, db } = cli.fleet;
    expect(await openChannelSettings(db, requireMasterKeys(config), id)).toEqual({ url });
    const listed = await done('channels list');
    expect(listed).toMatch(/mail +EMAIL +database/);
    expect(added + listed).not.toContain(canary);
  });

  test('keeps a worker and an API from starting with a master key that does not open it; keys rotate seals it again', async () => {
    const { db, config, env } = cli.fleet;
    const key = randomBytes(32).toString('base64');
    const other = loadConfig({ ...env, MASTER_KEY_CURRENT: key, MASTER_KEY_PREVIOUS: '' });
    await expect(checkMasterKeys(db, other)).rejects.toThrow(
      /^the master key is wrong: the settings of channel \d+ were sealed/,
    );
    const old = env['MASTER_KEY_CURRENT'] ?? '';
    const rotate = async (current: string, previous: string) =>
      cli.run(['keys', 'rotate'], {
        env: { MASTER_KEY_CURRENT: current, MASTER_KEY_PREVIOUS: previous },
      });
    expect((await rotate(key, old)).stdout).toContain('2 seals of channels and subscriptions');
    await checkMasterKeys(db, other);
    expect((await rotate(old, key)).code).toBe(0);
    await checkMasterKeys(db, config);
  });

  test.each([
    ['channels add x --kind slack', `url=http://example.org/${canary}`, 2, 'url cannot be used'],
    ['channels add x --kind slack', '', 2, 'standard input is empty'],
    ['channels add x --kind fax', 'url=x', 2, '--kind must be EMAIL, SLACK or WEBHOOK'],
    ['channels add mail --kind email', mail, 1, 'there is a channel mail already'],
    ['channels remove nothing', undefined, 1, 'name one of'],
  ] as const)('%s is refused with a sentence', async (line, input, code, sentence) => {
    const { stderr, ...result } = await run(line, input);
    expect(result).toEqual({ code, stdout: '' });
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain(canary);
  });
});

describe('a route', () => {
  test('is added, changed, listed as a sentence and removed', async () => {
    await done('routes add second --channel ops');
    const added = await done(
      'routes add operators --channel mail --to op@example.org,ben@example.org --severity red --quiet 22:00-06:00 --zone Europe/Amsterdam --second second --after 30',
    );
    expect(added).toContain(
      'RED of every brand → op@example.org and ben@example.org by “mail” (e-mail), at once, no YELLOW from 22:00 to 06:00 Europe/Amsterdam; second call after 30 min to “second”',
    );
    await done('routes set operators --quiet none --digest YELLOW@07:00 --brand solis --severity=');
    const listed = JSON.parse(await done('routes list --json')) as { name: string }[];
    expect(listed.find(({ name }) => name === 'operators')).toMatchObject({
      severities: [],
      brands: ['SOLIS'],
      quiet_from: null,
      digest: 'YELLOW',
      digest_at: '07:00',
      second_call_after_s: 1_800,
    });
    expect((await run('routes remove second')).stderr).toContain('routes use the route: operators');
    await done('routes set operators --second none');
    await done('routes remove second');
    expect(await done('routes list')).toContain('RED and YELLOW of SOLIS →');
  });

  test.each([
    ['routes add x --channel mail', 2, 'recipients must be 1 to 50 e-mail addresses'],
    ['routes add x', 2, '--channel is missing'],
    ['routes set operators', 2, 'say what to change'],
    ['routes set operators --quiet 22-6', 2, '--quiet must be two times of day'],
    ['routes set operators --second operators --after 5', 2, 'would call in a circle'],
    ['routes set operators --after 5', 2, '--second and --after go together'],
    ['routes set nobody --name x', 1, 'route nobody is not known'],
  ] as const)('%s is refused', async (line, code, sentence) => {
    const result = await run(line);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(sentence);
  });
});

describe('a test message', () => {
  test('prints what the server said; its exit code says whether it was sent', async () => {
    const { db } = cli.fleet;
    for (const [answer, code] of [
      [{ outcome: 'SENT', answer: '200 ok' }, 0],
      [{ outcome: 'RECIPIENT_REFUSED', answer: '404 no_service' }, 1],
    ] as const) {
      const testing = run('test --channel slack --timeout 20');
      await expect
        .poll(async () => {
          const claim = await claimDelivery(db, 'SLACK', Date.now());
          if (claim !== null) await endAttempt(db, claim, answer, Date.now());
          return claim;
        })
        .not.toBeNull();
      const result = await testing;
      expect(result.code).toBe(code);
      expect(result.stdout).toContain(`${answer.outcome}, ${answer.answer}`);
    }
  });

  test('that no worker takes says so', async () => {
    const result = await run('test --channel email --to op@example.org --timeout 0');
    expect(result).toMatchObject({ code: 1, stdout: expect.stringContaining('PENDING') });
    expect(result.stdout).toContain('no answer within 0 s');
  });

  test('to a list of addresses is refused', async () => {
    const result = await run('test --channel mail --to a@example.org,b@example.org');
    expect(result).toMatchObject({ code: 2, stdout: '' });
  });

  test('that was given up is listed, and tried again', async () => {
    const listed = JSON.parse(await done('list --state dead --json')) as { id: number }[];
    expect(listed).toHaveLength(1);
    expect(await done('list --state dead')).toContain('404 no_service');
    expect(await done(`list --since ${new Date(Date.now() + 60_000).toISOString()}`)).toBe(
      'there is no such delivery\n',
    );
    expect(await done(`retry ${listed[0]?.id}`)).toContain('PENDING');
    expect(await run(`retry ${listed[0]?.id}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is PENDING: only one that is FAILED or DEAD'),
    });
    expect((await run('retry 999999')).stderr).toContain('there is no delivery 999999');
  });
});

test('a problem is listed and acknowledged', async () => {
  const id = await insertProblem(cli.fleet.db);
  const acked = await cli.json(['problems', 'ack', String(id), '--comment', 'I look']);
  expect(acked).toMatchObject({ id, state: 'ACKNOWLEDGED', ack_comment: 'I look' });
  expect((await cli.run(['problems', 'list'])).stdout).toMatch(
    /RED +ACKNOWLEDGED +SYSTEM polling +STOPPED .*Monitoring has stopped/,
  );
  expect(await cli.json(['problems', 'list', '--state', 'open'])).toEqual([]);
});
