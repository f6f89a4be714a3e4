// The demo page: finds out where the API is, makes the client, and shows one of three views: looking
// for a session, signed out, signed in.

import { setUpAccount, showProfile } from './account.js';
import { countRefreshes, showCountdown, showTokens } from './cards.js';
import { createClient } from './client/index.js';
import { clearExperiments, setUpExperiments } from './experiments.js';
import { whyOver } from './explain.js';
import { clearLog, logExchange, logTab } from './log.js';
import { prefill, setUpLogin, showLoginError } from './login.js';
import { setUpTheme } from './theme.js';
import { announce, byId, onClick } from './ui.js';
import { createWatch } from './watch.js';

async function start() {
  setUpTheme();
  const config = await readConfig();
  if (!config) {
    switchTo('signed-out');
    showLoginError('This page needs its own server. Start it with “countersign demo”.');
    return;
  }
  document.querySelector('[data-page]').textContent = location.origin;
  for (const place of document.querySelectorAll('[data-api]')) place.textContent = config.api;
  prefill(config.username);

  const watch = createWatch({
    api: config.api,
    onExchange: (exchange) => {
      logExchange(exchange);
      countRefreshes(exchange);
    },
    onTab: logTab,
    onTokens: () => client.user && showTokens(watch.tokens()),
  });
  const client = createClient({ baseUrl: config.api, platform: watch.platform });
  client.onChange((change) => {
    if (change.user) return showSignedIn(change.user, watch.tokens());
    watch.forget();
    showSignedOut(whyOver(change));
  });

  setUpLogin(client);
  setUpAccount(client, watch);
  setUpExperiments(client, watch);
  onClick(byId('clear-log'), clearLog);
  onClick(byId('logout'), async () => {
    await client.logout();
    announce('Signed out. The session has ended on the server, too.');
  });
  setInterval(() => client.user && showCountdown(watch.tokens()), 1000);

  await restore(client, config.api);
}

async function readConfig() {
  const response = await fetch('/config.json', { cache: 'no-store' }).catch(() => null);
  return response?.ok ? response.json() : null;
}

async function restore(client, api) {
  try {
    const user = await client.restore();
    if (user) announce('Session restored. Memory was empty; the log shows what filled it again.');
  } catch (error) {
    const hint = error.code === 'unreachable' ? whyUnreachable(api) : '';
    showSignedOut(`${error.message} ${hint}`);
  }
}

/** The commonest slip: the page was opened as 127.0.0.1, and the API lists localhost. */
function whyUnreachable(api) {
  const { hostname } = new URL(api);
  if (hostname === location.hostname) return 'Is it running?';
  return `You opened this page as ${location.origin}. Open it on ${hostname}.`;
}

// --- Views --------------------------------------------------------------------------------------

function showSignedIn(user, tokens) {
  byId('user-name').textContent = user.username;
  showTokens(tokens);
  showProfile(user);
  switchTo('signed-in');
}

function showSignedOut(why) {
  clearExperiments();
  switchTo('signed-out');
  showLoginError(why);
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
