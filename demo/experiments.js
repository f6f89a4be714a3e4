// "What happens when…": requests that are wrong in one way each, and two that are only unusual.
//
// Each names the answer it expects, and why. They go past the client, which would repair them, with
// tokens that were seen in passing; and nothing that they do harms the session.

import { lastEntryId, statusChip } from './log.js';
import { randomKey, tamper } from './tokens.js';
import { byId, el, onClick } from './ui.js';

const EXPERIMENTS = [
  {
    title: 'A change without the CSRF header',
    about: 'PATCH the profile with a good access token and nothing beside it.',
    code: 'csrf_failed',
    why: 'The access token is good, but nothing countersigned it. Its csh claim asks for a header that only a page of this session can write.',
    send: (exchange, { accessToken }, user) => exchange(patch(user, bearer(accessToken))),
  },
  {
    title: 'A refresh without the CSRF header',
    about:
      'All that a forged request from another site could bring: the cookie, which the browser adds by itself.',
    code: 'csrf_failed',
    why: 'The browser sent the refresh cookie, as it would for a forged request. Alone it does nothing: no token was given out, and nothing was rotated.',
    send: (exchange) => exchange({ method: 'POST', path: '/accounts/refresh_token' }),
  },
  {
    title: 'A wrong CSRF token',
    about: 'The header is there, but its value is 128 random bits.',
    code: 'csrf_failed',
    why: 'The SHA-256 of that header isn’t the csh claim in the access token. A token planted by a neighbour, or one of another session, fails in the same way.',
    send: (exchange, { accessToken }, user) =>
      exchange(patch(user, { ...bearer(accessToken), 'X-CSRFTOKEN': randomKey() })),
  },
  {
    title: 'No access token',
    about: 'GET the profile with the cookies only.',
    code: 'not_authenticated',
    why: 'The cookies came along and count for nothing here. A private route listens to the Authorization header alone.',
    send: (exchange) => exchange({ method: 'GET', path: '/accounts/profile' }),
  },
  {
    title: 'A tampered access token',
    about: 'The claims are changed to name the next user. The signature stays.',
    code: 'token_invalid',
    why: 'Anyone can write other claims, but the signature was made over the old ones, and only the server can make a new one.',
    send: (exchange, { accessToken }) =>
      exchange({ method: 'GET', path: '/accounts/profile', headers: bearer(tamper(accessToken)) }),
  },
  {
    title: 'Five tabs refresh at once',
    about: 'Five requests leave with the same refresh cookie, as from tabs that know nothing of each other.',
    code: undefined,
    why: 'All five got the same generation of the same session: the one before stays good for ten seconds. A copy that comes back later is theft, and ends the session. (The client’s tabs send one for all.)',
    send: async (exchange, { csrfToken }) => {
      const tabs = Array.from({ length: 5 }, () =>
        exchange({
          method: 'POST',
          path: '/accounts/refresh_token',
          headers: { 'X-CSRFTOKEN': csrfToken, 'Idempotency-Key': randomKey() },
        }),
      );
      const answers = await Promise.all(tabs);
      return answers.find((answer) => !answer.ok) ?? answers[0];
    },
  },
];

export function setUpExperiments(client, watch) {
  byId('experiments').prepend(...EXPERIMENTS.map((experiment) => row(client, watch, experiment)));
  onClick(byId('reload'), () => location.reload());
}

export function clearExperiments() {
  for (const outcome of document.querySelectorAll('#experiments .outcome'))
    outcome.replaceChildren();
}

function row(client, watch, { title, about, code, why, send }) {
  const button = el('button', { type: 'button', className: 'small' }, 'Try it');
  button.setAttribute('aria-label', `Try it: ${title}`);
  const outcome = el('output', { className: 'outcome' });

  onClick(button, async () => {
    const exchange = (request) => watch.exchange({ ...request, expected: { code, why } });
    const answer = await send(exchange, watch.tokens(), client.user);
    outcome.replaceChildren(
      statusChip(answer),
      ` ${answer.code === code ? why : (answer.body?.detail ?? '')} `,
      el('a', { href: `#${lastEntryId()}` }, 'See the request'),
    );
  });

  return el(
    'li',
    { className: 'experiment' },
    el('div', {}, el('h3', {}, title), el('p', {}, about)),
    button,
    outcome,
  );
}

function bearer(accessToken) {
  return { Authorization: `Bearer ${accessToken}` };
}

/** A change that changes nothing, should it ever get through. */
function patch(user, headers) {
  const body = { first_name: user.first_name };
  return { method: 'PATCH', path: '/accounts/profile', headers, body };
}
