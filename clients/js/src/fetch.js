// The platform's `fetch`, signed in.

import { CountersignError, problemOf } from './error.js';
import { elapsed, ignore } from './platform.js';

/** @import { Tokens } from './memory.js' */
/** @import { SessionKeeper } from './session.js' */
/** @import { Platform } from './types.js' */

/**
 * @typedef {(work: () => Promise<Response>) => Promise<Response>} Turn what changes the cookies waits for it
 */

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Browsers hide a redirect's status. */
const REDIRECTS = [0, 301, 302, 303, 307, 308];

/** 401s that no other access token cures. */
const NOT_THE_TOKEN = ['not_authenticated', 'token_prefix_missing', 'invalid_credentials'];

const RESPITE = 5_000; // milliseconds in which a new token isn't tried again where one was no help

/**
 * @param {Platform} platform
 * @param {SessionKeeper} session
 * @param {string[]} origins those that may have the token
 * @returns {(input: RequestInfo | URL, init?: RequestInit, turn?: Turn) => Promise<Response>}
 */
export function createFetch(platform, session, origins) {
  const { memory } = session;
  let futile = [-Infinity]; // when even a new token was refused

  return async (input, init, turn = (work) => work()) => {
    const { url } = input instanceof Request ? input : new Request(input);
    const { origin } = new URL(url);
    if (!origins.includes(origin)) return platform.fetch(input, init);

    // Read once, for what iterates can't be read again.
    const given = new Request(input, init);
    if (given.headers.has('Authorization')) return platform.fetch(given);

    const { signal } = given;
    const tokens = await abortable(session.current, signal);
    if (!tokens) return platform.fetch(given);

    // The copy of a stream would be kept in memory until the answer comes.
    const isRepeatable = !isStream(init?.body);
    const bounds = boundsOf(given.redirect, origin === platform.location?.origin);
    const send = async (/** @type {Tokens} */ { accessToken, csrfToken }) => {
      const request = new Request(isRepeatable ? given.clone() : given, bounds);
      request.headers.set('Authorization', `Bearer ${accessToken}`);
      if (csrfToken && !SAFE_METHODS.includes(request.method)) {
        request.headers.set('X-CSRFTOKEN', csrfToken);
      }
      const response = await abortable(() => turn(() => platform.fetch(request)), signal);
      if (bounds.redirect && REDIRECTS.includes(response.status)) {
        throw new CountersignError('redirected', 'A redirect was refused.');
      }
      return response;
    };

    const userId = memory.user()?.id;
    const response = await send(tokens);
    if (!(await isRefused(response))) return response;

    // There may be newer ones already. They may be old by now, too.
    const isNewest = memory.tokens() === tokens && elapsed(platform, futile) >= RESPITE;
    if (isNewest || memory.isAging()) {
      await abortable(() => session.refresh().catch(ignore), signal);
    }
    if (memory.isStopped()) throw memory.reason();
    const renewed = memory.tokens();
    const isSameUser = memory.user()?.id === userId;
    if (!renewed || renewed === tokens || !isSameUser || !isRepeatable) return response;
    response.body?.cancel().catch(ignore);
    const second = await send(renewed);
    if (await isRefused(second)) futile = platform.clocks();
    return second;
  };
}

/**
 * How far a request with tokens may go. Browsers of today take `Authorization` off when a redirect leads
 * to another origin; older ones don't, and none takes off the CSRF header. So a redirect is followed only
 * where the browser can be told to stay on the page's own origin.
 *
 * @param {RequestRedirect} redirect what the caller wants
 * @param {boolean} isOwn the page's own origin
 * @returns {{ mode?: 'same-origin', redirect?: 'manual' }}
 */
function boundsOf(redirect, isOwn) {
  if (redirect !== 'follow') return {};
  return isOwn ? { mode: 'same-origin' } : { redirect: 'manual' };
}

/**
 * Gives up waiting when the caller does. What was begun goes on, for others may wait for it too.
 *
 * @template T
 * @param {() => Promise<T>} start
 * @param {AbortSignal | null | undefined} signal
 * @returns {Promise<T>}
 */
export function abortable(start, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    start()
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener('abort', abort));
  });
}

/**
 * Whether newer tokens may help.
 *
 * @param {Response} response
 */
async function isRefused(response) {
  const code = (await problemOf(response))?.code ?? '';
  return response.status === 401 ? !NOT_THE_TOKEN.includes(code) : code === 'csrf_failed';
}

/** @param {any} body */
function isStream(body) {
  return body?.getReader || body?.[Symbol.asyncIterator];
}
