import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { launchChromium } from './chromium.ts';
import { findFlaws } from './flaws.ts';
import { passwordOf, type RunningProduct, startProduct } from './stack.ts';

const ana = 'ana@example.org';
const newPassword = 'correct horse battery';

let product: RunningProduct;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What the browser complained of: a blocked script or style, an exception. */
const complaints: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  product = await startProduct();
  await product.user(ana, 'ADMIN', { lent: true });
  await product.user('carla@example.org', 'CUSTOMER', { customerId: 'noord' });
  context = await browser.newContext({ viewport: { width: 1600, height: 1000 } });
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) complaints.push(message.text());
  });
});

afterAll(async () => {
  await browser?.close();
  await product?.stop();
});

async function signIn(on: Page, email: string, password: string): Promise<void> {
  await on.goto(`${product.url}/`);
  await on.getByLabel('E-mail').fill(email);
  await on.getByLabel('Password').fill(password);
  await on.getByRole('button', { name: 'Sign in' }).click();
}

/** The page renews itself once. */
async function renewal(on: Page): Promise<void> {
  await on.waitForResponse((response) => response.request().headers()['x-renewal'] === '1');
  // The answer is merged after it came.
  await on.waitForTimeout(300);
}

async function openPlant(on: Page, name: string): Promise<void> {
  await on.goto(`${product.url}/?q=${encodeURIComponent(name)}`);
  await on.locator('.c-name a').first().click();
  await on.getByRole('heading', { level: 1, name }).waitFor();
}

