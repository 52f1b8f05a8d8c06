import axeCore from 'axe-core';
import type { Page } from 'playwright-core';

/** What is wrong with how a page shows, in either theme and at each width. */

/** A phone, another one, and a desk. */
const widths = [360, 390, 1600] as const;

/** What axe finds on the open page, and how much of it is wider than the window. Leaves the light theme at a desk. */
export async function findFlaws(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      await page.setViewportSize({ width, height: 1000 });
      for (const violation of await axe(page)) found.push(`${width} ${colorScheme}: ${violation}`);
      const overflow = await page.evaluate<number>(
        'document.documentElement.scrollWidth - window.innerWidth',
      );
      if (overflow <= 0) continue;
      const widest = await page.evaluate<string>(furthestRight);
      found.push(`${width}: ${overflow} px wider than the window: ${widest.slice(0, 120)}`);
    }
  }
  return found;
}

/** The innermost element that reaches furthest to the right of the page. */
const furthestRight = `[...document.body.querySelectorAll('*')]
  .filter((one) => one.closest('.wide, .sr') === null || one.matches('.wide'))
  .map((one) => [one.getBoundingClientRect().right, one])
  .reduce((most, one) => (one[0] >= most[0] ? one : most))[1].outerHTML`;

async function axe(page: Page): Promise<string[]> {
  await page.evaluate(axeCore.source);
  const { violations } = await page.evaluate<AxeResult>('axe.run()');
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 120) ?? ''}`);
}

interface AxeResult {
  violations: { id: string; nodes: { html: string }[] }[];
}
