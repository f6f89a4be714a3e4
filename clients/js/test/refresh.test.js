import assert from 'node:assert/strict';
import { test } from 'node:test';

import { API, world } from './support/browser.js';
import { Refusal } from './support/server.js';

const REFRESH = 'POST /accounts/refresh_token';
const keys = (browser) =>
  browser.log
    .filter(({ line }) => line === REFRESH)
    .map(({ headers }) => headers.get('Idempotency-Key'));

async function signedIn(options) {
  const all = world(options);
  const tab = await all.browser.signedInTab();
  const get = (path = '/api/orders') => all.clock.until(tab.client.fetch(API + path));
  return { ...all, tab, get };
}

// --- When ---------------------------------------------------------------------------------------

test('a fresh token is used as it is', async () => {
  const { clock, browser, get } = await signedIn();
  await clock.advance(250_000);
  assert.equal((await get()).status, 200);
  assert.equal(browser.refreshes(), 0);
});

test('an aging token is renewed while it still serves, and nobody waits for it', async () => {
  const { clock, browser, tab } = await signedIn();
  await clock.advance(265_000);
  const release = browser.hold(REFRESH);
  const response = await tab.client.fetch(`${API}/api/orders`);
  assert.equal(response.status, 200);
  await clock.advance(1_000); // the other tabs are asked first
  assert.equal(browser.refreshes(), 1);
  release();
  await clock.advance(1_000);
  await clock.advance(200_000);
  await clock.until(tab.client.fetch(`${API}/api/orders`));
  assert.equal(browser.refreshes(), 1, 'the new token serves');
});

test('a request that is refused late is repeated with a token that still serves', async () => {
  const { clock, browser, tab } = await signedIn();
  const other = browser.tab();
  await clock.until(other.client.restore());
  const release = browser.hold('GET /api/orders', { before: true });
  const response = tab.client.fetch(`${API}/api/orders`);
  await clock.advance(300_000);
  await clock.until(other.client.fetch(`${API}/api/invoices`)); // this renews it for both
  await clock.advance(400_000); // and that one, too, is old now
  release();
  assert.equal((await clock.until(response)).status, 200);
});

test('a token at its end is renewed before the request goes out', async () => {
  const { clock, browser, get } = await signedIn();
  await clock.advance(400_000);
  assert.equal((await get()).status, 200);
  const lines = browser.log.slice(-2).map(({ line }) => line);
  assert.deepEqual(lines, [REFRESH, 'GET /api/orders']);
});

test('many requests share one refresh', async () => {
  const { clock, browser, tab } = await signedIn();
  await clock.advance(400_000);
  const all = Array.from({ length: 20 }, () => tab.client.fetch(`${API}/api/orders`));
  const responses = await clock.until(Promise.all(all));
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(browser.refreshes(), 1);
});

test('a token of one second serves, too', async () => {
  const { clock, server, browser } = world();
  server.accessLifetime = 1;
  const tab = await browser.signedInTab();
  for (let second = 0; second < 20; second += 0.1) {
    assert.equal((await clock.until(tab.client.fetch(`${API}/api/orders`))).status, 200);
    await clock.advance(100);
  }
  assert.ok(browser.refreshes() <= 26, `${browser.refreshes()} refreshes`);
  assert.equal(server.thefts, 0);
});

test('an idle page sends nothing', async () => {
  const { clock, browser } = await signedIn();
  const before = browser.log.length;
  await clock.advance(3_600_000);
  assert.equal(browser.log.length, before);
});

// --- After a refusal ----------------------------------------------------------------------------

for (const code of ['token_expired', 'token_invalid', 'session_ended']) {
  test(`after 401 ${code} the request is sent once more, with a new token`, async () => {
    const { browser, get } = await signedIn();
    browser.refuse('GET /api/orders', 401, code);
    assert.equal((await get()).status, 200);
    assert.equal(browser.refreshes(), 1);
    assert.equal(browser.count('GET /api/orders'), 2);
  });
}

