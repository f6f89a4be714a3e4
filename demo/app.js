// The demo page: finds out where the API is, wires the modules together, and shows one of three
// views: looking for a session, signed out, signed in.

import { setUpAccount, showProfile } from './account.js';
import { createClient } from './api.js';
import { countRefreshes, showCountdown, showTokens } from './cards.js';
import { clearExperiments, setUpExperiments } from './experiments.js';
import { clearLog, logExchange } from './log.js';
import { prefill, setUpLogin, showLoginError } from './login.js';
import { setUpTheme } from './theme.js';
import { announce, byId, onClick } from './ui.js';

async function start() {
  setUpTheme();
  const config = await readConfig();
  if (!config) {
    switchTo('signed-out');
    showLoginError('This page needs its own server. Start it with “countersign demo”.');
    return;
  }
  document.querySelector('[data-page]').textContent = location.origin;
  document.querySelector('[data-api]').textContent = config.api;
  prefill(config.username);

  const client = createClient({
    api: config.api,
    onExchange: (exchange) => {
      logExchange(exchange);
      countRefreshes(exchange);
    },
    onChange: (reason) => show(client.reveal(), reason),
  });
  setUpLogin(client);
  setUpAccount(client);
  setUpExperiments(client);
  onClick(byId('clear-log'), clearLog);
  onClick(byId('logout'), async () => {
    const answer = await client.logout();
    announce(
      answer.ok ? 'Signed out. The session has ended on the server, too.' : answer.body?.detail,
    );
  });
  setInterval(() => showCountdown(client.reveal()), 1000);

  await restore(client, config.api);
}

async function readConfig() {
  const response = await fetch('/config.json', { cache: 'no-store' }).catch(() => null);
  return response?.ok ? response.json() : null;
}

async function restore(client, api) {
  try {
    const answer = await client.restore();
    if (answer.ok) {
      announce(
        'Session restored: memory was empty, and two requests brought the tokens back. See the log.',
      );
    } else {
      switchTo('signed-out');
    }
  } catch (error) {
    switchTo('signed-out');
    showLoginError(`${error.message} ${whyUnreachable(api)}`);
  }
}

/** The commonest slip: the page was opened as 127.0.0.1, and the API lists localhost. */
function whyUnreachable(api) {
  const { hostname } = new URL(api);
  if (hostname === location.hostname) return 'Is it running?';
  return `You opened this page as ${location.origin}. Open it on ${hostname}.`;
}

// --- Views --------------------------------------------------------------------------------------

let shownUser = null;

function show(tokens, reason) {
  const { user } = tokens;
  if (!user) {
    shownUser = null;
    clearExperiments();
    switchTo('signed-out');
    showLoginError(reason ?? '');
    return;
  }

  byId('user-name').textContent = user.username;
  showTokens(tokens);
  showCountdown(tokens);
  // A refresh brings the user again: it must not undo what is being typed.
  if (JSON.stringify(user) !== shownUser) showProfile(user);
  shownUser = JSON.stringify(user);
  switchTo('signed-in');
}

/** The keyboard's focus follows the view, since what held it is gone. */
function switchTo(view) {
  const last = document.body.dataset.view;
  if (view === last) return;
  document.body.dataset.view = view;
  for (const name of ['restoring', 'signed-out', 'signed-in']) byId(name).hidden = name !== view;
  if (last === 'signed-out') byId('signed-in-title').focus();
  if (last === 'signed-in') byId('password').focus();
}

start();
