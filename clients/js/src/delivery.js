// The two ways in which the refresh token is kept: by the browser, in a cookie that script can't read,
// or by an app of its own, in the system's secure storage.

import { nobody, unexpected } from './error.js';
import { isToken } from './wire.js';

/** @import { Exchange, Grant } from './wire.js' */
/** @import { Notes, Platform, SecureStorage } from './types.js' */

/**
 * @typedef {{ headers?: Record<string, string>, body?: unknown }} Proof
 * @typedef {object} Delivery
 * @property {RequestCredentials} credentials whether the browser's cookies go along
 * @property {object} wish what a login says beside the user name and the password
 * @property {(exchange: Exchange, csrfToken?: string) => Promise<Proof>} prove that a session is ours
 * @property {(grant?: Grant) => unknown} keep what the next proof needs; or nothing any more
 * @property {SecureStorage | Notes | undefined} notes what outlives the page
 * @property {string} keyName of the note of a refresh under way
 */

/**
 * @param {Platform} platform
 * @param {string} cookieName
 * @param {string} keyName
 * @returns {Delivery}
 */
export function byCookie(platform, cookieName, keyName) {
  return {
    credentials: 'include',
    wish: {},
    /**
     * The token in memory counts before the cookie, which a neighbour may have planted. Without either
     * the server is asked: the page may be on another domain, where it can't read the API's cookies.
     */
    async prove(exchange, csrfToken = csrfCookie(platform.cookies(), cookieName)) {
      const token = csrfToken || (await exchange('GET', 'csrf')).csrf_token;
      if (!isToken(token)) throw unexpected();
      return { headers: { 'X-CSRFTOKEN': token } };
    },
    keep() {},
    notes: platform.notes,
    keyName: `${keyName} key`,
  };
}

/**
 * The CSRF cookie's value, with whatever prefix. Where two say different things it isn't for us to choose:
 * the server knows.
 *
 * @param {string} cookies
 * @param {string} name
 */
function csrfCookie(cookies, name) {
  const values = new Set();
  for (const cookie of cookies.split('; ')) {
    const [key = '', value] = cookie.split('=');
    if (key.replace(/^__(Host|Secure)-/, '') === name) values.add(value);
  }
  const [value] = values;
  return values.size === 1 && isToken(value) ? value : '';
}

/**
 * For the option `storage`: the refresh token comes in the body, and is kept by `storage`.
 *
 * @param {SecureStorage} storage over the system's keychain
 * @returns {(base: string) => Delivery} for the API whose URLs begin so; its token is for no other
 */
export function keychain(storage) {
  if (typeof storage.get !== 'function' || 'getItem' in storage) {
    throw new TypeError('keychain takes { get, set, remove }, and not localStorage.');
  }
  return (base) => {
    // Keychains take letters, digits, dots, hyphens and underscores.
    const api = base.replace(/[^a-z\d.-]/gi, (c) => `_${c.charCodeAt(0).toString(16)}`);
    const tokenName = `countersign.refresh_token.${api}`;
    return {
      credentials: 'omit',
      wish: { token_delivery: 'body' },
      /** Read anew each time: another window may have renewed it. */
      async prove() {
        const token = await storage.get(tokenName);
        if (!token) throw nobody();
        return { body: { refresh_token: token } };
      },
      keep: (grant) =>
        grant?.refreshToken
          ? storage.set(tokenName, grant.refreshToken)
          : storage.remove(tokenName),
      notes: storage,
      keyName: `countersign.idempotency_key.${api}`,
    };
  };
}
