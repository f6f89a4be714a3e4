// A single-page app and its API on hosts of their own, as in production: TLS ends in front of them.

import { serve } from './program.js';
import { proxy } from './web.js';

/**
 * Opens both. The app is a running demo's page, told that its API is there.
 * @param {Web} web
 * @param {object} options
 * @param {{ page: string, api: string }} options.demo
 * @param {string} options.app the app's host
 * @param {string} options.api the API's host
 * @param {object} [options.settings] of the server, beside its URL and the app's origin
 * @param {object[]} [options.users]
 * @returns {Promise<Site>}
 */
export async function openSite(web, { demo, app, api, settings = {}, users }) {
  const site = new Site(web.origin(app), web.origin(api));
  const server = await serve({
    settings: { public_url: site.api, allowed_origins: site.app, ...settings },
    users,
  });
  site.behind = server.url;
  web.on(
    api,
    proxy(server.url, {
      rewrite: (request) => site.flavour?.(request),
      onExchange: (exchange) => site.exchanges.push(exchange),
    }),
  );
  web.on(app, proxy(demo.page, { edit: (text) => text.replaceAll(demo.api, site.api) }));
  return site;
}

class Site {
  /** Every request that reached the API, and its answer. */
  exchanges = [];
  /** Changes requests on their way to the API: a test that turns a defence off. */
  flavour = null;
  /** The API without the proxy, for what a test looks up itself. */
  behind = null;

  constructor(app, api) {
    this.app = app;
    this.api = api;
  }

  /** What reached the API meanwhile, one line each: `POST /accounts/login 200`. */
  async during(action) {
    const before = this.exchanges.length;
    await action();
    return this.exchanges
      .slice(before)
      .map(({ request, status }) => `${request.method} ${request.url} ${status}`);
  }
}
