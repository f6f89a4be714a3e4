// The platform's `fetch`, signed in.

import { CountersignError, problemOf } from './error.js';
import { ignore } from './platform.js';

/** @import { Tokens } from './memory.js' */
/** @import { SessionKeeper } from './session.js' */
/** @import { Platform } from './types.js' */

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Browsers hide a redirect's status. */
const REDIRECTS = [0, 301, 302, 303, 307, 308];

/** 401s that no other access token cures. */
const NOT_THE_TOKEN = ['not_authenticated', 'token_prefix_missing', 'invalid_credentials'];

/**
 * @param {Platform} platform
 * @param {SessionKeeper} session
 * @param {string[]} origins those that may have the token
 * @returns {(input: RequestInfo | URL, init?: RequestInit, turn?: SessionKeeper['exclusive']) =>
 *   Promise<Response>} what changes the cookies waits for its `turn`
 */
export function createFetch(platform, session, origins) {
  const { memory } = session;

  return async (input, init, turn = (work) => work(false)) => {
    init ??= {};
    const given = input instanceof Request ? input : new Request(input);
    const { origin } = new URL(given.url);
    const isAuthorized = new Headers(init.headers ?? given.headers).has('Authorization');
    if (!origins.includes(origin) || isAuthorized) return platform.fetch(input, init);

    const signal = init.signal ?? given.signal;
    const tokens = await abortable(session.current(), signal);
    if (!tokens) return platform.fetch(input, init);

    // A stream can be read once. Whatever else there is makes a new request at each try.
    const isRepeatable = !isStream(init.body);
    const bounds = boundsOf(init.redirect ?? given.redirect, origin);
    const send = async (/** @type {Tokens} */ { accessToken, csrfToken }) => {
      const request = new Request(isRepeatable ? given.clone() : given, { ...init, ...bounds });
      request.headers.set('Authorization', `Bearer ${accessToken}`);
      if (csrfToken && !SAFE_METHODS.includes(request.method)) {
        request.headers.set('X-CSRFTOKEN', csrfToken);
      }
      const response = await turn(() => platform.fetch(request));
      if (bounds.redirect && REDIRECTS.includes(response.status)) {
        throw new CountersignError('redirected', 'A redirect was refused: the token stays here.');
      }
      return response;
    };

    const userId = memory.user()?.id;
    const response = await send(tokens);
    if (!(await isRefused(response))) return response;

    // There may be newer ones already. They may be old by now, too.
    if (memory.tokens() === tokens || memory.isAging()) {
      await abortable(session.refresh().catch(ignore), signal);
    }
    if (memory.isStopped()) throw memory.reason();
    const renewed = memory.tokens();
    const isSameUser = memory.user()?.id === userId;
    if (!renewed || renewed === tokens || !isSameUser || !isRepeatable) return response;
    response.body?.cancel().catch(ignore);
    return send(renewed);
  };

  /**
   * How far a request with tokens may go. Browsers of today take `Authorization` off when a redirect leads
   * to another origin; older ones don't, and none takes off the CSRF header. So a redirect is followed only
   * where the browser can be told to stay on the page's own origin.
   *
   * @param {RequestRedirect} redirect what the caller wants
   * @param {string} origin
   * @returns {{ mode?: 'same-origin', redirect?: 'manual' }}
   */
  function boundsOf(redirect, origin) {
    if (redirect !== 'follow') return {};
    return origin === platform.location?.origin ? { mode: 'same-origin' } : { redirect: 'manual' };
  }
}

/**
 * Gives up waiting when the caller does. What was begun goes on, for others may wait for it too.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | null | undefined} signal
 * @returns {Promise<T>}
 */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
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
