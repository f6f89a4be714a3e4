// The login form, with an answer for each way in which a login fails.

import { byId, onSubmit, showErrors } from './ui.js';

export function setUpLogin(client) {
  const form = byId('login-form');
  onSubmit(form, async ({ username, password, remember }) => {
    try {
      await client.login({ username, password, remember: remember === 'on' });
      form.elements.password.value = '';
    } catch (error) {
      if (error.retryAfter) holdBack(form, error.retryAfter);
      else form.elements.password.select();
      if (error.code !== 'invalid_credentials') throw error;
      throw new Error('The user name or the password is wrong.', { cause: error });
    }
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
function holdBack(form, seconds) {
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
}