test('after a 401 of another server’s making, too', async () => {
  const { browser, get } = await signedIn();
  browser.intercept('GET /api/orders', { status: 401, body: 'Unauthorized' });
  assert.equal((await get()).status, 200);
  assert.equal(browser.refreshes(), 1);
});

for (const code of ['not_authenticated', 'token_prefix_missing']) {
  test(`after 401 ${code} no new token would help`, async () => {
    const { browser, get } = await signedIn();
    browser.refuse('GET /api/orders', 401, code);
    assert.equal((await get()).status, 401);
    assert.equal(browser.refreshes(), 0);
  });
}

test('an API that always refuses is asked twice, and no more', async () => {
  const { browser, get } = await signedIn();
  for (let i = 0; i < 9; i += 1) browser.refuse('GET /api/orders', 401, 'token_invalid');
  const response = await get();
  assert.equal(response.status, 401);
  assert.equal((await response.json()).code, 'token_invalid');
  assert.equal(browser.count('GET /api/orders'), 2);
  assert.equal(browser.refreshes(), 1);
});

test('403 csrf_failed is cured in the same way, and only once', async () => {
  const { clock, browser, tab } = await signedIn();
  const post = () =>
    clock.until(tab.client.fetch(`${API}/api/orders`, { method: 'POST', body: 'x' }));
  browser.refuse('POST /api/orders', 403, 'csrf_failed');
  assert.equal((await post()).status, 200);
  for (let i = 0; i < 9; i += 1) browser.refuse('POST /api/orders', 403, 'csrf_failed');
  const before = browser.count('POST /api/orders');
  assert.equal((await post()).status, 403);
  assert.equal(browser.count('POST /api/orders') - before, 2);
});

test('403 permission_denied is the page’s business', async () => {
  const { browser, get } = await signedIn();
  browser.refuse('GET /api/orders', 403, 'permission_denied');
  assert.equal((await (await get()).json()).code, 'permission_denied');
  assert.equal(browser.refreshes(), 0);
});

test('a 401 that comes after someone else’s refresh needs none of its own', async () => {
  const { clock, browser, tab } = await signedIn();
  const answer = new Refusal(401, 'token_expired').answer();
  const release = browser.hold('GET /api/slow', { answer });
  browser.refuse('GET /api/orders', 401, 'token_expired');
  const slow = tab.client.fetch(`${API}/api/slow`);
  await clock.until(tab.client.fetch(`${API}/api/orders`));
  release();
  assert.equal((await clock.until(slow)).status, 200);
  assert.equal(browser.refreshes(), 1);
});

test('a refresh that fails for a moment leaves the page the answer that it had', async () => {
  const { browser, get, tab } = await signedIn();
  browser.refuse('GET /api/orders', 401, 'token_expired');
  browser.refuse(REFRESH, 503, 'unavailable');
  assert.equal((await get()).status, 401);
  assert.equal(tab.client.user.username, 'ada');
  assert.equal((await get()).status, 200);
});

// --- When it fails ------------------------------------------------------------------------------

test('an aging token is used while the server can’t renew it', async () => {
  const { clock, browser, get } = await signedIn();
  await clock.advance(280_000);
  browser.refuse(REFRESH, 503, 'unavailable');
  assert.equal((await get()).status, 200);
});

test('with a dead token and no server, a request fails, and nobody is signed out', async () => {
  const { clock, browser, tab, get } = await signedIn();
  await clock.advance(400_000);
  browser.loseRequest(REFRESH);
  browser.loseRequest(REFRESH);
  await assert.rejects(get(), { code: 'unreachable' });
  assert.equal(browser.count('GET /api/orders'), 0);
  assert.deepEqual(tab.events, []);
  assert.equal((await get()).status, 200);
});

