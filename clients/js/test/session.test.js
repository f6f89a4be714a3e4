import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isCountersignError } from '../src/index.js';
import { world } from './support/browser.js';

const types = (tab) => tab.events.map(({ type }) => type);

test('a login signs in, and says so', async () => {
  const { clock, server, browser } = world();
  const tab = browser.tab();
  const user = await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  assert.equal(user.username, 'ada');
  assert.equal(tab.client.user, user);
  assert.deepEqual(tab.events, [{ type: 'signed_in', user }]);
});

test('a refused login tells the reason, and changes nothing', async () => {
  const { clock, browser } = world();
  const tab = browser.tab();
  const login = tab.client.login({ username: 'ada', password: 'guess' });
  await assert.rejects(clock.until(login), { code: 'invalid_credentials', status: 401 });
  assert.equal(tab.client.user, undefined);
  assert.deepEqual(tab.events, []);
});

test('a throttled login says how long to wait', async () => {
  const { clock, browser } = world();
  browser.refuse('POST /accounts/login', 429, 'throttled', { headers: { 'Retry-After': '90' } });
  const login = browser.tab().client.login({ username: 'ada', password: 'guess' });
  await assert.rejects(clock.until(login), { code: 'throttled', retryAfter: 90 });
});

test('a login whose answer is lost is not sent twice', async () => {
  const { clock, server, browser } = world();
  browser.loseAnswer('POST /accounts/login');
  const login = browser.tab().client.login({ username: 'ada', password: server.password });
  await assert.rejects(clock.until(login), { code: 'unreachable', status: 0 });
  assert.equal(browser.count('POST /accounts/login'), 1);
});

test('remember: false reaches the server', async () => {
  const { clock, server, browser } = world();
  const tab = browser.tab();
  await clock.until(
    tab.client.login({ username: 'ada', password: server.password, remember: false }),
  );
  assert.equal(JSON.parse(browser.log[0].text).remember, false);
});

test('nothing is sent before the client is used', async () => {
  const { clock, browser } = world();
  const tab = browser.tab();
  await clock.advance(60_000);
  assert.equal(browser.log.length, 0);
  assert.equal(tab.client.user, undefined);
});

test('a first visit finds nobody', async () => {
  const { clock, browser } = world();
  const tab = browser.tab();
  assert.equal(await clock.until(tab.client.restore()), null);
  assert.equal(tab.client.user, null);
  assert.deepEqual(types(tab), ['signed_out']);
  assert.equal(browser.refreshes(), 0, 'without a CSRF token there is nothing to refresh with');
});

test('after a reload the session is back with one request, where the page can read the CSRF cookie', async () => {
  const { clock, browser } = world();
  (await browser.signedInTab()).close();
  const tab = browser.tab();
  const user = await clock.until(tab.client.restore());
  assert.equal(user.username, 'ada');
  assert.deepEqual(types(tab), ['signed_in']);
  assert.deepEqual(
    browser.log.slice(1).map(({ line }) => line),
    ['POST /accounts/refresh_token'],
  );
});

test('after a reload the session is back with two requests, where the API is on another domain', async () => {
  const { clock, browser } = world({ canReadCookies: false });
  (await browser.signedInTab()).close();
  const tab = browser.tab({ page: 'https://spa.example.org/' });
  assert.equal((await clock.until(tab.client.restore())).username, 'ada');
  assert.deepEqual(
    browser.log.slice(1).map(({ line }) => line),
    ['GET /accounts/csrf', 'POST /accounts/refresh_token'],
  );
});

for (const name of ['__Host-csrftoken', '__Secure-csrftoken', '__Host-XSRF-TOKEN', 'XSRF-TOKEN']) {
  test(`the CSRF cookie is found as ${name}`, async () => {
    const { clock, server, browser } = world();
    server.cookieName = name;
    (await browser.signedInTab()).close();
    browser.jar.set('other', 'a=b');
    const tab = browser.tab({ csrfCookieName: name.replace(/^__\w+-/, '') });
    await clock.until(tab.client.restore());
    assert.equal(browser.count('GET /accounts/csrf'), 0);
    assert.equal(tab.client.user.username, 'ada');
  });
}

