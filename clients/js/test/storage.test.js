// Body delivery: apps with a secure storage of their own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createClient, keychain as overStorage } from '../src/index.js';
import { API, world } from './support/browser.js';
import { settle } from './support/clock.js';

const TOKEN = 'countersign.refresh_token.https_3a_2f_2fapp.example.com_2faccounts_2f';
const get = (tab) => tab.client.fetch(`${API}/api/orders`);

/** A keychain, which takes its time. */
function keychain() {
  const held = new Map();
  return {
    held,
    get: async (name) => held.get(name) ?? null,
    set: async (name, value) => void held.set(name, value),
    remove: async (name) => void held.delete(name),
  };
}

/** An app: no cookies, and no tabs unless it says so. */
function app(
  storage = keychain(),
  options = { hasLocks: false, hasChannel: false, hasStorage: false },
) {
  const all = world(options);
  const open = () => all.browser.tab({ storage });
  return { ...all, storage, open };
}

test('the refresh token comes in the body and goes into the storage', async () => {
  const { clock, server, browser, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  assert.equal(JSON.parse(browser.log[0].text).token_delivery, 'body');
  assert.deepEqual([...storage.held.keys()], [TOKEN]);
  assert.match(storage.held.get(TOKEN), /^refresh-/);
  assert.equal(browser.jar.size, 0);
  assert.equal((await clock.until(get(tab))).status, 200);
});

test('there is no CSRF token, and none is sent', async () => {
  const { clock, server, browser, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  const post = tab.client.fetch(`${API}/api/orders`, { method: 'POST' });
  assert.equal((await clock.until(post)).status, 200);
  assert.ok(browser.log.every(({ headers }) => !headers.has('X-CSRFTOKEN')));
  const own = browser.log.filter(({ line }) => line.includes('/accounts/'));
  assert.ok(
    own.every(({ credentials }) => credentials === 'omit'),
    'and no cookie',
  );
});

test('it is renewed, and what is stored is always the newest', async () => {
  const { clock, server, browser, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  const tokens = new Set();
  for (let i = 0; i < 4; i += 1) {
    tokens.add(storage.held.get(TOKEN));
    await clock.advance(400_000);
    assert.equal((await clock.until(get(tab))).status, 200);
  }
  assert.equal(tokens.size, 4);
  assert.equal(browser.refreshes(), 4);
  assert.equal(server.thefts, 0);
});

test('an app that is started again is signed in again', async () => {
  const { clock, server, open } = app();
  await clock.until(open().client.login({ username: 'ada', password: server.password }));
  await clock.advance(400_000);
  assert.equal((await clock.until(open().client.restore())).username, 'ada');
});

test('an app that was never signed in asks nobody', async () => {
  const { clock, browser, open } = app();
  assert.equal(await clock.until(open().client.restore()), null);
  assert.equal(browser.log.length, 0);
});

test('an app that was killed before the answer came asks again with the same key', async () => {
  const { clock, server, browser, storage, open } = app();
  const killed = open();
  await clock.until(killed.client.login({ username: 'ada', password: server.password }));
  await clock.advance(400_000);
  const release = browser.hold('POST /accounts/refresh_token');
  get(killed);
  await clock.advance(100);
  assert.equal(storage.held.size, 2);
  killed.close();
  release();
  await clock.advance(3_600_000);
  assert.equal((await clock.until(open().client.restore())).username, 'ada');
  assert.equal(server.thefts, 0);
  assert.equal(storage.held.size, 1);
});

test('a storage that fails at the wrong moment loses nothing', async () => {
  const { clock, server, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  await clock.advance(400_000);
  const { set } = storage;
  storage.set = async (name, value) => {
    if (name === TOKEN) throw new Error('The keychain is locked.');
    return set(name, value);
  };
  await assert.rejects(clock.until(get(tab)), { message: 'The keychain is locked.' });
  storage.set = set;
  await clock.advance(3_600_000);
  assert.equal((await clock.until(get(tab))).status, 200, 'the old token with the same key');
  assert.equal(server.thefts, 0);
});

test('a logout empties the storage', async () => {
  const { clock, server, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  await clock.until(tab.client.logout());
  assert.equal(storage.held.size, 0);
  assert.equal(server.live().length, 0);
});

test('a logout works though the storage was wiped', async () => {
  const { clock, server, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  storage.held.clear();
  await clock.until(tab.client.logout());
  assert.equal(tab.client.user, null);
  assert.equal(server.live().length, 0);
});

test('so does a session that the server has ended', async () => {
  const { clock, server, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  server.endAll(1);
  await assert.rejects(clock.until(tab.client.profile()), { code: 'session_ended' });
  assert.equal(storage.held.size, 0);
});

test('a changed password is followed by the new session’s token', async () => {
  const { clock, server, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  await clock.until(
    tab.client.changePassword({
      oldPassword: server.password,
      newPassword: 'a much better password',
    }),
  );
  await clock.advance(400_000);
  assert.equal((await clock.until(get(tab))).status, 200);
});

test('the windows of an Electron app share one session', async () => {
  const { clock, server, browser, open } = app(keychain(), {});
  const windows = [open(), open(), open()];
  await clock.until(windows[0].client.login({ username: 'ada', password: server.password }));
  for (let round = 1; round <= 3; round += 1) {
    await clock.advance(400_000);
    const responses = await clock.until(Promise.all(windows.map(get)));
    assert.ok(responses.every(({ status }) => status === 200));
    assert.equal(browser.refreshes(), round);
  }
  await clock.until(windows[1].client.logout());
  assert.ok(windows.every(({ client }) => client.user === null));
});

test('old news of a logout doesn’t end a new session', async () => {
  const { clock, server, browser, open } = app(keychain(), {});
  const tab = open();
  const before = clock.wall;
  await clock.advance(1_000);
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  const channel = browser.platform('late', `${API}/`).channel(`countersign ${API}/accounts/`);
  channel.postMessage({ end: { csrfToken: undefined, type: 'signed_out', code: 'x', at: before } });
  await settle();
  assert.equal(tab.client.user.username, 'ada');
});

test('localStorage and sessionStorage are refused by name', () => {
  class Storage {
    getItem() {}
    setItem() {}
    removeItem() {}
    get() {}
    set() {}
    remove() {}
  }
  for (const storage of [new Storage(), 'localStorage', {}, { getItem() {}, setItem() {} }]) {
    assert.throws(() => overStorage(storage), {
      name: 'TypeError',
      message: /localStorage/,
    });
  }
});

test('a token goes to no other API over the same storage', async () => {
  const { clock, server, browser, storage, open } = app();
  const tab = open();
  await clock.until(tab.client.login({ username: 'ada', password: server.password }));
  const before = browser.log.length;
  for (const baseUrl of [
    'https://staging.example.com',
    `${API}/second`,
    'https://app-example.com',
  ]) {
    const other = browser.tab({ storage, baseUrl });
    assert.equal(await clock.until(other.client.restore()), null);
  }
  assert.equal(browser.log.length, before);
  assert.ok([...storage.held.keys()].every((name) => /^[\w.-]+$/.test(name)));
});

test('a changed password waits for its turn until its token is stored', async () => {
  const { clock, server, browser, storage, open } = app(keychain(), {});
  const [one, other] = [open(), open()];
  await clock.until(one.client.login({ username: 'ada', password: server.password }));
  await clock.until(other.client.restore());
  await clock.advance(200_000);
  const slow =
    (call) =>
    async (...values) => {
      await new Promise((resolve) => clock.setTimeout(resolve, 150));
      return call(...values);
    };
  Object.assign(storage, { set: slow(storage.set), remove: slow(storage.remove) });
  const release = browser.hold('POST /accounts/password');
  const change = one.client.changePassword({
    oldPassword: server.password,
    newPassword: 'a much better password',
  });
  await clock.advance(50);
  const request = get(other); // refused, since its session is over: it refreshes
  await clock.advance(400);
  release();
  await clock.until(Promise.all([change, request]));
  await clock.advance(2_000);
  assert.equal(one.client.user?.username, 'ada');
  assert.ok(storage.held.has(TOKEN));
  await clock.advance(400_000);
  assert.equal((await clock.until(get(one))).status, 200);
});
