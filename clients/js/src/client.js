// The client: what a page calls, put together from its parts.

import { byCookie } from './delivery.js';
import { abortable, createFetch } from './fetch.js';
import { ignore, thisPlatform } from './platform.js';
import { createSession } from './session.js';
import { createExchange } from './wire.js';

/** @import { Turn } from './fetch.js' */
/** @import { Abortable, Client, ClientOptions } from './types.js' */

/**
 * Makes the client. One is enough for a page; it sends nothing until it is used.
 *
 * @template [Fields=unknown] the custom fields of your users
 * @param {ClientOptions} options
 * @returns {Client<Fields>}
 */
export function createClient(options) {
  const { baseUrl, apiOrigins = [], csrfCookieName = 'csrftoken', storage } = options;
  const platform = { ...thisPlatform(), ...options.platform };
  // A module that makes a client may be loaded on a server, too, where there is no page.
  const page = platform.location?.href ?? 'https://no-page.invalid';
  const { origin, pathname } = new URL(baseUrl, page);
  const base = `${origin}${pathname.replace(/\/+$/, '')}/accounts/`;

  const name = `countersign ${base}`; // what the tabs share
  const delivery = storage ? storage(base) : byCookie(platform, csrfCookieName, name);
  const exchange = createExchange(platform, base, delivery.credentials);
  const session = createSession(platform, name, delivery, exchange);
  const { memory } = session;
  const fetch = createFetch(platform, session, [origin, ...apiOrigins.map(asOrigin)]);

  /**
   * @param {string} method
   * @param {string} path
   * @param {Abortable} [options]
   * @param {object} [body]
   */
  const call = (method, path, { signal } = {}, body) =>
    exchange(method, path, { body, signal, send: fetch });

  /**
   * What changes the cookies: one at a time over all tabs, until the answer is settled.
   *
   * @param {string} path
   * @param {unknown} body
   * @param {Abortable | undefined} options
   * @param {(since: number[], response: Response) => Promise<unknown>} settle
   */
  const change = (path, body, { signal } = {}, settle) => {
    /** @type {Turn} */
    const turn = (work) =>
      session.exclusive(async () => {
        const since = platform.clocks();
        const response = await work();
        if (response.ok) await settle(since, response.clone());
        return response;
      });
    return exchange('POST', path, { body, signal, send: (...request) => fetch(...request, turn) });
  };

  /** @type {Client<any>} */
  const client = {
    get user() {
      return memory.user();
    },

    restore: (options) => abortable(session.restore, options?.signal),

    login(credentials, { signal } = {}) {
      const body = { ...credentials, ...delivery.wish };
      const work = async () =>
        session.begin(platform.clocks(), await exchange('POST', 'login', { body, signal }));
      return abortable(() => session.exclusive(work), signal);
    },

    async logout(options) {
      try {
        const tokens = await abortable(session.current, options?.signal);
        if (!tokens) return;
        const proof = await delivery.prove(exchange, tokens.csrfToken).catch(ignore);
        await change('logout', proof?.body, options, session.finish);
      } catch (error) {
        // That the session was over before is just as well.
        if (memory.user() !== null || memory.isStopped()) throw error;
      }
    },

    profile: async (options) => memory.update((await call('GET', 'profile', options)).user),

    updateProfile: async (changes, options) =>
      memory.update((await call('PATCH', 'profile', options, changes)).user),

    async changePassword({ oldPassword, newPassword }, options) {
      const body = { old_password: oldPassword, new_password: newPassword };
      await change('password', body, options, async (since, response) =>
        session.begin(since, await response.json()),
      );
      return memory.user();
    },

    sessions: async (options) => (await call('GET', 'sessions', options)).sessions,

    async endSession(id, options) {
      // As part of a path these mean something else: the end of all others.
      if (/^\.*$/.test(id)) throw new TypeError('That is no id.');
      return call('DELETE', `sessions/${encodeURIComponent(id)}`, options);
    },

    endOtherSessions: (options) => call('DELETE', 'sessions', options),

    fetch: (input, init) => fetch(input, init),

    onChange: memory.onChange,
  };
  return Object.freeze(client);
}

/** @param {string} text */
function asOrigin(text) {
  const { origin, href } = new URL(text);
  if (href !== `${origin}/` || text.includes('*')) {
    throw new TypeError(`apiOrigins takes origins, not ${text}`);
  }
  return origin;
}