test('two CSRF cookies that disagree are left to the server', async () => {
  const { clock, server, browser } = world();
  (await browser.signedInTab()).close();
  browser.jar.set(server.cookieName, ['planted', browser.jar.get(server.cookieName)]);
  const tab = browser.tab();
  await clock.until(tab.client.restore());
  assert.equal(browser.count('GET /accounts/csrf'), 1);
  assert.equal(browser.refreshes(), 1, 'neither was tried');
  assert.equal(tab.client.user.username, 'ada');
});

test('a planted CSRF cookie, or one of another program on localhost, is no obstacle', async () => {
  for (const planted of ['djangos-own-token', 'not a token: 😀', '']) {
    const { clock, server, browser } = world();
    (await browser.signedInTab()).close();
    browser.jar.set(server.cookieName, planted);
    const tab = browser.tab();
    await clock.until(tab.client.restore());
    assert.equal(tab.client.user?.username, 'ada');
    assert.equal(browser.count('GET /accounts/csrf'), 1);
    assert.equal(server.thefts, 0);
  }
});

test('a page that starts twice asks once', async () => {
  const { clock, browser } = world();
  (await browser.signedInTab()).close();
  const tab = browser.tab();
  const [first, second] = await clock.until(
    Promise.all([tab.client.restore(), tab.client.restore()]),
  );
  assert.equal(first, second);
  assert.equal(browser.refreshes(), 1);
  assert.equal(await tab.client.restore(), first);
  assert.equal(browser.refreshes(), 1);
});

test('a page that makes two clients, as React does in StrictMode, asks once', async () => {
  const { clock, browser } = world();
  (await browser.signedInTab()).close();
  const [one, other] = [browser.tab(), browser.tab()];
  await clock.until(Promise.all([one.client.restore(), other.client.restore()]));
  assert.equal(one.client.user.username, 'ada');
  assert.equal(other.client.user.username, 'ada');
  assert.equal(browser.refreshes(), 1);
});

test('a restore that finds no answer leaves the question open', async () => {
  const { clock, browser } = world();
  (await browser.signedInTab()).close();
  const tab = browser.tab();
  browser.loseRequest('POST /accounts/refresh_token');
  browser.loseRequest('POST /accounts/refresh_token');
  await assert.rejects(clock.until(tab.client.restore()), { code: 'unreachable' });
  assert.equal(tab.client.user, undefined);
  assert.deepEqual(tab.events, []);
  assert.equal((await clock.until(tab.client.restore())).username, 'ada');
});

test('a session that died meanwhile is told from a first visit', async () => {
  const { clock, server, browser } = world();
  (await browser.signedInTab()).close();
  server.endAll(1);
  const tab = browser.tab();
  assert.equal(await clock.until(tab.client.restore()), null);
  assert.deepEqual(tab.events, [{ type: 'session_ended', user: null, code: 'session_ended' }]);
});

test('a logout ends the session on the server', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  await clock.until(tab.client.logout());
  assert.equal(tab.client.user, null);
  assert.deepEqual(tab.events, [{ type: 'signed_out', user: null }]);
  assert.equal(server.live().length, 0);
  assert.equal(browser.jar.size, 0);
});

test('a logout that the server hears nothing of fails, and the user is still signed in', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  browser.refuse('POST /accounts/logout', 503, 'unavailable', { headers: { 'Retry-After': '1' } });
  await assert.rejects(clock.until(tab.client.logout()), { code: 'unavailable', status: 503 });
  assert.equal(tab.client.user.username, 'ada');
  assert.equal(server.live().length, 1);
  await clock.until(tab.client.logout());
  assert.equal(server.live().length, 0);
});

test('a logout right after a reload needs no restore', async () => {
  const { clock, server, browser } = world();
  (await browser.signedInTab()).close();
  await clock.until(browser.tab().client.logout());
  assert.equal(server.live().length, 0);
});

test('a logout right after a reload, with no server to be reached, fails', async () => {
  const { clock, server, browser } = world();
  (await browser.signedInTab()).close();
  const tab = browser.tab();
  browser.loseRequest('POST /accounts/refresh_token');
  browser.loseRequest('POST /accounts/refresh_token');
  await assert.rejects(clock.until(tab.client.logout()), { code: 'unreachable' });
  assert.equal(server.live().length, 1);
});

test('a logout of a session that is over is done', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  server.endAll(1);
  await clock.until(tab.client.logout());
  await clock.until(tab.client.logout());
  assert.equal(tab.client.user, null);
});

test('a logout of nobody sends nothing', async () => {
  const { clock, browser } = world();
  const tab = browser.tab();
  await clock.until(tab.client.restore());
  const before = browser.log.length;
  await clock.until(tab.client.logout());
  assert.equal(browser.log.length, before);
});

