/** A real browser without a window: Debian's Chromium, driven by playwright-core. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { installPackages } from './debian-packages.js';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts it, installed first where it is missing. `TOOLSTASH_CHROMIUM` names another one. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env['TOOLSTASH_CHROMIUM'] ?? found() ?? installed();
  // Containers have neither the rights for its sandbox nor much shared memory.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

function found(): string | undefined {
  return places.find((place) => existsSync(place));
}

function installed(): string {
  const problem =
    installPackages(['chromium']) ?? (found() === undefined ? 'it is not where it should be' : '');
  const place = found();
  if (place !== undefined) return place;
  throw new Error(
    `Expected Chromium, got none: ${problem}. Install it (Debian: \`apt-get install chromium\`) or name one in TOOLSTASH_CHROMIUM.`,
  );
}
