import assert from 'node:assert/strict';
import { test } from 'node:test';

import { API, world } from './support/browser.js';
import { settle } from './support/clock.js';
import { Refusal } from './support/server.js';

const REFRESH = 'POST /accounts/refresh_token';
const get = (tab) => tab.client.fetch(`${API}/api/orders`);

/** A browser in which that many tabs are signed in. */
async function tabs(count, options) {
  const all = world(options);
  const first = await all.browser.signedInTab();
  const others = Array.from({ length: count - 1 }, () => all.browser.tab());
  await all.clock.until(Promise.all(others.map(({ client }) => client.restore())));
  for (const tab of others) tab.events.length = 0;
  return { ...all, tabs: [first, ...others], restores: all.browser.refreshes() };
}

test('a new tab gets its tokens from one that has them', async () => {
  const { browser, tabs: all } = await tabs(8);
  assert.equal(browser.refreshes(), 0);
  assert.ok(all.every(({ client }) => client.user.username === 'ada'));
});

test('eight tabs make the refreshes of one', async () => {
  const { clock, browser, tabs: all } = await tabs(8);
  for (let round = 1; round <= 5; round += 1) {
    await clock.advance(400_000);
    const responses = await clock.until(Promise.all(all.map(get)));
    assert.ok(responses.every(({ status }) => status === 200));
    assert.equal(browser.refreshes(), round);
  }
});

test('eight busy tabs with a token of one second make the refreshes of one', async () => {
  const { clock, server, browser } = world();
  server.accessLifetime = 1;
  const first = await browser.signedInTab();
  const all = [first, ...Array.from({ length: 7 }, () => browser.tab())];
  let requests = 0;
  const work = async (tab, nth) => {
    const end = clock.wall + 20_000;
    while (clock.wall < end) {
      assert.equal((await get(tab)).status, 200);
      requests += 1;
      await new Promise((resolve) => clock.setTimeout(resolve, 90 + nth * 7));
    }
  };
  await clock.until(Promise.all(all.map(work)));
  assert.ok(requests > 1000, `${requests} requests`);
  assert.ok(browser.refreshes() <= 27, `${browser.refreshes()} refreshes in 20 s`);
  assert.equal(server.thefts, 0);
});

