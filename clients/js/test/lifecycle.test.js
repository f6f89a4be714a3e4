// Sleep, clocks that are set, the back/forward cache, and places that are no page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createClient } from '../src/index.js';
import { API, world } from './support/browser.js';
import { settle } from './support/clock.js';

const HOUR = 3_600_000;
const get = (tab) => tab.client.fetch(`${API}/api/orders`);

test('after a night’s sleep the first request is signed in', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  clock.sleep(8 * HOUR);
  assert.equal((await clock.until(get(tab))).status, 200);
  assert.equal(browser.count('GET /api/orders'), 1, 'the dead token wasn’t tried');
  assert.equal(server.thefts, 0);
});

test('a laptop that fell asleep between the question and the answer asks again with the same key', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  await clock.advance(400_000);
  browser.loseAnswer('POST /accounts/refresh_token');
  browser.loseRequest('POST /accounts/refresh_token');
  await assert.rejects(clock.until(get(tab)), { code: 'unreachable' });
  clock.sleep(8 * HOUR);
  assert.equal((await clock.until(get(tab))).status, 200);
  assert.equal(server.thefts, 0);
});

test('an answer that a sleep delayed counts from when it was asked for', async () => {
  const { clock, browser } = world();
  const tab = await browser.signedInTab();
  await clock.advance(400_000);
  const release = browser.hold('POST /accounts/refresh_token');
  const first = get(tab);
  await settle();
  clock.sleep(HOUR);
  release();
  assert.equal((await clock.until(first)).status, 200);
});

test('a page that comes into view renews a token that is near its end', async () => {
  const { clock, browser } = world();
  const tab = await browser.signedInTab();
  await tab.meets('here');
  assert.equal(browser.refreshes(), 0, 'not a fresh one');
  clock.sleep(8 * HOUR);
  await tab.meets('here');
  await clock.advance(100);
  assert.equal(browser.refreshes(), 1);
});

test('a page that comes into view finds out that its session has ended', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  server.endAll(1);
  clock.sleep(8 * HOUR);
  await tab.meets('here');
  await clock.advance(100);
  assert.deepEqual(tab.events, [{ type: 'session_ended', user: null, code: 'session_ended' }]);
});

test('a page where nobody is signed in asks nothing when it comes into view', async () => {
  const { clock, browser } = world();
  const tab = browser.tab();
  await tab.meets('here');
  await tab.meets('here');
  await clock.advance(100);
  assert.equal(browser.log.length, 0);
});

for (const [what, step] of [
  ['an hour forward', HOUR],
  ['an hour back', -HOUR],
  ['a day forward', 24 * HOUR],
  ['a year back', -365 * 24 * HOUR],
]) {
  test(`a clock that is set ${what} costs one refresh at most`, async () => {
    const { clock, server, browser } = world();
    const tab = await browser.signedInTab();
    const other = browser.tab();
    await clock.until(other.client.restore());
    // Only the browser's clock: the server's own goes on.
    const serverClock = { offset: 0 };
    server.accessLifetime = 300;
    clock.step(step);
    serverClock.offset = step;
    for (const session of server.sessions.values()) session.rotatedAt += step;
    const before = browser.refreshes();
    for (let i = 0; i < 5; i += 1) {
      await clock.until(get(tab));
      await clock.until(get(other));
      await clock.advance(1_000);
    }
    assert.ok(browser.refreshes() - before <= 1);
    assert.equal(tab.client.user.username, 'ada');

    await clock.advance(400_000);
    await clock.until(Promise.all([get(tab), get(other)]));
    assert.ok(browser.refreshes() - before <= 2, 'and the tabs still share');
    assert.equal(server.thefts, 0);
  });
}

test('tabs still hear each other after the clock was put back', async () => {
  const { clock, server, browser } = world();
  const tab = await browser.signedInTab();
  const other = browser.tab();
  await clock.until(other.client.restore());
  clock.step(-24 * HOUR);
  await clock.until(tab.client.logout());
  assert.equal(other.client.user, null);
  await clock.until(other.client.login({ username: 'ada', password: server.password }));
  assert.equal(tab.client.user.username, 'ada');
});

