// The three cards: where each token is now, and what can be seen of it from here.

import { decode, sha256 } from './tokens.js';
import { byId, clock, el, timeOfDay } from './ui.js';

export function showTokens(tokens) {
  showAccessToken(tokens);
  showCountdown(tokens);
  showRefreshToken(tokens);
  showCsrfToken(tokens);
}

// --- Access token -------------------------------------------------------------------------------

function showAccessToken({ accessToken, expiresAt }) {
  const { header, claims, parts } = decode(accessToken);
  byId('access-token').replaceChildren(
    el('span', { className: 'jwt-header' }, parts.header),
    '.',
    el('span', { className: 'jwt-claims' }, parts.claims),
    '.',
    el('span', { className: 'jwt-signature' }, parts.signature),
  );
  byId('access-header').replaceChildren(...jsonLines(header, {}));
  byId('access-claims').replaceChildren(...jsonLines(claims, meanings(claims)));
  byId('access-expiry').textContent = timeOfDay(new Date(expiresAt));
}

/** Called every second. */
export function showCountdown({ accessToken, expiresAt }) {
  const left = expiresAt - Date.now();
  const { iat, exp } = decode(accessToken).claims;
  const lifetime = (exp - iat) * 1000;
  byId('access-left').textContent = clock(left);
  byId('access-bar').style.setProperty('--left', String(Math.min(1, Math.max(0, left / lifetime))));
}

function meanings({ iat, exp, auth_time: authTime }) {
  const at = (seconds) => timeOfDay(new Date(seconds * 1000));
  return {
    iat: `made ${at(iat)}`,
    exp: `ends ${at(exp)}`,
    auth_time: `signed in ${at(authTime)}`,
    sub: 'the user',
    sid: 'the session',
    csh: 'SHA-256 of the CSRF token',
  };
}

/** Pretty-printed JSON, each line with what it means. The claim `csh` is set off. */
function jsonLines(value, notes) {
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => {
      const name = /^ {2}"(\w+)":/.exec(line)?.[1];
      const note = notes[name] ? el('span', { className: 'json-note' }, ` ← ${notes[name]}`) : null;
      return el('span', { className: name === 'csh' ? 'json-line csrf' : 'json-line' }, line, note);
    });
}

// --- Refresh token ------------------------------------------------------------------------------

function showRefreshToken({ csrfToken }) {
  const visible = document.cookie;
  byId('document-cookie').textContent = visible || '""';
  byId('document-cookie-verdict').textContent = visible.includes(csrfToken)
    ? 'The CSRF cookie is there. The refresh cookie lies right beside it, and isn’t.'
    : 'Nothing of this session: its cookies belong to another host than this page’s. The refresh cookie would be missing on its own host, too.';
}

let refreshes = 0;

/** What a page can know of rotation: how often it asked for one and was answered. */
export function countRefreshes({ request, answer }) {
  if (request.path !== '/accounts/refresh_token' || !answer?.ok) return;
  refreshes += 1;
  byId('refresh-count').textContent = String(refreshes);
}

// --- CSRF token ---------------------------------------------------------------------------------

async function showCsrfToken({ accessToken, csrfToken, csrfSource }) {
  byId('csrf-token').textContent = csrfToken;
  byId('csrf-source').textContent = csrfSource;
  const cookie = document.cookie.split('; ').find((pair) => pair.endsWith(`=${csrfToken}`));
  byId('csrf-cookie').textContent = cookie
    ? `The cookie ${cookie.split('=')[0]} holds it too, where script can read it.`
    : 'This page can’t read the API’s cookies, so the body is the only way.';

  const { csh } = decode(accessToken).claims;
  const hash = await sha256(csrfToken);
  const matches = hash === csh;
  byId('csrf-hash').textContent = hash;
  byId('csrf-csh').textContent = csh;
  const stamp = byId('stamp');
  stamp.textContent = matches ? 'countersigned ✓' : 'not countersigned ✗';
  stamp.classList.toggle('is-void', !matches);
}
