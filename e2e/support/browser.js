// Browsers, and the people who sit at them.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { findChromium } from './chromium.js';
import { onCleanUp } from './cleanup.js';

const HEADED = Boolean(process.env.E2E_HEADED);
const ACTION_LIMIT = 15_000; // milliseconds

/** Hosts under `.test` are this machine. No other name is looked up, so nothing leaves it. */
const HOSTS = 'MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1';

/**
 * Starts a browser. Its contexts share nothing: each is a person with a browser of their own.
 * @param {object} options
 * @param {string} [options.pin] the public key of the authority whose certificates it believes
 * @param {boolean} [options.blocksThirdPartyCookies] as Safari and private windows do
 * @param {boolean} [options.keepsPages] in the back/forward cache, which the driver turns off otherwise
 */
export async function openBrowser({
  pin,
  blocksThirdPartyCookies = false,
  keepsPages = false,
} = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-e2e-profile-'));
  onCleanUp(() => rm(folder, { recursive: true, maxRetries: 3 }));
  await mkdir(join(folder, 'Default'));
  const preferences = { profile: { cookie_controls_mode: blocksThirdPartyCookies ? 1 : 0 } };
  await writeFile(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  const first = await chromium.launchPersistentContext(folder, {
    ...launchOptions(pin),
    ignoreDefaultArgs: keepsPages ? ['--disable-back-forward-cache'] : [],
  });
  onCleanUp(() => first.close());
  return first.browser();
}

/** A person with a browser of their own. */
export async function openContext(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  context.setDefaultTimeout(ACTION_LIMIT);
  return context;
}

function launchOptions(pin) {
  return {
    executablePath: findChromium(),
    headless: !HEADED,
    slowMo: HEADED ? 250 : 0,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=${HOSTS}`,
      ...(pin ? [`--ignore-certificate-errors-spki-list=${pin}`] : []),
    ],
  };
}

/**
 * Listens to what the page complains of. A refusal that the test provokes makes the browser itself
 * say "Failed to load resource"; everything else is a fault of the page.
 * @returns {string[]} filled as the page goes on
 */
export function complaintsOf(page) {
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    const refusal = /^Failed to load resource: the server responded with a status of 4\d\d/;
    if (['error', 'warning'].includes(message.type()) && !refusal.test(message.text()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  return complaints;
}