test('a page that comes back from the back/forward cache hears of a logout that it missed', async () => {
  const { clock, browser } = world();
  const [tab, other] = [await browser.signedInTab(), browser.tab()];
  await tab.meets('away');
  await clock.until(other.client.logout());
  await clock.advance(1_000);
  assert.equal(tab.client.user.username, 'ada', 'it was asleep');
  await tab.meets('here');
  await clock.advance(1_000);
  assert.equal(tab.client.user, null);
  assert.deepEqual(
    tab.events.map(({ type }) => type),
    ['session_ended'],
  );
});

test('and of another user', async () => {
  const { clock, server, browser } = world();
  const [tab, other] = [await browser.signedInTab(), browser.tab()];
  await tab.meets('away');
  await clock.until(other.client.login({ username: 'bob', password: server.password }));
  await tab.meets('here');
  await clock.advance(1_000);
  assert.deepEqual(tab.events, [{ type: 'user_changed', user: null }]);
});

test('and is heard and hears again', async () => {
  const { clock, browser } = world();
  const [tab, other] = [await browser.signedInTab(), browser.tab()];
  await clock.until(other.client.restore());
  await tab.meets('away');
  await tab.meets('here');
  await clock.advance(1_000);
  assert.equal(tab.client.user.username, 'ada');
  await clock.until(other.client.logout());
  assert.equal(tab.client.user, null);
});

test('in the cache it has no channel open, and a late answer disturbs nothing', async () => {
  const { clock, browser } = world();
  const tab = await browser.signedInTab();
  await clock.advance(400_000);
  const release = browser.hold('POST /accounts/refresh_token');
  const request = get(tab);
  await settle();
  await tab.meets('away');
  release();
  assert.equal((await clock.until(request)).status, 200);
});

test('on a server each client stays by itself', async () => {
  // Node has channels too, and here two users' requests could be served in one process.
  const posted = [];
  const { BroadcastChannel: original } = globalThis;
  globalThis.BroadcastChannel = class {
    constructor() {
      posted.push(this);
    }
  };
  try {
    const fetch = async () =>
      Response.json({ access_token: 'a.b.c', expires_in: 300, user: { id: 1 } });
    const client = createClient({ baseUrl: API, platform: { fetch } });
    const other = createClient({ baseUrl: API, platform: { fetch } });
    await client.login({ username: 'ada', password: 'x' });
    assert.equal(client.user.id, 1);
    assert.equal(other.user, undefined);
    assert.equal(posted.length, 0);
  } finally {
    globalThis.BroadcastChannel = original;
  }
});

test('a client can be made where there is nothing but fetch', async () => {
  const calls = [];
  const fetch = async (url) => {
    calls.push(String(url));
    return new Response(null, { status: 500 });
  };
  const client = createClient({ baseUrl: 'https://api.example.com/auth/', platform: { fetch } });
  await assert.rejects(client.restore(), { code: 'unexpected_answer', status: 500 });
  assert.deepEqual(calls, ['https://api.example.com/auth/accounts/csrf']);
});

test('a base URL may be relative to the page', async () => {
  const { clock, server, browser } = world();
  const tab = browser.tab({ baseUrl: '/' });
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  assert.equal(browser.log[0].origin, API);
  const onServer = createClient({ baseUrl: '/', platform: { fetch: () => Promise.reject() } });
  await assert.rejects(onServer.restore(), { code: 'unreachable' }, 'where there is no page');
});

test('a page that is looked at again after a login elsewhere finds it', async () => {
  const { clock, server, browser } = world();
  const [tab, other] = [browser.tab(), browser.tab()];
  await clock.until(tab.client.restore());
  await tab.meets('away');
  await clock.until(other.client.login({ username: 'ada', password: server.password }));
  await tab.meets('here');
  await clock.advance(1_000);
  assert.equal(tab.client.user?.username, 'ada');
  assert.equal((await clock.until(get(tab))).status, 200);
});

test('but one that has stopped for another user stays so', async () => {
  const { clock, server, browser } = world();
  const [tab, other] = [await browser.signedInTab(), browser.tab()];
  await clock.until(other.client.login({ username: 'bob', password: server.password }));
  assert.equal(tab.client.user, null);
  await tab.meets('away');
  await tab.meets('here');
  await clock.advance(1_000);
  assert.deepEqual(
    tab.events.map(({ type }) => type),
    ['user_changed'],
  );
});