test('an overloaded server is left alone for as long as it asks', async () => {
  const { clock, browser, get } = await signedIn();
  await clock.advance(400_000);
  browser.refuse(REFRESH, 503, 'unavailable', { headers: { 'Retry-After': '7' } });
  await assert.rejects(get(), { code: 'unavailable', retryAfter: 7 });
  await assert.rejects(get(), { code: 'unavailable', retryAfter: 7 });
  assert.equal(browser.refreshes(), 1);
  await clock.advance(7_000);
  assert.equal((await get()).status, 200);
});

test('many requests share a refresh that fails, too', async () => {
  const { clock, browser, tab } = await signedIn();
  await clock.advance(400_000);
  browser.refuse(REFRESH, 503, 'unavailable');
  const all = Array.from({ length: 20 }, () => tab.client.fetch(`${API}/api/orders`));
  const results = await clock.until(Promise.allSettled(all));
  assert.ok(results.every(({ reason }) => reason?.code === 'unavailable'));
  assert.equal(browser.refreshes(), 1);
});

test('but not for longer than a minute', async () => {
  const { clock, browser, get } = await signedIn();
  await clock.advance(400_000);
  browser.refuse(REFRESH, 503, 'unavailable', { headers: { 'Retry-After': '86400' } });
  await assert.rejects(get(), { code: 'unavailable' });
  await clock.advance(60_000);
  assert.equal((await get()).status, 200);
});

test('a server that never answers is given up after seven seconds', async () => {
  const { clock, browser, tab } = await signedIn();
  await clock.advance(400_000);
  browser.hold(REFRESH);
  const request = tab.client.fetch(`${API}/api/orders`);
  const refused = assert.rejects(request, { code: 'timeout' });
  await clock.advance(7_500);
  await refused;
});

for (const [what, answer] of [
  ['a captive portal', { status: 200, body: '<h1>Welcome to Hotel Wi-Fi</h1>' }],
  ['a proxy', { status: 502, body: '<h1>Bad gateway</h1>' }],
  ['a proxy that wants its own login', { status: 401, body: '<h1>Proxy login</h1>' }],
  [
    'a stranger',
    { status: 200, body: { access_token: 'bad\ntoken', expires_in: 300, user: { id: 1 } } },
  ],
  ['nobody in particular', { status: 200, body: {} }],
  ['someone who names no user', { status: 200, body: { access_token: 'a.b.c', expires_in: 300 } }],
  [
    'someone with a wild CSRF token',
    {
      status: 200,
      body: { access_token: 'a.b.c', expires_in: 300, user: { id: 1 }, csrf_token: 'a\nb' },
    },
  ],
  ['another API', { status: 401, body: { code: 'session_ended' } }],
]) {
  test(`the answer of ${what} is no answer`, async () => {
    const { clock, server, browser, tab, get } = await signedIn();
    await clock.advance(400_000);
    browser.intercept(REFRESH, answer);
    await assert.rejects(get(), { code: 'unexpected_answer' });
    assert.deepEqual(tab.events, []);
    assert.equal((await get()).status, 200);
    assert.equal(new Set(keys(browser)).size, 1, 'the key is kept');
    assert.equal(server.thefts, 0);
  });
}

for (const code of [
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalid',
  'session_ended',
  'user_inactive',
  'not_authenticated',
]) {
  test(`401 ${code} ends the session here`, async () => {
    const { clock, browser, tab, get } = await signedIn();
    await clock.advance(400_000);
    browser.refuse(REFRESH, 401, code);
    await assert.rejects(get(), { code, status: 401 });
    assert.deepEqual(tab.events, [{ type: 'session_ended', user: null, code }]);
    assert.equal(browser.count('GET /api/orders'), 0, 'what a user wanted isn’t sent as nobody’s');
    assert.equal((await get()).status, 401, 'from then on it is');
    assert.equal(browser.refreshes(), 1);
  });
}

test('403 origin_not_allowed is a mistake in the settings, and ends nothing', async () => {
  const { clock, browser, tab, get } = await signedIn();
  await clock.advance(400_000);
  browser.refuse(REFRESH, 403, 'origin_not_allowed');
  await assert.rejects(get(), { code: 'origin_not_allowed', status: 403 });
  assert.equal(tab.client.user.username, 'ada');
});

