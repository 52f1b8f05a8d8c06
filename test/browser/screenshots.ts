import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import type { Browser, Page } from 'playwright-core';

import { launchChromium } from './chromium.ts';

/**
 * Pictures of the pages of a running stack: `npm run screenshots -- SIGN_IN_LINK [--out docs/screenshots] [--dark]`, with
 * the one-time link that `npm start` prints.
 */

const widths = { desk: { width: 1600, height: 1000 }, phone: { width: 390, height: 844 } } as const;
const pages = {
  fleet: '/',
  alerts: '/alerts',
  system: '/system',
  notifications: '/admin/notifications',
} as const;

async function takeAll(
  browser: Browser,
  link: string,
  out: string,
  schemes: readonly ('light' | 'dark')[],
): Promise<void> {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(link);
  const button = page.getByRole('button', { name: 'Sign in', exact: true });
  if (await button.isVisible()) await button.click();
  await page.waitForSelector('table.fleet');
  const plant = await page.locator('.c-name a').first().getAttribute('href');
  const addresses = { ...pages, plant: plant ?? '/' };
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries(widths)) {
      await page.setViewportSize(viewport);
      for (const [name, path] of Object.entries(addresses))
        await take(
          page,
          new URL(path, link).href,
          join(out, `${name}-${size}${colorScheme === 'dark' ? '-dark' : ''}.png`),
        );
    }
  }
  await context.close();
}

async function take(page: Page, url: string, path: string): Promise<void> {
  await page.goto(url);
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path });
  process.stdout.write(`${path}\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'docs/screenshots' },
    dark: { type: 'boolean', default: false },
  },
});
const [link] = positionals;
if (link === undefined) throw new Error('give the sign-in link that `npm start` printed');
mkdirSync(values.out, { recursive: true });
const browser = await launchChromium();
try {
  await takeAll(browser, link, values.out, values.dark ? ['light', 'dark'] : ['light']);
} finally {
  await browser.close();
}
