// The client: what a page calls, put together from its parts.

import { byBody, byCookie } from './delivery.js';
import { abortable, createFetch } from './fetch.js';
import { ignore, thisPlatform } from './platform.js';
import { createSession } from './session.js';
import { createExchange } from './wire.js';

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
  const { origin, pathname } = new URL(baseUrl, platform.location?.href);
  const base = `${origin}${pathname.replace(/\/+$/, '')}/accounts/`;

  const name = `countersign ${base}`; // what the tabs share
  const delivery = storage ? byBody(storage) : byCookie(platform, csrfCookieName, name);
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
   * What changes the cookies: one at a time over all tabs.
   *
   * @param {string} path
   * @param {unknown} body
   * @param {Abortable} [options]
   */
  const change = (path, body, { signal } = {}) =>
    exchange('POST', path, {
      body,
      signal,
      send: (input, init) => fetch(input, init, session.exclusive),
    });

  /** @type {Client<any>} */
  const client = {
    get user() {
      return memory.user();
    },

    restore: (options) => abortable(session.restore(), options?.signal),

    login(credentials, { signal } = {}) {
      const body = { ...credentials, ...delivery.wish };
      const send = () => exchange('POST', 'login', { body, signal });
      return abortable(
        session.exclusive(() => session.begin(send)),
        signal,
      );
    },

    async logout(options) {
      try {
        const tokens = await abortable(session.current(), options?.signal);
        if (!tokens) return;
        const proof = await delivery.prove(exchange, tokens.csrfToken).catch(ignore);
        await change('logout', proof?.body, options);
        await session.finish();
      } catch (error) {
        // That the session was over before is just as well.
        if (memory.user() !== null || memory.isStopped()) throw error;
      }
    },

    profile: async (options) => memory.update((await call('GET', 'profile', options)).user),

    updateProfile: async (changes, options) =>
      memory.update((await call('PATCH', 'profile', options, changes)).user),

    changePassword({ oldPassword, newPassword }, options) {
      const body = { old_password: oldPassword, new_password: newPassword };
      return session.begin(() => change('password', body, options));
    },

    sessions: async (options) => (await call('GET', 'sessions', options)).sessions,

    endSession: (id, options) => call('DELETE', `sessions/${encodeURIComponent(id)}`, options),

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