// --- Lost answers -------------------------------------------------------------------------------

test('a refresh whose answer is lost is repeated at once with the same key', async () => {
  const { clock, server, browser, get } = await signedIn();
  await clock.advance(400_000);
  browser.loseAnswer(REFRESH);
  assert.equal((await get()).status, 200);
  const [first, second] = keys(browser);
  assert.match(first, /^[\x21-\x7e]{22,128}$/);
  assert.equal(first, second);
  assert.equal(server.rotations, 1);
});

test('and hours later, though the grace is long over', async () => {
  const { clock, server, browser, get } = await signedIn();
  await clock.advance(400_000);
  browser.loseAnswer(REFRESH);
  browser.loseRequest(REFRESH);
  await assert.rejects(get(), { code: 'unreachable' });
  await clock.advance(8 * 3_600_000);
  assert.equal((await get()).status, 200);
  assert.equal(new Set(keys(browser)).size, 1);
  assert.equal(server.thefts, 0);
});

test('and where there is no storage to keep the key in', async () => {
  const { clock, server, browser, get } = await signedIn({ hasStorage: false });
  await clock.advance(400_000);
  browser.loseAnswer(REFRESH);
  browser.loseRequest(REFRESH);
  await assert.rejects(get(), { code: 'unreachable' });
  await clock.advance(8 * 3_600_000);
  assert.equal((await get()).status, 200);
  assert.equal(server.thefts, 0);
});

test('and by a page that was reloaded in between', async () => {
  const { clock, server, browser, tab } = await signedIn();
  await clock.advance(400_000);
  const release = browser.hold(REFRESH);
  tab.client.fetch(`${API}/api/orders`);
  await clock.advance(1_000);
  tab.close();
  release();
  await clock.advance(3_600_000);
  const next = browser.tab();
  assert.equal((await clock.until(next.client.restore())).username, 'ada');
  assert.equal(new Set(keys(browser)).size, 1);
  assert.equal(server.thefts, 0);
});

test('a refusal in between doesn’t lose the key of a lost answer', async () => {
  for (const [status, code] of [
    [503, 'unavailable'],
    [429, 'throttled'],
    [403, 'origin_not_allowed'],
  ]) {
    const { clock, server, browser, get } = await signedIn();
    await clock.advance(400_000);
    browser.loseAnswer(REFRESH);
    browser.refuse(REFRESH, status, code);
    await assert.rejects(get(), { code });
    await clock.advance(3_600_000);
    assert.equal((await get()).status, 200);
    assert.equal(server.thefts, 0);
  }
});

test('each refresh has a key of its own', async () => {
  const { clock, browser, get } = await signedIn();
  for (let i = 0; i < 3; i += 1) {
    await clock.advance(400_000);
    await get();
  }
  assert.equal(new Set(keys(browser)).size, 3);
});

test('a key that something else has spoiled is replaced', async () => {
  for (const spoiled of ['', 'short', 'x'.repeat(200), 'with spaces and more than 22']) {
    const { clock, browser, get } = await signedIn();
    browser.storage.set(`countersign ${API}/accounts/ key`, spoiled);
    await clock.advance(400_000);
    assert.equal((await get()).status, 200);
  }
});

test('without the key the same history would have been taken for theft', async () => {
  const { clock, server, browser, get } = await signedIn();
  await clock.advance(400_000);
  browser.loseAnswer(REFRESH);
  browser.loseRequest(REFRESH);
  await assert.rejects(get(), { code: 'unreachable' });
  const strayed = server.answer({
    method: 'POST',
    path: '/accounts/refresh_token',
    headers: new Headers({ 'X-CSRFTOKEN': browser.jar.get('csrftoken') }),
    cookies: browser.jar,
  });
  assert.equal(strayed.status, 200, 'within the grace');
  await clock.advance(3_600_000);
  const late = server.answer({
    method: 'POST',
    path: '/accounts/refresh_token',
    headers: new Headers({ 'X-CSRFTOKEN': browser.jar.get('csrftoken') }),
    cookies: browser.jar,
  });
  assert.equal(late.body.code, 'refresh_token_reused');
});

