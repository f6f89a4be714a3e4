// What a signed-in user does: look at the profile and change it, see and end sessions, change the
// password.

import { announce, byId, el, onClick, onSubmit } from './ui.js';

export function setUpAccount(client, watch) {
  onClick(byId('get-profile'), async () => {
    const user = await client.profile();
    announce(`The API knows you as ${user.username}.`);
  });

  // The client refreshes by itself, when a call needs it, and takes no orders.
  onClick(byId('refresh'), async () => {
    watch.letTimePass();
    await client.profile();
    announce(
      'Refreshed: a new access token, and a new refresh cookie that this page can’t see. The client’s clock was put forward, and then a call was made.',
    );
  });

  setUpProfile(client);
  setUpSessions(client);
  setUpPassword(client);
}

// --- Profile ------------------------------------------------------------------------------------

const PROFILE_FIELDS = ['first_name', 'last_name', 'email'];

export function showProfile(user) {
  const form = byId('profile-form');
  for (const name of PROFILE_FIELDS) form.elements[name].value = user[name] ?? '';
  askForPassword(form, false);
  byId('password-form').elements.username.value = user.username; // for password managers
}

function setUpProfile(client) {
  const form = byId('profile-form');
  const emailChanged = () => form.elements.email.value !== (client.user?.email ?? '');
  form.elements.email.addEventListener('input', () => askForPassword(form, emailChanged()));

  onSubmit(form, async (fields) => {
    const { user } = client;
    const changed = PROFILE_FIELDS.filter((name) => fields[name] !== (user[name] ?? ''));
    if (changed.length === 0) {
      announce('Nothing was changed, so nothing was sent.');
      return;
    }
    const changes = Object.fromEntries(changed.map((name) => [name, fields[name]]));
    if (emailChanged()) changes.password = fields.password;
    await client.updateProfile(changes);
    announce('The profile was saved.');
  });
}

/** A new e-mail address needs the password beside it. */
function askForPassword(form, needed) {
  byId('profile-password').hidden = !needed;
  form.elements.password.required = needed;
  if (!needed) form.elements.password.value = '';
}

// --- Sessions -----------------------------------------------------------------------------------

function setUpSessions(client) {
  const panel = byId('sessions-panel');
  panel.addEventListener('toggle', () => {
    if (panel.open && client.user) listSessions(client).catch((error) => announce(error.message));
  });
  onClick(byId('list-sessions'), () => listSessions(client));
  onClick(byId('end-others'), async () => {
    await client.endOtherSessions();
    announce('All other sessions have ended.');
    await listSessions(client);
  });
}

async function listSessions(client) {
  const sessions = (await client.sessions()).sort((a, b) => b.current - a.current);
  byId('sessions').replaceChildren(...sessions.map((session) => sessionRow(client, session)));
  byId('end-others').hidden = sessions.length < 2;
}

function sessionRow(client, session) {
  const name = deviceName(session.user_agent);
  const seen = new Date(session.last_used_at).toLocaleString([], {
    dateStyle: 'medium',
    timeStyle: 'short',
  });
  return el(
    'li',
    { className: 'session' },
    el(
      'div',
      {},
      el('strong', { title: session.user_agent ?? '' }, name),
      el('p', {}, `${session.ip ?? 'unknown address'}, last used ${seen}`),
    ),
    session.current
      ? el('span', { className: 'tag' }, 'this one')
      : endButton(client, session, name),
  );
}

function endButton(client, { id }, name) {
  const button = el('button', { type: 'button', className: 'small' }, 'End');
  button.setAttribute('aria-label', `End the session of ${name}`);
  onClick(button, async () => {
    await client.endSession(id);
    announce('That session has ended.');
    await listSessions(client);
    byId('list-sessions').focus();
  });
  return button;
}

/** "Firefox on Linux": a guess from the User-Agent header, good enough to recognise a device by. */
function deviceName(userAgent) {
  const find = (names) => names.find((name) => userAgent?.includes(name));
  const browser = {
    Edg: 'Edge',
    OPR: 'Opera',
    Firefox: 'Firefox',
    Chrome: 'Chrome',
    Safari: 'Safari',
    curl: 'curl',
  };
  const system = {
    Android: 'Android',
    iPhone: 'iPhone',
    iPad: 'iPad',
    Windows: 'Windows',
    'Mac OS': 'Mac',
    Linux: 'Linux',
  };
  const program = browser[find(Object.keys(browser))] ?? (userAgent || 'An unknown program');
  const machine = system[find(Object.keys(system))];
  return machine ? `${program} on ${machine}` : program;
}

// --- Password -----------------------------------------------------------------------------------

function setUpPassword(client) {
  const form = byId('password-form');
  onSubmit(form, async ({ old_password: oldPassword, new_password: newPassword }) => {
    await client.changePassword({ oldPassword, newPassword });
    form.reset();
    announce(
      'The password was changed. Every older session has ended, and this page has a new one.',
    );
  });
}