test('a tab that needs a token just as another has got one makes no request', async () => {
  const {
    clock,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  await clock.advance(400_000);
  const release = browser.hold(REFRESH);
  const first = get(one);
  await settle();
  const second = get(other);
  await settle();
  release();
  await clock.until(Promise.all([first, second]));
  assert.equal(browser.refreshes(), 1);
});

for (const [what, options] of [
  ['with Web Locks and a channel', {}],
  ['without Web Locks', { hasLocks: false }],
  ['without a channel', { hasChannel: false }],
  ['without Web Locks and local storage', { hasLocks: false, hasStorage: false }],
  ['without anything', { hasLocks: false, hasStorage: false, hasChannel: false }],
]) {
  test(`tabs that race keep their session ${what}`, async () => {
    const { clock, server, browser, tabs: all } = await tabs(6, options);
    const before = browser.refreshes();
    for (let round = 0; round < 4; round += 1) {
      await clock.advance(400_000);
      const responses = await clock.until(Promise.all(all.map(get)));
      assert.ok(responses.every(({ status }) => status === 200));
    }
    assert.equal(server.thefts, 0);
    assert.equal(server.live().length, 1);
    const isShared =
      options.hasChannel !== false && (options.hasLocks !== false || options.hasStorage !== false);
    if (isShared) assert.equal(browser.refreshes() - before, 4);
  });
}

test('a tab that is frozen in the middle of a refresh holds the others up for seconds, not for ever', async () => {
  for (const hasLocks of [true, false]) {
    const {
      clock,
      server,
      browser,
      tabs: [frozen, other],
    } = await tabs(2, { hasLocks });
    await clock.advance(400_000);
    browser.hold(REFRESH);
    get(frozen);
    await clock.advance(100);
    frozen.freeze();
    const request = get(other);
    await clock.advance(12_500);
    assert.equal((await request).status, 200);
    assert.equal(server.thefts, 0);
  }
});

test('a tab whose timers are throttled holds nobody up', async () => {
  const { clock, browser, tabs: all } = await tabs(1);
  // As browsers do where nobody looks.
  const throttled = { setTimeout: (action, ms) => clock.setTimeout(action, ms + 1_000) };
  const hidden = browser.tab({ platform: throttled });
  await clock.until(hidden.client.restore());
  await clock.advance(400_000);
  const release = browser.hold(REFRESH);
  get(hidden);
  await clock.advance(2_000);
  const request = get(all[0]);
  await settle();
  release();
  for (let turn = 0; turn < 5; turn += 1) await settle();
  const late = Symbol('still waiting for the lock');
  const response = await Promise.race([request, Promise.resolve(late)]);
  assert.equal(response.status, 200, 'it has heard of the new token');
  assert.equal(browser.refreshes(), 1);
});

for (const channelDelay of [10, 40]) {
  test(`news that take ${channelDelay} ms save a refresh, too`, async () => {
    const {
      clock,
      browser,
      tabs: [one, other],
    } = await tabs(2, { channelDelay });
    await clock.advance(400_000);
    const before = browser.refreshes();
    const first = get(one);
    if (channelDelay > 25) get(other);
    await settle();
    const second = get(other);
    await clock.until(Promise.all([first, second]));
    await clock.advance(1_000);
    assert.equal(browser.refreshes() - before, 1);
  });
}

test('a browser that grants no lock at all is no obstacle', async () => {
  const { clock, server, browser } = world();
  const request = async () => {
    throw new DOMException('The document is sandboxed.', 'SecurityError');
  };
  const tab = browser.tab({ platform: { locks: { request } } });
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  assert.equal(tab.client.user.username, 'ada');
});

test('without Web Locks, a note of a page that is gone counts for seconds only, whatever the clock says', async () => {
  const {
    clock,
    browser,
    tabs: [tab],
  } = await tabs(1, { hasLocks: false });
  await clock.advance(400_000);
  for (const until of [clock.wall + 2_900, clock.wall + 86_400_000, 'nonsense']) {
    browser.storage.set(`countersign ${API}/accounts/`, `gone ${until}`);
    const request = get(tab);
    await clock.advance(3_500);
    assert.equal((await request).status, 200);
    await clock.advance(400_000);
  }
  assert.deepEqual([...browser.storage], [], 'and its own is taken away');
});

for (const options of [{}, { hasLocks: false }]) {
  test(`whatever changes the cookies waits for its turn (${JSON.stringify(options)})`, async () => {
    const {
      clock,
      server,
      browser,
      tabs: [one, other],
    } = await tabs(2, options);
    for (const [line, change] of [
      [
        'POST /accounts/login',
        () => one.client.login({ username: 'ada', password: server.password }),
      ],
      [
        'POST /accounts/password',
        () =>
          one.client.changePassword({
            oldPassword: server.password,
            newPassword: 'a much better password',
          }),
      ],
      ['POST /accounts/logout', () => one.client.logout()],
    ]) {
      const before = browser.count(line);
      browser.refuse('GET /api/orders', 401, 'token_invalid');
      const release = browser.hold(REFRESH);
      const request = get(other);
      await clock.advance(100);
      const done = change();
      await clock.advance(100);
      assert.equal(browser.count(line), before, line);
      release();
      await clock.until(Promise.all([request, done]));
      assert.equal(browser.count(line), before + 1, line);
      await clock.advance(11_000);
    }
  });
}

test('and so it does within one page, where nothing is shared', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [tab],
  } = await tabs(1, { hasLocks: false, hasStorage: false, hasChannel: false });
  await clock.advance(400_000);
  const release = browser.hold(REFRESH);
  const request = get(tab);
  await settle();
  const login = tab.client.login({ username: 'ada', password: server.password });
  await settle();
  assert.equal(browser.count('POST /accounts/login'), 1, 'the first one');
  release();
  await clock.until(Promise.all([request, login]));
});

// Without any lock two tabs can be at it at once.
const UNLOCKED = { hasLocks: false, hasStorage: false };

test('an answer that comes after a logout signs nobody in', async () => {
  const {
    clock,
    browser,
    tabs: [one, other],
  } = await tabs(2, UNLOCKED);
  browser.refuse('GET /api/orders', 401, 'token_invalid');
  const release = browser.hold(REFRESH);
  const request = get(one);
  await settle();
  await clock.until(other.client.logout());
  release();
  await clock.until(request);
  await clock.advance(1_000);
  assert.equal(one.client.user, null);
  assert.equal(other.client.user, null);
});

test('a refusal that comes after a login ends nothing', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, other],
  } = await tabs(2, UNLOCKED);
  browser.refuse('GET /api/orders', 401, 'token_invalid');
  const release = browser.hold(REFRESH, { answer: new Refusal(401, 'session_ended').answer() });
  const request = get(one);
  await settle();
  await clock.until(other.client.login({ username: 'ada', password: server.password }));
  release();
  assert.equal((await clock.until(request)).status, 200);
  assert.equal(one.client.user.username, 'ada');
  assert.equal(other.client.user.username, 'ada');
  assert.deepEqual(one.events, []);
});

