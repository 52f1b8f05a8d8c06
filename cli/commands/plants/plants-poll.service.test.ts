import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';

import { awayAddress } from '../../../test/support/command-fleet.ts';
import { cli, test } from '../../../test/support/test-commands.ts';
import { eventually, type TestPlant } from '../../../test/support/fleet.ts';
import { startTestWorker, stopWorker } from '../../../test/support/workers.ts';
import { plantSearchAttributes, startLoop } from '../../../operations/plants/loops.ts';
import { ensureSearchAttributes } from '../../../operations/search-attributes.ts';
import type { RunningWorker } from '../../../worker/worker.ts';

let counter = 0;

beforeEach(() => {
  counter += 1;
});

describe('plants poll', () => {
  test('says that no loop runs, and that nobody answers, each within its time', async () => {
    const id = await cli.add();
    expect(await cli.run(['plants', 'poll', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('its loop is not running'),
    });
    await ensureSearchAttributes(cli.fleet.client, plantSearchAttributes);
    await eventually('a loop', () =>
      startLoop(cli.fleet.client, { id, name: id, brand: 'SOLIS' }).then(
        () => true,
        () => false,
      ),
    );
    expect(await cli.run(['plants', 'poll', id, '--timeout', '1'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no answer within 1 s'),
    });
  });

  test('says that Temporal is away', async () => {
    expect(
      await cli.run(['plants', 'poll', 'x'], { env: { TEMPORAL_ADDRESS: awayAddress } }),
    ).toMatchObject({ code: 69, stdout: '' });
  }, 20_000);

  test('says that there is no such namespace', async () => {
    expect(
      await cli.run(['plants', 'poll', 'x'], { env: { TEMPORAL_NAMESPACE: 'nowhere' } }),
    ).toMatchObject({
      code: 78,
      stdout: '',
      stderr: expect.stringContaining('has no namespace "nowhere"'),
    });
  });

  describe('with a worker', () => {
    let worker: RunningWorker;

    beforeAll(async () => {
      worker = await startTestWorker(cli.fleet, { reconcile: false });
    });
    afterAll(() => stopWorker(worker));

    const start = async (plant: Partial<TestPlant> = {}) => {
      const id = await cli.add(plant);
      await startLoop(cli.fleet.client, { id, name: id, brand: 'SOLIS' });
      await eventually('its first poll', async () => (await cli.plantOf(id)).last_poll);
      return id;
    };

    test("prints that poll's answer, and leaves its row", async () => {
      const id = await start();
      const answer = (await cli.json(['plants', 'poll', id])) as Record<string, unknown>;
      expect(answer).toMatchObject({
        plant_id: id,
        trigger: 'MANUAL',
        outcome: 'OK',
        status: 'GREEN',
        today_energy_kwh: expect.any(Number),
      });
      const shown = (await cli.json(['plants', 'show', id])) as {
        last_polls: object[];
        next_slot: string;
      };
      expect(shown.last_polls[0]).toMatchObject({
        scheduled_for: answer['scheduled_for'],
        trigger: 'MANUAL',
        outcome: 'OK',
      });
      expect(Date.parse(shown.next_slot)).toBeGreaterThan(Date.now());
    });

    test('fails where the poll was neither OK nor PARTIAL', async () => {
      const id = await start({ vendorPlantId: `${9_000 + counter}` });
      const { code, stdout } = await cli.run(['plants', 'poll', id, '--json']);
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        outcome: 'FAILED',
        adapter_error_type: 'PLANT_NOT_FOUND',
      });
    });

    test('is refused while the plant is paused', async () => {
      const id = await start();
      await cli.run(['plants', 'pause', id]);
      await eventually(
        'the pause to be seen',
        async () => (await cli.plantOf(id)).status === 'GREY',
      );
      expect(await cli.run(['plants', 'poll', id])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('DISABLED_BY_OPERATOR'),
      });
    });

    test('takes all of an account, and counts what came of it', async () => {
      const accountId = `polled-${counter}`;
      await start({ accountId });
      await start({ accountId, vendorPlantId: `${9_000 + counter}` });
      await cli.add({ accountId, active: false });
      const { code, stdout, stderr } = await cli.run([
        'plants',
        'poll',
        '--account',
        accountId,
        '--yes',
        '--json',
      ]);
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        asked: 2,
        counts: { OK: 1, FAILED: 1 },
        errors: [],
      });
      expect(stderr).toContain('1 plant is not ACTIVE and will not be polled');
    });

    test('follows at once when new credentials lift a refusal', async () => {
      const accountId = `refused-${counter}`;
      const id = await start({ accountId });
      await cli.fleet.db
        .updateTable('plants')
        .set({ integration_status: 'PAUSED_AUTH_ERROR' })
        .where('id', '=', id)
        .execute();
      const before = (await cli.plantOf(id)).last_polled_at?.getTime() ?? 0;
      const { stderr } = await cli.run(['plants', 'credentials', accountId], {
        input: 'keyId=130\nkeySecret=new\n',
      });
      expect(stderr).toBe('');
      await eventually(
        'a poll',
        async () => ((await cli.plantOf(id)).last_polled_at?.getTime() ?? 0) > before,
      );
      expect(await cli.plantOf(id)).toMatchObject({
        integration_status: 'ACTIVE',
        status: 'GREEN',
      });
    });
  });
});
