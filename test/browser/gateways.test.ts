import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { findGateway } from '../../db/gateways/gateways.ts';
import { allPlants } from '../../db/scope.ts';
import { launchChromium } from './chromium.ts';
import { findFlaws } from './flaws.ts';
import { passwordOf, type RunningProduct, startProduct } from './stack.ts';

const ana = 'ana@example.org';
const olga = 'olga@example.org';
/** A gateway of the demo. */
const inverter = 'canal-inverter';

let product: RunningProduct;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What the browser complained of: a blocked script or style, an exception. */
const complaints: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  product = await startProduct();
  await product.user(ana, 'ADMIN');
  await product.user(olga, 'OPERATOR');
  context = await browser.newContext({ viewport: { width: 1600, height: 1000 } });
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) complaints.push(message.text());
  });
  await signIn(page, ana);
});

afterAll(async () => {
  await browser?.close();
  await product?.stop();
});

async function signIn(on: Page, email: string): Promise<void> {
  await on.goto(`${product.url}/`);
  await on.getByLabel('E-mail').fill(email);
  await on.getByLabel('Password').fill(passwordOf(email));
  await on.getByRole('button', { name: 'Sign in' }).click();
  await on.locator('table.fleet').waitFor();
}

/** The demo's inverter, once it was read. */
async function inverterRead() {
  await expect
    .poll(async () => (await findGateway(product.db, allPlants, inverter))?.last_seen_at ?? null, {
      timeout: 60_000,
    })
    .not.toBeNull();
  const row = await findGateway(product.db, allPlants, inverter);
  if (row === undefined) throw new Error(`the demo has no ${inverter}`);
  return row;
}

describe('the pages about gateways in a real browser', () => {
  test('an address is tested: decoded values stand beside the raw registers, and the form keeps what was typed', async () => {
    const { host, port } = await inverterRead();
    await page.goto(`${product.url}/gateways`);
    await page.getByRole('link', { name: 'Test an address' }).click();
    await page.getByLabel('Host').fill(host);
    await page.getByLabel('Port').fill(String(port));
    await page.locator('#preset').selectOption('sunspec-inverter');
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    const answer = page.locator('#gateway-answer');
    await expect
      .poll(() => answer.innerText(), { timeout: 60_000 })
      .toContain(`Test of ${host}:${port} unit 1: `);
    const power = answer.locator('tr', { hasText: 'ac_power_w' });
    expect(await power.innerText()).toMatch(/ W\s+GOOD\s+[\da-f]{4}/);
    expect(await page.getByLabel('Host').inputValue()).toBe(host);
    expect(await findFlaws(page)).toEqual([]);
    await page.getByLabel('What to do').selectOption('true');
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await expect.poll(() => answer.innerText(), { timeout: 60_000 }).toContain('Presets that fit');
    expect(await answer.innerText()).toContain('sunspec-inverter');
    expect(await findFlaws(page)).toEqual([]);
  });

  test('an address that nobody may dial is refused in words where the answer would stand', async () => {
    await page.goto(`${product.url}/gateways/test`);
    await page.getByLabel('Host').fill('169.254.169.254');
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.locator('#gateway-answer', { hasText: '169.254.169.254' }).waitFor();
  });

  test('a gateway is polled and tested from its page, and the answer stays when the page renews itself', async () => {
    await inverterRead();
    await page.goto(`${product.url}/gateways/${inverter}`);
    const answer = page.locator('#gateway-answer');
    await page.getByRole('button', { name: 'Poll now' }).click();
    await expect.poll(() => answer.innerText(), { timeout: 30_000 }).toMatch(/Poll now: ok/);
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await expect.poll(() => answer.innerText(), { timeout: 60_000 }).toMatch(/unit 1: ok/);
    await page.waitForResponse((response) => response.request().headers()['x-renewal'] === '1');
    await page.waitForTimeout(300);
    expect(await answer.innerText()).toMatch(/unit 1: ok/);
    expect(await findFlaws(page)).toEqual([]);
  });

  test.each([
    '/gateways',
    '/gateways?status=ONLINE&q=inverter',
    `/gateways/${inverter}`,
    `/gateways/${inverter}/readings`,
    '/gateways/new',
    '/gateways/test',
  ])('axe finds nothing on %s, and nothing is wider than the window', async (path) => {
    await inverterRead();
    await page.goto(product.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(await findFlaws(page)).toEqual([]);
  });

  test('an operator is shown no form that would be refused', async () => {
    const other = await browser.newContext();
    const theirs = await other.newPage();
    await signIn(theirs, olga);
    await theirs.goto(`${product.url}/gateways`);
    expect(await theirs.getByRole('link', { name: /Test an address|\+ Gateway/ }).count()).toBe(0);
    for (const path of ['new', 'test'])
      expect((await theirs.goto(`${product.url}/gateways/${path}`))?.status()).toBe(403);
    await theirs.goto(`${product.url}/gateways/${inverter}`);
    expect(await theirs.getByRole('button', { name: 'Test', exact: true }).count()).toBe(1);
    await other.close();
  });

  test('nothing was blocked by the content security policy, and no script failed', () => {
    expect(complaints).toEqual([]);
  });
});