test('a tab that is closed in the middle of a refresh is made good by another, with its key', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [closed, other],
  } = await tabs(2);
  await clock.advance(400_000);
  const release = browser.hold(REFRESH);
  get(closed);
  await clock.advance(100);
  closed.close();
  release();
  await clock.advance(3_600_000);
  assert.equal((await clock.until(get(other))).status, 200);
  const keys = browser.log
    .filter(({ line }) => line === REFRESH)
    .map(({ headers }) => headers.get('Idempotency-Key'));
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  assert.equal(server.thefts, 0);
});

test('a login in one tab is a login in all', async () => {
  const { clock, server, browser } = world();
  const [one, other] = [browser.tab(), browser.tab()];
  await clock.until(other.client.restore());
  await clock.until(one.client.login({ username: 'ada', password: server.password }));
  assert.equal(other.client.user.username, 'ada');
  assert.deepEqual(
    other.events.map(({ type }) => type),
    ['signed_out', 'signed_in'],
  );
  assert.equal((await clock.until(get(other))).status, 200);
});

test('a logout in one tab is a logout in all', async () => {
  const { clock, browser, tabs: all } = await tabs(3);
  await clock.until(all[1].client.logout());
  await settle();
  for (const tab of all) {
    assert.equal(tab.client.user, null);
    assert.deepEqual(tab.events, [{ type: 'signed_out', user: null }]);
    assert.equal((await clock.until(get(tab))).status, 401);
  }
  assert.equal(browser.log.at(-1).headers.has('Authorization'), false);
});

test('a session that one tab finds ended is over in all, with the reason', async () => {
  const { clock, server, browser, tabs: all } = await tabs(3);
  server.endAll(1, 'user_inactive');
  await clock.until(get(all[0]));
  await settle();
  for (const tab of all) {
    assert.deepEqual(tab.events, [{ type: 'session_ended', user: null, code: 'user_inactive' }]);
  }
  assert.equal(browser.refreshes(), 1);
});

test('a changed password leaves the other tabs signed in', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  await clock.until(
    one.client.changePassword({
      oldPassword: server.password,
      newPassword: 'a much better password',
    }),
  );
  assert.equal((await clock.until(get(other))).status, 200);
  assert.equal(browser.refreshes(), 0);
  assert.deepEqual(other.events, []);
});

test('a changed profile shows in all tabs', async () => {
  const {
    clock,
    tabs: [one, other],
  } = await tabs(2);
  await clock.until(one.client.updateProfile({ first_name: 'Augusta' }));
  await settle();
  assert.equal(other.client.user.first_name, 'Augusta');
  assert.deepEqual(
    other.events.map(({ type }) => type),
    ['user_updated'],
  );
});

test('when another user signs in, the other tabs stop', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  await clock.until(one.client.login({ username: 'bob', password: server.password }));
  await settle();
  assert.equal(other.client.user, null);
  assert.deepEqual(other.events, [{ type: 'user_changed', user: null }]);
  const before = browser.log.length;
  await assert.rejects(get(other), { code: 'user_changed' });
  await assert.rejects(other.client.updateProfile({ first_name: 'Bobby' }), {
    code: 'user_changed',
  });
  assert.equal(browser.log.length, before, 'nothing goes out as the other user');
  await clock.advance(400_000);
  await clock.until(get(one));
  assert.equal(other.client.user, null, 'nor when the other user’s token is renewed');
  await clock.until(other.client.login({ username: 'bob', password: server.password }));
  assert.equal(other.client.user.username, 'bob');
});

test('a request that was under way as one user is not repeated as another', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  const release = browser.hold('POST /api/orders', { before: true });
  const order = other.client.fetch(`${API}/api/orders`, { method: 'POST', body: 'one book' });
  await settle();
  await clock.until(one.client.logout());
  await clock.until(one.client.login({ username: 'bob', password: server.password }));
  await settle();
  assert.equal(
    other.client.user.username,
    'bob',
    'a tab that showed nobody goes on as the new user',
  );
  release();
  assert.equal((await clock.until(order)).status, 401);
  assert.equal(browser.count('POST /api/orders'), 1);
});

test('old news doesn’t undo newer news', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, late, asking],
  } = await tabs(3);
  // `late` has heard nothing of the logout yet when it answers `asking`.
  const stale = {
    accessToken: 'access-old',
    csrfToken: browser.jar.get('csrftoken'),
    lifetime: 300_000,
  };
  const told = clock.wall;
  await clock.until(one.client.logout());
  const channel = browser
    .platform('script', 'https://app.example.com/')
    .channel(`countersign ${API}/accounts/`);
  channel.postMessage({ tokens: { ...stale, user: server.users.get(1), born: told, at: told } });
  await settle();
  for (const tab of [one, late, asking]) assert.equal(tab.client.user, null);
});

