// A single-page app and its API on two origins, as in production: TLS ends in front of them.

import { setTimeout as pause } from 'node:timers/promises';

import { appFor } from './app.js';
import { ada, serve } from './program.js';
import { proxy } from './web.js';

/**
 * Opens both.
 * @param {Web} web
 * @param {object} options
 * @param {{ page: string, api: string }} [options.demo] a running demo: the app is its page. Without
 *   one it is the bare app of `app/`.
 * @param {string[]} [options.connects] origins that the bare app's policy lets it connect to
 * @param {string} options.app the app's host
 * @param {string} options.api the API's host
 * @param {object} [options.settings] of the server, beside its URL and the app's origin
 * @param {object[]} [options.users]
 * @returns {Promise<Site>}
 */
export async function openSite(web, { demo, connects, app, api, settings = {}, users = [ada] }) {
  const places = { app: await web.place(app), api: await web.place(api) };
  const site = new Site(places.app.origin, places.api.origin);
  const server = await serve({
    settings: { public_url: site.api, allowed_origins: site.app, ...settings },
    users,
  });
  site.behind = server.url;
  const page = demo && proxy(demo.page, { edit: (text) => text.replaceAll(demo.api, site.api) });
  places.app.serve(page ?? appFor(site.api, connects));
  places.api.serve(
    proxy(server.url, {
      rewrite: (request) => site.flavour.rewrite?.(request),
      mark: (answer, request) => site.flavour.mark?.(answer, request),
      onExchange: (exchange) => site.exchanges.push(exchange),
    }),
  );
  return site;
}

class Site {
  /** Every request that reached the API, and its status. */
  exchanges = [];
  /** What the proxy does to requests and answers: how a test turns a defence off. */
  flavour = {};
  /** The API without the proxy, for what a test looks up itself. */
  behind = null;

  constructor(app, api) {
    this.app = app;
    this.api = api;
  }

  /** Waits until such a request has reached the API, after so many others. */
  async reached(method, url, after) {
    const isIt = ({ request }) => request.method === method && request.url === url;
    while (!this.exchanges.slice(after).some(isIt)) await pause(20);
  }

  /** What reached the API meanwhile, one line each: `POST /accounts/login 200`. */
  async during(action) {
    const before = this.exchanges.length;
    await action();
    return this.exchanges
      .slice(before)
      .map(({ request, status }) => `${request.method} ${request.url} ${status}`)
      .filter((line) => !line.includes('/favicon.ico'));
  }
}
