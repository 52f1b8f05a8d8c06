import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import { type Browser, chromium } from 'playwright-core';

/** A real Chromium: the one that CHROMIUM_PATH names, else one that is installed here. */

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** @throws where there is none, with what to install. */
export function findChromium(): string {
  const given = process.env['CHROMIUM_PATH'];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates =
    given === undefined
      ? [...folders, '/usr/bin'].flatMap((folder) => names.map((name) => join(folder, name)))
      : [given];
  const found = candidates.find(isExecutable);
  if (found === undefined)
    throw new Error(
      'no Chromium found: install one (Debian: `apt-get install chromium`) or name it by CHROMIUM_PATH',
    );
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Headless, with a fresh profile, and silent: it talks to our pages and to nobody else. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  });
}
