// One request to the API and its answer, with everything in it checked that the client relies on.

import { CountersignError, refusal, unexpected } from './error.js';

/** @import { Platform, User } from './types.js' */

/**
 * @typedef {(input: string, init: RequestInit) => Promise<Response>} Send
 * @typedef {{ body?: unknown, headers?: Record<string, string> | undefined, signal?: AbortSignal | undefined,
 *   send?: Send, timeout?: number }} Extras
 * @typedef {(method: string, path: string, extras?: Extras) => Promise<any>} Exchange
 * @typedef {{ accessToken: string, refreshToken: string | undefined, csrfToken: string | undefined,
 *   lifetime: number, user: User }} Grant
 */

/**
 * @param {Platform} platform
 * @param {string} baseUrl
 * @param {RequestCredentials} credentials
 * @returns {Exchange} resolves to the answer's JSON; rejects with a CountersignError, or with the
 *   caller's own reason to abort
 */
export function createExchange(platform, baseUrl, credentials) {
  return async (method, path, extras = {}) => {
    const { body, headers, signal, send = platform.fetch, timeout = 30_000 } = extras;
    const controller = new AbortController();
    const abort = () => controller.abort(signal?.reason);
    const timer = platform.setTimeout(() => controller.abort(), timeout);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    try {
      const response = await send(baseUrl + path, {
        method,
        headers: body ? { ...headers, 'Content-Type': 'application/json' } : { ...headers },
        body: JSON.stringify(body) ?? null,
        credentials,
        cache: 'no-store',
        redirect: 'error',
        signal: controller.signal,
      });
      if (!response.ok) throw await refusal(response);
      return response.status === 204 ? undefined : await response.json();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof CountersignError) throw error;
      // Its message quotes the text, which may hold a token.
      if (error instanceof SyntaxError) throw unexpected();
      const code = controller.signal.aborted ? 'timeout' : 'unreachable';
      throw new CountersignError(code, `No answer from ${baseUrl}.`, { cause: error });
    } finally {
      platform.clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  };
}

/**
 * Reads what a login, a refresh and a change of the password are answered with.
 *
 * @param {any} answer
 * @returns {Grant}
 */
export function readGrant(answer) {
  const {
    access_token: accessToken,
    refresh_token: refreshToken,
    csrf_token: csrfToken,
    expires_in: seconds,
    user,
  } = answer ?? {};
  if (!isToken(accessToken) || !(seconds > 0) || !user?.id) throw unexpected();
  if (csrfToken != null && !isToken(csrfToken)) throw unexpected();
  return { accessToken, refreshToken, csrfToken, lifetime: seconds * 1000, user };
}

/**
 * Whether that may stand in a header: what may not would show up in the error that fetch throws. It takes
 * no regular expression, since `RegExp.$_` would keep the token for every script to see.
 *
 * @param {unknown} value
 * @returns {value is string}
 */
export function isToken(value) {
  return typeof value === 'string' && value !== '' && [...value].every((c) => c > ' ' && c <= '~');
}
