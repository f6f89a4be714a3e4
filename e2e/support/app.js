// The app of `app/`, with the client as its source stands: what you read is what runs.

import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

import { openContext } from './browser.js';

const APP = new URL('../app/', import.meta.url);
const CLIENT = new URL('../../clients/js/src/', import.meta.url);
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };

/** As strict as the pages of our own. */
const policyFor = (connects) =>
  `default-src 'none'; script-src 'self'; connect-src 'self' ${connects}; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'`;

/** Serves it, for an API at this URL. It may connect to these origins, too. */
export function appFor(api, connects = []) {
  return async (request, response) => {
    const { pathname } = new URL(request.url, 'https://any');
    response.setHeader('content-security-policy', policyFor([api, ...connects].join(' ')));
    if (pathname === '/config.json') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ api }));
      return;
    }
    const [, inClient] = /^\/client\/([\w.]+)$/.exec(pathname) ?? [];
    const [, inApp = 'index.html'] = /^\/([\w.]+)?$/.exec(pathname) ?? [];
    const file = inClient ? new URL(inClient, CLIENT) : new URL(inApp, APP);
    response.setHeader('content-type', TYPES[extname(file.pathname)] ?? 'text/plain');
    response.end(await readFile(file).catch(() => ''));
  };
}

/** Opens a tab with the app in it, as soon as it has its client. */
export async function openApp(context, site) {
  const page = await context.newPage();
  await page.goto(site.app);
  await hasClient(page);
  return page;
}

export async function hasClient(page) {
  await page.waitForFunction(() => globalThis.client);
}

/** Somebody who is signed in, with one tab open. */
export async function openSignedIn(browser, site, { username, password }) {
  const context = await openContext(browser);
  const page = await openApp(context, site);
  await page.evaluate((credentials) => globalThis.client.login(credentials), {
    username,
    password,
  });
  return page;
}
