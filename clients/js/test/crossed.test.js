// News that cross on their way: an answer, and a message that was sent before and is heard after it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { API, world } from './support/browser.js';
import { settle } from './support/clock.js';

const types = (tab) => tab.events.map(({ type }) => type);

/** Two tabs, signed in, whose messages wait until they are delivered. */
async function slowTabs() {
  const all = world();
  const queue = [];
  const ends = [];
  const channel = () => {
    const end = {
      onmessage: null,
      close() {},
      postMessage(message) {
        const data = structuredClone(message);
        for (const other of ends)
          if (other !== end) queue.push(() => other.onmessage?.({ data }));
      },
    };
    ends.push(end);
    return end;
  };
  const deliver = async () => {
    while (queue.length > 0) {
      queue.shift()();
      await settle();
    }
  };
  const one = await all.browser.signedInTab({ platform: { channel } });
  const other = all.browser.tab({ platform: { channel } });
  await all.clock.until(other.client.restore());
  await deliver();
  other.events.length = 0;
  one.events.length = 0;
  return { ...all, deliver, one, other };
}

test('a profile that arrives before the news of a logout doesn’t undo it', async () => {
  const { clock, server, browser, deliver, one, other } = await slowTabs();
  const release = browser.hold('GET /accounts/profile');
  const profile = other.client.profile();
  await settle();
  await clock.until(one.client.logout());
  release();
  await clock.until(profile);
  await deliver();
  assert.equal(one.client.user, null);
  assert.equal(other.client.user, null);
  assert.deepEqual([types(one), types(other)], [['signed_out'], ['signed_out']]);
  assert.equal(server.live().length, 0);
});

test('nor that of another user’s login', async () => {
  const { clock, server, browser, deliver, one, other } = await slowTabs();
  const release = browser.hold('GET /accounts/profile');
  const profile = other.client.profile();
  await settle();
  await clock.until(one.client.login({ username: 'bob', password: server.password }));
  release();
  await clock.until(profile);
  await deliver();
  assert.equal(one.client.user.username, 'bob');
  assert.deepEqual([types(one), types(other)], [['signed_in'], ['user_changed']]);
});

test('the end of this very session counts, though the tab has made news since', async () => {
  const { clock, browser } = world();
  const tab = await browser.signedInTab();
  const csrfToken = browser.jar.get('csrftoken');
  const ended = clock.wall;
  await clock.advance(400_000);
  await clock.until(tab.client.fetch(`${API}/api/orders`));
  browser
    .platform('script', 'https://app.example.com/')
    .channel(`countersign ${API}/accounts/`)
    .postMessage({ end: { csrfToken, type: 'signed_out', code: 'x', at: ended } });
  await settle();
  assert.equal(tab.client.user, null);
});

test('reading the profile every second doesn’t keep a token from being renewed', async () => {
  const { clock, browser } = world();
  const tab = await browser.signedInTab();
  await clock.advance(262_000);
  for (let second = 0; second < 5; second += 1) {
    await clock.until(tab.client.profile());
    await clock.advance(50);
    await clock.until(tab.client.profile());
    await clock.advance(1_000);
  }
  assert.equal(browser.refreshes(), 1);
});

test('a token that is heard of late is as old as it is', async () => {
  const { clock, browser, deliver, one, other } = await slowTabs();
  await clock.advance(400_000);
  await clock.until(one.client.fetch(`${API}/api/orders`));
  await clock.advance(3_600_000);
  await deliver();
  const before = browser.count('GET /api/orders');
  assert.equal((await clock.until(other.client.fetch(`${API}/api/orders`))).status, 200);
  assert.equal(browser.count('GET /api/orders') - before, 1, 'the dead token wasn’t tried');
});