// --- The CSRF token -----------------------------------------------------------------------------

test('the token in memory counts before the cookie', async () => {
  const { clock, browser, get } = await signedIn();
  browser.jar.set('csrftoken', 'planted-by-a-neighbour');
  await clock.advance(400_000);
  assert.equal((await get()).status, 200);
  assert.equal(browser.count('GET /accounts/csrf'), 0);
});

test('after csrf_failed the client asks once and tries once more', async () => {
  const { clock, browser, get, tab } = await signedIn();
  await clock.advance(400_000);
  browser.refuse(REFRESH, 403, 'csrf_failed');
  assert.equal((await get()).status, 200);
  assert.equal(browser.count('GET /accounts/csrf'), 1);

  await clock.advance(400_000);
  for (let i = 0; i < 9; i += 1) browser.refuse(REFRESH, 403, 'csrf_failed');
  const before = browser.refreshes();
  await assert.rejects(get(), { code: 'csrf_failed' });
  assert.equal(browser.refreshes() - before, 2);
  assert.equal(tab.client.user.username, 'ada', 'it isn’t known that the session is over');
});

test('a CSRF token that could stand in no header is none', async () => {
  const { clock, browser } = world({ canReadCookies: false });
  (await browser.signedInTab()).close();
  const tab = browser.tab();
  browser.intercept('GET /accounts/csrf', { status: 200, body: { csrf_token: 'csrf-\n' } });
  await assert.rejects(clock.until(tab.client.restore()), { code: 'unexpected_answer' });
  assert.equal(browser.refreshes(), 0);
});

test('a request that finds another user behind the session says so', async () => {
  const { clock, server, browser, tab, get } = await signedIn({ hasChannel: false });
  await clock.until(browser.tab().client.login({ username: 'bob', password: server.password }));
  await assert.rejects(get(), { code: 'user_changed' }, 'the token itself was still fresh');
  assert.equal(browser.count('GET /api/orders'), 1);
  assert.deepEqual(tab.events, [{ type: 'user_changed', user: null }]);
});

test('and stops if the user is another one', async () => {
  const { clock, server, browser, tab, get } = await signedIn({ hasChannel: false });
  const other = browser.tab();
  await clock.until(other.client.login({ username: 'bob', password: server.password }));
  await clock.advance(400_000);
  await assert.rejects(get(), { code: 'user_changed', status: 0 });
  assert.equal(browser.count('GET /api/orders'), 0);
  assert.equal(tab.client.user, null);
  assert.deepEqual(tab.events, [{ type: 'user_changed', user: null }]);
  await assert.rejects(get(), { code: 'user_changed' });
  await assert.rejects(clock.until(tab.client.profile()), { code: 'user_changed' });
  await assert.rejects(clock.until(tab.client.logout()), { code: 'user_changed' });
  assert.equal((await clock.until(tab.client.restore())).username, 'bob', 'until the page decides');
  assert.equal((await (await get()).json()).user, 'bob');
});

test('an API that refuses each token doesn’t make each request refresh', async () => {
  const { clock, browser, tab } = await signedIn();
  for (let i = 0; i < 100; i += 1) {
    browser.intercept('GET /api/other', { status: 401, body: 'Unauthorized' });
  }
  for (let i = 0; i < 20; i += 1) {
    assert.equal((await clock.until(tab.client.fetch(`${API}/api/other`))).status, 401);
    await clock.advance(100);
  }
  assert.equal(browser.refreshes(), 1);
  assert.equal(browser.count('GET /api/other'), 21);
  await clock.advance(5_000);
  await clock.until(tab.client.fetch(`${API}/api/other`));
  assert.equal(browser.refreshes(), 2, 'later it is tried again');
});