describe('the pages in a real browser', () => {
  test('the link to sign in is the last line that the start says, and is said again until it is used', async () => {
    const linkOf = /Sign in once +(\S+)/g;
    const links = () => [...product.said().matchAll(linkOf)].map(([, link]) => link ?? '');
    await expect.poll(() => links().length, { timeout: 30_000 }).toBe(1);
    const [, after] = product.said().split('Ctrl-C ends everything.\n');
    expect(after?.trim()).toMatch(/^Sign in once/);
    await expect.poll(() => links().length, { timeout: 30_000 }).toBe(2);
    const [first, again] = links();
    expect(again).toBe(first);
    const visitor = await (await browser.newContext()).newPage();
    await visitor.goto(first ?? '');
    await visitor.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visitor.locator('table.fleet').waitFor();
    await visitor.context().close();
  });

  test('a first sign-in asks for a new password at once, and lets nothing else through', async () => {
    await signIn(page, ana, 'wrong password');
    await page.getByText('The e-mail address or the password is wrong.').waitFor();
    await signIn(page, ana, passwordOf(ana));
    await page.waitForURL('**/password');
    await page.goto(`${product.url}/alerts`);
    expect(new URL(page.url()).pathname).toBe('/password');
    await page.getByLabel('Current password').fill(passwordOf(ana));
    await page.getByLabel('New password', { exact: true }).fill(newPassword);
    await page.getByLabel('New password, again').fill('something else');
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.getByText('The two new passwords differ.').waitFor();
    await page.getByLabel('Current password').fill(passwordOf(ana));
    await page.getByLabel('New password', { exact: true }).fill(newPassword);
    await page.getByLabel('New password, again').fill(newPassword);
    await page.getByRole('button', { name: 'Change password' }).click();
    await page.locator('table.fleet').waitFor();
  });

  test('the worst plant stands first, with why and since when; counts filter by the address', async () => {
    await page.goto(product.url);
    const first = page.locator('table.fleet tbody tr').first();
    expect(await first.locator('.c-status').innerText()).toContain('RED');
    expect(await first.locator('.c-why').innerText()).not.toBe('');
    await page.locator('#count-GREEN').click();
    await page.waitForURL('**/?status=GREEN');
    await expect
      .poll(() => page.locator('tr:not(.calm) .c-status', { hasText: 'RED' }).count())
      .toBe(0);
    await page.locator('#q').fill('canal');
    await page.waitForURL('**/?status=GREEN&q=canal');
    await expect.poll(() => page.locator('table.fleet tbody tr').count()).toBe(1);
    await page.goBack();
    await page.waitForURL('**/?status=GREEN');
    await page.locator('#count-GREEN[aria-current]').waitFor();
  });

  test('a plant is polled now, and the answer stands on its page', async () => {
    await openPlant(page, 'Canal House');
    await page.getByRole('button', { name: 'Poll now' }).click();
    const answer = page.locator('#poll-answer');
    await expect
      .poll(() => answer.innerText(), { timeout: 35_000 })
      .toMatch(/Poll now: ok, \d+ ms/);
    expect(new URL(page.url()).pathname).toBe('/plants/solis-canal');
    // It stays where it is when the page renews itself around it.
    await renewal(page);
    expect(await answer.innerText()).toContain('Poll now: ok');
    // The row of the poll that answered: manual, or of a slot that was due when the person asked.
    const { scheduled_for: slot } = await product.db
      .selectFrom('poll_logs')
      .select('scheduled_for')
      .where('plant_id', '=', 'solis-canal')
      .where('requested_at', 'is not', null)
      .executeTakeFirstOrThrow();
    await page.locator('.polls', { hasText: slot.toISOString().slice(13, 19) }).waitFor();
  });

  test('an alert is acknowledged in place, with a comment', async () => {
    await page.goto(`${product.url}/alerts`);
    const row = page.locator('table.alerts tbody tr', { hasText: 'Silent logger' });
    await row.locator('summary').click();
    await row.getByLabel('Comment').fill('logger is being replaced');
    await row.getByRole('button', { name: 'Acknowledge' }).click();
    await row.getByText('acknowledged by ana@example.org').waitFor();
    expect(await row.innerText()).toContain('“logger is being replaced”');
    expect(new URL(page.url()).pathname).toBe('/alerts');
    const logged = await product.db
      .selectFrom('audit_log')
      .select(['actor', 'action'])
      .where('action', '=', 'alert.ack')
      .execute();
    expect(logged).toEqual([{ actor: ana, action: 'alert.ack' }]);
  });

  test('a plant is paused with a reason, cannot be polled then, and is resumed', async () => {
    await openPlant(page, 'Old Mill');
    await page.locator('#pause > summary').click();
    await page.getByLabel('Reason').fill('roof is being repaired');
    await page.getByRole('button', { name: 'Pause polling' }).click();
    await page.getByText('“roof is being repaired”').waitFor();
    const poll = page.getByRole('button', { name: /Poll now/ });
    expect(await poll.getAttribute('aria-disabled')).toBe('true');
    expect(await poll.getAttribute('data-tip')).toContain('paused');
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.locator('#pause > summary').waitFor();
    await expect
      .poll(() => page.locator('.standing').innerText(), { timeout: 30_000 })
      .toMatch(/GREEN|YELLOW/);
  });

  test('by keyboard alone a plant is paused and resumed, and the focus stays with what follows', async () => {
    await openPlant(page, 'Old Mill');
    const focused = () =>
      page.evaluate<string>(
        `document.activeElement.closest('[id]').id + ' ' + document.activeElement.tagName`,
      );
    await page.locator('#pause > summary').focus();
    await page.keyboard.press('Enter');
    await page.locator('#pause-reason').focus();
    await page.keyboard.type('works');
    await page.keyboard.press('Enter');
    await page.getByText('“works”').waitFor();
    await expect.poll(focused).toBe('resume BUTTON');
    await page.keyboard.press('Enter');
    await page.locator('#pause > summary').waitFor();
    await expect.poll(focused).toBe('pause SUMMARY');
    await page.locator('#silence > summary').focus();
    await page.keyboard.press('Enter');
    await page.locator('#silence-for').selectOption({ index: 1 });
    await page.locator('#silence-for').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#unsilence').waitFor();
    await expect.poll(focused).toBe('unsilence BUTTON');
    await page.keyboard.press('Enter');
    await expect.poll(focused).toBe('silence SUMMARY');
  });

  test('the reason behind a dash is reached by keyboard', async () => {
    await page.goto(product.url);
    const row = page.locator('tr', { has: page.locator('.tip') }).first();
    await row.locator('.c-name a').focus();
    await page.keyboard.press('Tab');
    const shown = await page.evaluate<{ tip: string | undefined; content: string }>(`({
      tip: document.activeElement.dataset.tip,
      content: getComputedStyle(document.activeElement, '::after').content,
    })`);
    expect(shown.tip).toMatch(/\w/);
    expect(shown.content).toBe(JSON.stringify(shown.tip));
    for (const path of ['/', '/plants/huawei-olive']) {
      await page.goto(product.url + path);
      const unreached = await page.evaluate<string[]>(
        `[...document.querySelectorAll('.tip')].filter((tip) => tip.tabIndex < 0).map((tip) => tip.outerHTML)`,
      );
      expect({ path, unreached }).toEqual({ path, unreached: [] });
    }
  });

  test('on a phone a reason shows in full, and a plant with failed polls is no wider than the screen', async () => {
    const message =
      'PV ISO-PRO: the insulation of the second string is below its limit since the rain';
    const now = new Date();
    await product.db
      .insertInto('alerts')
      .values({
        plant_id: 'goodwe-half',
        type: 'MOCK_FAULT',
        vendor_alarm_code: 'of this test',
        severity: 'RED',
        state: 'NEW',
        message,
        started_at: now,
        last_seen_at: now,
      })
      .execute();
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(product.url);
    await page.locator('.c-why', { hasText: message }).first().waitFor();
    const cut = await page.evaluate<string[]>(`
      [...document.querySelectorAll('tr:not(.calm) .c-why .why')]
        .filter((why) => why.scrollWidth > why.clientWidth || why.scrollHeight > why.clientHeight)
        .map((why) => why.textContent)`);
    expect(cut).toEqual([]);
    const at = Date.now();
    await product.db
      .insertInto('poll_logs')
      .values(
        [1, 2, 3].map((minutes) => ({
          plant_id: 'goodwe-half',
          job_type: 'POLL' as const,
          scheduled_for: new Date(at - minutes * 1_000),
          trigger: 'CATCH_UP' as const,
          status: 'ERROR' as const,
          outcome: 'FAILED' as const,
          started_at: new Date(at),
          duration_ms: 61_234,
          late_ms: 3_600_000,
          attempts: 2,
          adapter_error_type: 'VENDOR_ERROR' as const,
          error:
            'GetMonitorDetailByPowerstationId answered with innerexception:System.NullReferenceException_at_SEMS.Portal.PowerStation',
          workflow_id: 'w',
          run_id: 'r',
        })),
      )
      .execute();
    await page.goto(`${product.url}/plants/goodwe-half`);
    await page.getByText('NullReferenceException').first().waitFor();
    const overflow = await page.evaluate<number>(
      'document.documentElement.scrollWidth - window.innerWidth',
    );
    expect(overflow).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1600, height: 1000 });
  });

  test('renewing itself, the page keeps focus, scroll, what is being typed and what is open', async () => {
    await page.setViewportSize({ width: 1600, height: 400 });
    await page.goto(product.url);
    const link = page.locator('.c-name a').nth(9);
    await link.focus();
    const focused = await link.getAttribute('id');
    // Where plants change places, or a line above them goes, the page follows what was in view.
    const place = () =>
      page.evaluate<{ y: number; shape: string }>(`({
        y: window.scrollY,
        shape: [document.body.scrollHeight, ...document.querySelectorAll('.c-name a')]
          .map((one) => one.id ?? one).join(),
      })`);
    await expect
      .poll(
        async () => {
          const before = await place();
          await renewal(page);
          const after = await place();
          return before.y > 0 && before.shape === after.shape
            ? after.y - before.y
            : 'another shape';
        },
        { timeout: 90_000 },
      )
      .toBe(0);
    expect(await page.evaluate<string>('document.activeElement?.id')).toBe(focused);
    await page.goto(`${product.url}/alerts`);
    const row = page.locator('table.alerts tbody tr').first();
    await row.locator('summary').click();
    await row.getByLabel('Comment').fill('half a sen');
    await renewal(page);
    expect(await row.getByLabel('Comment').inputValue()).toBe('half a sen');
    expect(await row.getByLabel('Comment').isVisible()).toBe(true);
    await page.setViewportSize({ width: 1600, height: 1000 });
  });

  test('a page that cannot renew itself says since when it is old, and recovers', async () => {
    await page.goto(product.url);
    process.kill(product.apiPid, 'SIGSTOP');
    try {
      await page.getByText(/Not updated since \d\d:\d\d:\d\d UTC/).waitFor({ timeout: 30_000 });
    } finally {
      process.kill(product.apiPid, 'SIGCONT');
    }
    await expect
      .poll(() => page.locator('#unreached').isVisible(), { timeout: 30_000 })
      .toBe(false);
  });

  test('a channel is tested from its page, through the worker, and the delivery stands there', async () => {
    // A channel without settings: the worker says so, and nothing leaves this machine.
    await product.db
      .insertInto('notification_channels')
      .values({ kind: 'SLACK', name: 'slack', source: 'ENVIRONMENT', created_by: 'test' })
      .execute();
    const { id: channelId } = await product.db
      .selectFrom('notification_channels')
      .select('id')
      .executeTakeFirstOrThrow();
    await product.db
      .insertInto('notification_routes')
      .values({ name: 'everything', channel_id: channelId, created_by: 'test' })
      .execute();
    await page.goto(`${product.url}/admin/notifications`);
    await page.getByText('RED and YELLOW of every brand → Slack, at once').waitFor();
    await page.getByRole('button', { name: 'Test slack' }).click();
    const row = page.locator('#tested');
    await expect
      .poll(() => row.innerText(), { timeout: 90_000 })
      .toMatch(/FAILED.*delivery \d+.*this worker has no settings/s);
    await page
      .getByRole('button', { name: /^Retry delivery \d+/ })
      .first()
      .waitFor();
  });

  test('a person subscribes to mails and ends them', async () => {
    await product.db
      .insertInto('notification_channels')
      .values({ kind: 'EMAIL', name: 'email', source: 'ENVIRONMENT', created_by: 'test' })
      .execute();
    await page.goto(product.url);
    await page.locator('.account > summary').click();
    await page.getByRole('link', { name: 'Account' }).click();
    await page.getByText('You get no mails.').waitFor();
    await page.getByLabel('Severity').selectOption('RED');
    await page.getByLabel('Customers').selectOption('noord');
    await page.getByRole('button', { name: 'Subscribe' }).click();
    await page.getByText(`RED of customer noord → ${ana} by e-mail, at once`).waitFor();
    await page.getByRole('button', { name: 'End these mails' }).click();
    await page.getByText('You get no mails.').waitFor();
  });

  test.each([
    '/',
    '/plants/goodwe-half',
    '/alerts',
    '/alerts?tab=resolved',
    '/system',
    '/admin/notifications',
    '/account',
    '/unsubscribe?token=none',
    '/password',
    '/nowhere',
  ])(
    'axe finds nothing on %s, and nothing is wider than the window, in either theme, at each width',
    async (path) => {
      await page.goto(product.url + path);
      expect(await findFlaws(page)).toEqual([]);
    },
  );

  test('a customer sees own plants only, no System, and no button that would be refused', async () => {
    const other = await browser.newContext();
    const theirs = await other.newPage();
    await signIn(theirs, 'carla@example.org', passwordOf('carla@example.org'));
    await theirs.locator('table.fleet').waitFor();
    const names = await theirs.locator('.c-name a').allInnerTexts();
    expect(names).toContain('Wharf Store');
    expect(names).not.toContain('Silent logger');
    expect(await theirs.getByRole('link', { name: 'System' }).count()).toBe(0);
    expect((await theirs.goto(`${product.url}/system`))?.status()).toBe(403);
    expect((await theirs.goto(`${product.url}/plants/solis-silent`))?.status()).toBe(404);
    await theirs.goto(`${product.url}/plants/goodwe-wharf`);
    expect(await theirs.getByRole('button', { name: /Poll now|Pause|Silence/ }).count()).toBe(0);
    await other.close();
  });

  test('with the worker stopped nothing stays green: plants are hatched, counted apart, and a banner says so', async () => {
    process.kill(product.workerPid, 'SIGSTOP');
    try {
      await product.db
        .updateTable('plants')
        .set({
          last_polled_at: new Date(Date.now() - 3_600_000),
          activated_at: new Date(Date.now() - 7_200_000),
        })
        .where('integration_status', '=', 'ACTIVE')
        .execute();
      await page.goto(product.url);
      await page.getByText('Monitoring has stopped').waitFor({ timeout: 15_000 });
      const row = page.locator('#p-solis-canal');
      expect(await row.getAttribute('class')).toBe('stale');
      expect(await row.innerText()).toMatch(/not polled since/);
      expect(await page.locator('#count-GREEN').innerText()).toMatch(/^0/);
      expect(
        Number(/\d+/.exec(await page.locator('#count-STALE').innerText())?.[0]),
      ).toBeGreaterThan(5);
      await page.goto(`${product.url}/plants/solis-canal`);
      await page.locator('.standing.stale').waitFor();
    } finally {
      process.kill(product.workerPid, 'SIGCONT');
    }
  });

  test('nothing was blocked by the content security policy, and no script failed', () => {
    expect(complaints).toEqual([]);
  });
});
