// What a page of another origin tries against a victim who is signed in: one row an attack.
//
// `tools` says what to do in the attacker's page (see tools.js): a tool's name and what it is given.
// `arrives` is what reaches the API of it, with the answer. A preflight is asked by the browser
// itself; where only that arrives, the browser kept the rest back. `withoutCookies` says that the
// browser sends none with that, wherever the page is.

import { mallory } from '../support/program.js';

const URLENCODED = 'application/x-www-form-urlencoded';
const MULTIPART = 'multipart/form-data';
const PLAIN = 'text/plain';
const JSON_TYPE = 'application/json';

/** The attacker's own credentials: whoever signs the victim in with them reads what it then does. */
export const LOGIN = JSON.stringify({ username: mallory.username, password: mallory.password });

/** The same as the one field of a form: `text/plain` sends `name=value`. */
export const LOGIN_FIELD = Object.fromEntries([LOGIN.split('=')]);

/**
 * @param {object} place
 * @param {string} place.api the API's origin
 * @param {string} place.evil the attacker's origin
 * @param {string} place.csrf a CSRF token: the victim's where the attacker can read it, else its own
 * @param {boolean} place.windows whether the page may open windows
 */
export function attacks({ api, evil, csrf, windows }) {
  const csrfHeader = { 'X-CSRFTOKEN': csrf };
  const login = `${api}/accounts/login`;
  const logout = `${api}/accounts/logout`;
  const refresh = `${api}/accounts/refresh_token`;
  const csrfRoute = `${api}/accounts/csrf`;
  const profile = `${api}/accounts/profile`;
  const sessions = `${api}/accounts/sessions`;

  const forms = [URLENCODED, MULTIPART, PLAIN].flatMap((enctype) => [
    {
      title: `a form that logs out, as ${enctype}`,
      tools: [
        'submit',
        logout,
        { enctype, fields: { csrfmiddlewaretoken: csrf, 'X-CSRFTOKEN': csrf } },
      ],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: `a form that refreshes, as ${enctype}`,
      tools: ['submit', refresh, { enctype, fields: { csrf_token: csrf } }],
      arrives: ['POST /accounts/refresh_token 403'],
    },
    {
      title: `a form that signs the victim in as the attacker, as ${enctype}`,
      tools: ['submit', login, { enctype, fields: enctype === PLAIN ? LOGIN_FIELD : mallory }],
      arrives: ['POST /accounts/login 403'],
    },
  ]);

  const otherForms = [
    {
      title: 'a form with _method=DELETE',
      tools: ['submit', `${sessions}?all=true&_method=DELETE`, { fields: { _method: 'DELETE' } }],
      arrives: ['POST /accounts/sessions?all=true&_method=DELETE 403'],
    },
    {
      title: 'a form that logs out by GET',
      tools: ['submit', logout, { method: 'get' }],
      arrives: ['GET /accounts/logout? 405'],
    },
    {
      title: "a form that the attacker's own server passes on with 307",
      tools: ['submit', `${evil}/307?${logout}`],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: 'a form that sends no referrer, so that its origin is null',
      tools: ['submit', logout, { rel: 'noreferrer' }],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: 'a form in a window of its own',
      tools: ['submit', logout, { inWindow: true }],
      arrives: ['POST /accounts/logout 403'],
      needs: windows,
    },
  ];

  const fetches = [
    {
      title: 'fetch no-cors: a login, JSON in text/plain',
      tools: ['send', login, { mode: 'no-cors', headers: { 'Content-Type': PLAIN }, body: LOGIN }],
      arrives: ['POST /accounts/login 403'],
    },
    {
      title: 'fetch no-cors: a login as a blob of JSON',
      tools: ['send', login, { mode: 'no-cors', asBlob: JSON_TYPE, body: LOGIN }],
      arrives: ['POST /accounts/login 403'],
    },
    {
      title:
        'fetch no-cors: a logout from a page that sends no referrer, so that its origin is null',
      tools: ['send', logout, { mode: 'no-cors', referrerPolicy: 'no-referrer' }],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: 'fetch no-cors: a logout',
      tools: ['send', logout, { mode: 'no-cors' }],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: 'fetch no-cors: a refresh, with a CSRF header that the browser drops',
      tools: ['send', refresh, { mode: 'no-cors', headers: csrfHeader }],
      arrives: ['POST /accounts/refresh_token 403'],
    },
    {
      title: 'fetch no-cors: the CSRF token',
      tools: ['send', csrfRoute, { mode: 'no-cors', method: 'GET' }],
      arrives: ['GET /accounts/csrf 403'],
    },
    {
      title: 'fetch no-cors: the profile',
      tools: ['send', profile, { mode: 'no-cors', method: 'GET' }],
      arrives: ['GET /accounts/profile 401'],
    },
    {
      title: 'fetch cors: the CSRF token',
      tools: ['send', csrfRoute, { method: 'GET' }],
      arrives: ['GET /accounts/csrf 403'],
    },
    {
      title: 'fetch cors: the CSRF token by HEAD',
      tools: ['send', csrfRoute, { method: 'HEAD' }],
      arrives: ['HEAD /accounts/csrf 403'],
    },
    {
      title: 'fetch cors: the profile',
      tools: ['send', profile, { method: 'GET' }],
      arrives: ['GET /accounts/profile 401'],
    },
    {
      title: 'fetch cors: a login, JSON in text/plain',
      tools: ['send', login, { headers: { 'Content-Type': PLAIN }, body: LOGIN }],
      arrives: ['POST /accounts/login 403'],
    },
    {
      title: 'fetch cors: a login, its simple type with application/json in a parameter',
      tools: [
        'send',
        login,
        { headers: { 'Content-Type': `${PLAIN};x=${JSON_TYPE}` }, body: LOGIN },
      ],
      arrives: ['POST /accounts/login 403'],
    },
    {
      title: 'fetch cors: a login without any type',
      tools: ['send', login, { asBlob: '', body: LOGIN }],
      arrives: ['POST /accounts/login 403'],
    },
    {
      title: 'fetch cors: a logout that outlives the page',
      tools: ['send', logout, { keepalive: true }],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: "fetch cors: a logout that the attacker's own server passes on with 307",
      tools: ['send', `${evil}/307?${logout}`],
      arrives: ['POST /accounts/logout 403'],
    },
    {
      title: 'fetch same-origin',
      tools: ['send', logout, { mode: 'same-origin' }],
      arrives: [],
    },
    {
      title: 'fetch navigate',
      tools: ['send', logout, { mode: 'navigate' }],
      arrives: [],
    },
    {
      title: 'XMLHttpRequest: a refresh',
      tools: ['xhr', refresh],
      arrives: ['POST /accounts/refresh_token 403'],
    },
    {
      title: 'a beacon that logs out',
      tools: ['beacon', logout, ''],
      arrives: ['POST /accounts/logout 403'],
    },
  ];

  const preflights = [
    {
      title: 'a preflight: a login as JSON',
      tools: ['send', login, { headers: { 'Content-Type': JSON_TYPE }, body: LOGIN }],
      arrives: ['OPTIONS /accounts/login 204'],
    },
    {
      title: 'a preflight: a logout with a CSRF header',
      tools: ['send', logout, { headers: csrfHeader }],
      arrives: ['OPTIONS /accounts/logout 204'],
    },
    {
      title: 'a preflight: a refresh with a CSRF header',
      tools: ['send', refresh, { headers: csrfHeader }],
      arrives: ['OPTIONS /accounts/refresh_token 204'],
    },
    {
      title: 'a preflight: DELETE of all sessions',
      tools: ['send', `${sessions}?all=true`, { method: 'DELETE', headers: csrfHeader }],
      arrives: ['OPTIONS /accounts/sessions?all=true 204'],
    },
    {
      title: 'a preflight: PATCH of the profile',
      tools: [
        'send',
        profile,
        { method: 'PATCH', headers: csrfHeader, body: '{"first_name":"x"}' },
      ],
      arrives: ['OPTIONS /accounts/profile 204'],
    },
    {
      title: 'a preflight: patch in small letters',
      tools: ['send', profile, { method: 'patch', body: '{"first_name":"x"}' }],
      arrives: ['OPTIONS /accounts/profile 204'],
    },
    {
      title: 'a preflight: POST that a header turns into DELETE',
      tools: ['send', sessions, { headers: { 'X-HTTP-Method-Override': 'DELETE' } }],
      arrives: ['OPTIONS /accounts/sessions 204'],
    },
    {
      title: 'a preflight: the CSRF token with a header',
      tools: ['send', csrfRoute, { method: 'GET', headers: csrfHeader }],
      arrives: ['OPTIONS /accounts/csrf 204'],
    },
    {
      title: 'a preflight: a beacon of JSON',
      tools: ['beacon', login, LOGIN, JSON_TYPE],
      arrives: ['OPTIONS /accounts/login 204'],
    },
  ];

  const embeds = [
    ['img', 'src'],
    ['script', 'src'],
    ['video', 'src'],
    ['iframe', 'src'],
    ['object', 'data'],
    ['embed', 'src'],
    ['link', 'href', { rel: 'stylesheet' }],
  ].map(([tag, attribute, more]) => ({
    title: `the CSRF token as <${tag} ${attribute}>`,
    tools: ['embed', tag, attribute, csrfRoute, more],
    arrives: ['GET /accounts/csrf 403'],
  }));

  const otherReads = [
    {
      title: 'the profile as a frame',
      tools: ['embed', 'iframe', 'src', profile],
      arrives: ['GET /accounts/profile 401'],
    },
    {
      title: 'the CSRF token as a module',
      tools: ['importModule', csrfRoute],
      arrives: ['GET /accounts/csrf 403'],
      withoutCookies: true,
    },
    {
      title: 'the CSRF token as a stream of events',
      tools: ['events', csrfRoute],
      arrives: ['GET /accounts/csrf 403'],
    },
    {
      title: 'a web socket to the CSRF token',
      tools: ['socket', csrfRoute],
      arrives: ['GET /accounts/csrf 403'],
    },
    {
      title: 'the CSRF token in a window of its own',
      tools: ['openWindow', csrfRoute],
      arrives: ['GET /accounts/csrf 403'],
      needs: windows,
    },
    {
      title: 'a logout in a window of its own',
      tools: ['openWindow', logout],
      arrives: ['GET /accounts/logout 405'],
      needs: windows,
    },
  ];

  const all = [...forms, ...otherForms, ...fetches, ...preflights, ...embeds, ...otherReads];
  return all.filter(({ needs = true }) => needs);
}