test('the profile is read and changed', async () => {
  const { clock, browser } = world();
  const tab = await browser.signedInTab();
  const before = tab.client.user;
  assert.equal(
    await clock.until(tab.client.profile()),
    before,
    'the same profile is the same object',
  );
  assert.deepEqual(tab.events, []);
  const user = await clock.until(tab.client.updateProfile({ first_name: 'Augusta' }));
  assert.equal(user.first_name, 'Augusta');
  assert.equal(tab.client.user, user);
  assert.deepEqual(tab.events, [{ type: 'user_updated', user }]);
});

test('a change of the password starts a new session', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  const passwords = { oldPassword: server.password, newPassword: 'a much better password' };
  const user = await clock.until(tab.client.changePassword(passwords));
  assert.equal(user.username, 'ada');
  assert.equal(server.live().length, 1);
  await clock.advance(400_000);
  await clock.until(tab.client.profile());
  assert.equal(server.password, 'a much better password');
});

test('a change of the password with an aged token renews it first', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  await clock.advance(400_000);
  const passwords = { oldPassword: server.password, newPassword: 'a much better password' };
  await clock.until(tab.client.changePassword(passwords));
  assert.equal(server.live().length, 1);
});

test('a change of the password that is refused says why, field by field', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  const wrong = tab.client.changePassword({
    oldPassword: 'no',
    newPassword: 'a much better password',
  });
  await assert.rejects(clock.until(wrong), { code: 'wrong_password', status: 403 });
  const short = tab.client.changePassword({ oldPassword: server.password, newPassword: 'short' });
  await assert.rejects(clock.until(short), (error) => {
    assert.ok(isCountersignError(error));
    assert.deepEqual(error.errors, { new_password: ['It is too short.'] });
    return true;
  });
  assert.equal(tab.client.user.username, 'ada');
});

test('the sessions are listed, and another one is ended', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  const phone = world();
  server.answer({
    method: 'POST',
    path: '/accounts/login',
    headers: new Headers(),
    body: { username: 'ada', password: phone.server.password },
    cookies: new Map(),
  });
  const sessions = await clock.until(tab.client.sessions());
  assert.deepEqual(
    sessions.map(({ current }) => current),
    [true, false],
  );
  assert.equal(await clock.until(tab.client.endSession(sessions[1].id)), undefined);
  assert.equal((await clock.until(tab.client.sessions())).length, 1);
  await assert.rejects(clock.until(tab.client.endSession('../profile')), {
    code: 'not_found',
    status: 404,
  });
});

test('all other sessions are ended at once', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  for (const _ of 'ab')
    server.answer({
      method: 'POST',
      path: '/accounts/login',
      headers: new Headers(),
      body: { username: 'ada', password: server.password },
      cookies: new Map(),
    });
  assert.equal(server.live().length, 3);
  await clock.until(tab.client.endOtherSessions());
  assert.equal(server.live().length, 1);
});

test('a session that was ended elsewhere is noticed at the next call', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  server.endAll(1, 'user_inactive');
  await assert.rejects(clock.until(tab.client.profile()), { code: 'user_inactive', status: 401 });
  assert.deepEqual(tab.events, [{ type: 'session_ended', user: null, code: 'user_inactive' }]);
  assert.equal(tab.client.user, null);
});

test('a listener that fails disturbs nobody, and one that left hears nothing', async (t) => {
  const { clock, server, browser } = world();
  const tab = browser.tab();
  const mistakes = [];
  t.mock.method(globalThis, 'queueMicrotask', (action) => {
    try {
      action();
    } catch (error) {
      mistakes.push(error.message);
    }
  });
  const heard = [];
  tab.client.onChange(() => {
    throw new Error('a mistake of the page');
  });
  const leave = tab.client.onChange(({ type }) => heard.push(type));
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  leave();
  await clock.until(tab.client.logout());
  assert.deepEqual(mistakes, Array(2).fill('a mistake of the page'));
  assert.deepEqual(heard, ['signed_in']);
  assert.equal(tab.events.length, 2);
});

test('an id that would end all other sessions is refused', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  const before = browser.log.length;
  for (const id of ['', '.', '..']) {
    await assert.rejects(clock.until(tab.client.endSession(id)), TypeError);
  }
  assert.equal(browser.log.length, before);
  assert.equal(server.live().length, 1);
});