test('an old logout doesn’t end a new session', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  const csrfToken = browser.jar.get('csrftoken');
  await clock.until(one.client.login({ username: 'ada', password: server.password }));
  const channel = browser
    .platform('script', 'https://app.example.com/')
    .channel(`countersign ${API}/accounts/`);
  channel.postMessage({
    end: { csrfToken, type: 'signed_out', code: 'x', at: clock.wall + 1_000 },
  });
  await settle();
  assert.equal(one.client.user.username, 'ada');
  assert.equal(other.client.user.username, 'ada');
});

test('two APIs on one page keep the keys of their refreshes apart', async () => {
  const { clock, browser, server } = world();
  const tab = await browser.signedInTab();
  const other = browser.tab({ baseUrl: 'https://app.example.com/second' });
  browser.intercept('GET /second/accounts/csrf', { status: 200, body: { csrf_token: 'x' } });
  browser.intercept('POST /second/accounts/refresh_token', { status: 502, body: 'Bad gateway' });
  await assert.rejects(clock.until(other.client.restore()), { code: 'unexpected_answer' });
  const kept = [...browser.storage];
  assert.equal(kept.length, 1);
  await clock.advance(400_000);
  await clock.until(get(tab));
  assert.deepEqual([...browser.storage], kept);
  assert.equal(server.thefts, 0);
});

test('clients of two APIs on one page share nothing', async () => {
  const { clock, server, browser } = world();
  const one = browser.tab();
  const other = browser.tab({ baseUrl: 'https://other-api.example.com' });
  await clock.until(one.client.login({ username: 'ada', password: server.password }));
  assert.equal(other.client.user, undefined);
});

test('a request that was under way when another user came doesn’t undo the stop', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  const release = browser.hold('POST /api/orders', { before: true });
  const order = other.client.fetch(`${API}/api/orders`, { method: 'POST', body: 'one book' });
  await settle();
  await clock.until(one.client.login({ username: 'bob', password: server.password }));
  await settle();
  release();
  await assert.rejects(clock.until(order), { code: 'user_changed' });
  await clock.advance(1_000);
  assert.equal(other.client.user, null);
  assert.deepEqual(other.events, [{ type: 'user_changed', user: null }]);
  assert.equal(browser.refreshes(), 0);
});

test('a request that was under way at a logout is answered, and nothing more is asked', async () => {
  const {
    clock,
    browser,
    tabs: [tab],
  } = await tabs(1);
  const release = browser.hold('GET /api/orders', { before: true });
  const request = get(tab);
  await settle();
  await clock.until(tab.client.logout());
  const before = browser.log.length;
  release();
  assert.equal((await clock.until(request)).status, 401);
  assert.equal(browser.log.length, before);
  assert.deepEqual(tab.events, [{ type: 'signed_out', user: null }]);
});

test('without Web Locks, a slow refresh is still waited for', async () => {
  const { clock, browser, tabs: all } = await tabs(6, { hasLocks: false });
  const before = browser.refreshes();
  await clock.advance(400_000);
  const release = browser.hold(REFRESH);
  const requests = Promise.all(all.map(get));
  await clock.advance(6_000);
  release();
  const responses = await clock.until(requests);
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(browser.refreshes() - before, 1);
});

test('whoever passes a silent tab by does so within the server’s grace', async () => {
  const {
    clock,
    server,
    browser,
    tabs: [silent, other],
  } = await tabs(2, { hasStorage: false });
  await clock.advance(400_000);
  browser.hold(REFRESH); // the server has rotated, and its answer is lost
  get(silent).catch(() => {});
  await clock.advance(100);
  assert.equal((await clock.until(get(other))).status, 200);
  assert.equal(server.thefts, 0);
});

test('a key that another tab has settled isn’t used again', async () => {
  const {
    clock,
    browser,
    tabs: [one, other],
  } = await tabs(2);
  await clock.advance(400_000);
  browser.loseAnswer(REFRESH);
  browser.loseRequest(REFRESH);
  await assert.rejects(clock.until(get(one)), { code: 'unreachable' });
  await clock.until(get(other));
  await clock.advance(400_000);
  await clock.until(get(one));
  const keys = browser.log
    .filter(({ line }) => line === REFRESH)
    .map(({ headers }) => headers.get('Idempotency-Key'));
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.notEqual(keys[3], keys[0]);
});
