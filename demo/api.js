// The client: the only module that talks to the API, and the only place where tokens live.
//
// They are variables in a closure. No other script can reach them, no storage holds them, and
// a reload forgets them. What brings the session back is the refresh cookie, which script can't
// read, and `GET /accounts/csrf`.

import { randomKey } from './tokens.js';

const UNSAFE = ['POST', 'PATCH', 'DELETE'];
const TIMEOUT = 20_000; // milliseconds
const RETRY_AFTER = 15_000; // milliseconds until a refresh that found no answer is tried again
const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; browsers fire a longer timer at once

/** No answer came: the network, or the server, is down, or the server refuses this origin. */
export class Unreachable extends Error {}

/**
 * @param {object} options
 * @param {string} options.api the API's origin
 * @param {(exchange: object) => void} options.onExchange told of every request and its answer
 * @param {(reason?: string) => void} options.onChange told when the tokens or the user changed;
 *   with a reason when the session ended by itself
 */
export function createClient({ api, onExchange, onChange }) {
  let accessToken = null;
  let csrfToken = null;
  let user = null;

  let expiresAt = 0; // milliseconds, by this machine's clock
  let csrfSource = null; // where the CSRF token was learned, for the reader of the page

  let era = 0; // one more at each login and logout, so that a late answer knows that it is late
  let refreshing = null; // the refresh under way, shared by all who want one
  let idempotencyKey = null; // kept until an answer arrives
  let timer = null;

  // --- Signing in and out ---------------------------------------------------------------------

  async function login(credentials) {
    const answer = await exchange({ method: 'POST', path: '/accounts/login', body: credentials });
    if (answer.ok) begin(answer.body, 'POST /accounts/login');
    return answer;
  }

  /** After a reload memory is empty. The refresh cookie may still be there: ask. */
  async function restore() {
    const answer = await learnCsrfToken();
    return answer.ok ? refresh() : answer;
  }

  /** Only the server can end a session and clear its cookies: no 204, no logout. */
  async function logout() {
    const send = () =>
      exchange({ method: 'POST', path: '/accounts/logout', headers: countersignature() });
    let answer = await send();
    if (isCsrfFailure(answer) && (await refresh()).ok) answer = await send();
    if (answer.ok) forget();
    return answer;
  }

  /** Ends every session of the user, and begins a new one here. */
  async function changePassword(oldPassword, newPassword) {
    const body = { old_password: oldPassword, new_password: newPassword };
    const answer = await call('POST', '/accounts/password', body);
    if (answer.ok) begin(answer.body, 'POST /accounts/password');
    return answer;
  }

  // --- Refreshing -----------------------------------------------------------------------------

  /** Gets a new access token, and a new refresh cookie with it. Callers share one request. */
  function refresh() {
    refreshing ??= rotate().finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  async function rotate() {
    const startedIn = era;
    let answer;
    try {
      answer = await askForRotation();
      // Another tab signed in meanwhile: the cookie is of its session, our CSRF token isn't.
      if (isCsrfFailure(answer) && (await learnCsrfToken()).ok) answer = await askForRotation();
    } catch (error) {
      if (startedIn === era) refreshIn(RETRY_AFTER);
      throw error;
    }

    // A login or a logout overtook this answer: what counts is what they left.
    if (startedIn !== era) return { ...answer, ok: user !== null };
    if (answer.ok && user && user.id !== answer.body.user.id) {
      const detail = 'Someone else signed in from another tab. Reload to go on as that user.';
      forget(detail);
      return { ...answer, ok: false, body: { detail } };
    }
    if (answer.ok) {
      adopt(answer.body, 'POST /accounts/refresh_token');
    } else if (answer.status === 401) {
      forget(answer.body.detail);
    } else {
      refreshIn(RETRY_AFTER);
    }
    return answer;
  }

  /**
   * The key lets the server tell a client that lost an answer from a thief who replays a cookie.
   * So it stays the same until an answer has arrived.
   */
  async function askForRotation() {
    idempotencyKey ??= randomKey();
    const request = {
      method: 'POST',
      path: '/accounts/refresh_token',
      headers: { ...countersignature(), 'Idempotency-Key': idempotencyKey },
    };
    const answer = await exchange(request).catch(() => exchange(request));
    if (answer.status < 500) idempotencyKey = null;
    return answer;
  }

  async function learnCsrfToken() {
    const answer = await exchange({ method: 'GET', path: '/accounts/csrf' });
    if (answer.ok) rememberCsrfToken(answer.body.csrf_token, 'GET /accounts/csrf');
    return answer;
  }

  // --- Calling private routes -----------------------------------------------------------------

  /** Sends the access token, and what countersigns it. After a refusal: one refresh, one more try. */
  async function call(method, path, body) {
    if (Date.now() >= expiresAt) {
      const renewed = await refresh();
      if (!renewed.ok) return renewed;
    }
    const send = () =>
      exchange({
        method,
        path,
        headers: { ...authorization(), ...(UNSAFE.includes(method) && countersignature()) },
        body,
      });
    const used = accessToken;
    const answer = await send();
    if (answer.status !== 401 && !isCsrfFailure(answer)) return answer;
    // Another call may have refreshed while this one was under way.
    const renewed = accessToken !== used || (await refresh()).ok;
    return renewed && accessToken ? send() : answer;
  }

  async function updateProfile(changes) {
    const answer = await call('PATCH', '/accounts/profile', changes);
    if (answer.ok) {
      user = answer.body.user;
      onChange();
    }
    return answer;
  }

  // --- The wire -------------------------------------------------------------------------------

  /** One request, exactly as told: nothing is added but what makes the browser send its cookies. */
  async function exchange(request) {
    const { method, path, body } = request;
    const headers = { ...request.headers };
    if (body !== undefined) headers['Content-Type'] = 'application/json';

    const started = performance.now();
    const answer = await fetch(api + path, {
      method,
      headers,
      body: JSON.stringify(body),
      credentials: 'include',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT),
    })
      .then(readAnswer)
      .catch(() => null);
    const milliseconds = Math.round(performance.now() - started);

    onExchange({ request: { ...request, headers }, answer, milliseconds });
    if (!answer) throw new Unreachable(`${api} doesn't answer.`);
    return answer;
  }

  function authorization() {
    return { Authorization: `Bearer ${accessToken}` };
  }

  function countersignature() {
    return { 'X-CSRFTOKEN': csrfToken };
  }

  // --- Memory ---------------------------------------------------------------------------------

  function begin(body, source) {
    era += 1;
    idempotencyKey = null;
    adopt(body, source);
  }

  function adopt(body, source) {
    accessToken = body.access_token;
    user = body.user;
    rememberCsrfToken(body.csrf_token, source);
    const lifetime = body.expires_in * 1000;
    expiresAt = Date.now() + lifetime;
    refreshIn(lifetime - headStart(lifetime));
    onChange();
  }

  function forget(reason) {
    era += 1;
    accessToken = csrfToken = user = idempotencyKey = csrfSource = null;
    expiresAt = 0;
    clearTimeout(timer);
    onChange(reason);
  }

  function rememberCsrfToken(token, source) {
    if (token !== csrfToken) csrfSource = source;
    csrfToken = token;
  }

  function refreshIn(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(() => refresh().catch(() => {}), Math.min(milliseconds, LONGEST_TIMER));
  }

  /** A client of your own keeps its tokens to itself. This one is here to be looked into. */
  function reveal() {
    return { accessToken, csrfToken, user, expiresAt, csrfSource };
  }

  return {
    login,
    restore,
    logout,
    refresh,
    call,
    updateProfile,
    changePassword,
    exchange,
    authorization,
    countersignature,
    reveal,
  };
}

/** The stable name of what went wrong, or undefined. */
export function codeOf(answer) {
  return answer?.body?.code;
}

/** How long before its end an access token is renewed: half a minute, or a fifth of a short life. */
export function headStart(lifetime) {
  return Math.min(30_000, lifetime / 5);
}

function isCsrfFailure(answer) {
  return codeOf(answer) === 'csrf_failed';
}

async function readAnswer(response) {
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('Content-Type') ?? '');
  return {
    ok: response.ok,
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text && { detail: text.slice(0, 500) },
  };
}
