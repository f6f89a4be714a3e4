// The login form, with an answer for each way in which a login fails.

import { codeOf } from './api.js';
import { byId, onSubmit, showErrors } from './ui.js';

export function setUpLogin(client) {
  const form = byId('login-form');
  onSubmit(form, async ({ username, password, remember }) => {
    const answer = await client.login({ username, password, remember: remember === 'on' });
    if (answer.ok) {
      form.elements.password.value = '';
      return answer;
    }
    const wait = Number(answer.headers.get('Retry-After'));
    if (wait > 0) return holdBack(form, wait, answer.body?.detail);
    form.elements.password.select();
    return codeOf(answer) === 'invalid_credentials'
      ? { ok: false, body: { detail: 'The user name or the password is wrong.' } }
      : answer;
  });
}

export function prefill(username) {
  byId('login-form').elements.username.value = username;
}

/** Why nobody is signed in, or nothing. */
export function showLoginError(detail) {
  showErrors(byId('login-form'), { detail });
}

/** Counts down in the form until the server will listen again. Another user name may be tried at once. */
function holdBack(form, seconds, detail = '') {
  const button = form.querySelector('[type=submit]');
  const label = button.textContent;
  const until = Date.now() + seconds * 1000;

  const release = () => {
    clearInterval(ticker);
    form.elements.username.removeEventListener('input', release);
    button.disabled = false;
    button.textContent = label;
    showErrors(form, {});
  };
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left <= 0) release();
    else button.textContent = `Try again in ${left} s`;
  };

  button.disabled = true;
  form.elements.username.addEventListener('input', release);
  const ticker = setInterval(tick, 1000);
  tick();
  return { ok: false, body: { detail: detail || 'Too many tries.' } };
}
