// Any interleaving: tabs that come and go, answers that are lost, machines that sleep. Whatever happens,
// nobody is taken for a thief, and whoever is signed in stays so.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { API, world } from './support/browser.js';
import { settle } from './support/clock.js';

const LINES = ['POST /accounts/refresh_token', 'GET /accounts/csrf', 'GET /api/orders'];

/** mulberry32: the same numbers for the same seed. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

async function live(seed, options) {
  const roll = dice(seed);
  const { clock, server, browser } = world(options);
  const tabs = [await browser.signedInTab()];
  const gates = [];
  const requests = [];
  const some = (list) => list[roll(list.length)];

  const steps = [
    () =>
      requests.push(
        some(tabs)
          .client.fetch(`${API}/api/orders`)
          .catch((error) => error),
      ),
    () =>
      requests.push(
        some(tabs)
          .client.fetch(`${API}/api/orders`)
          .catch((error) => error),
      ),
    () =>
      requests.push(
        some(tabs)
          .client.profile()
          .catch((error) => error),
      ),
    () => tabs.length < 5 && tabs.push(browser.tab()),
    () => tabs.length > 1 && tabs.splice(roll(tabs.length), 1)[0].close(),
    () => some(tabs).meets(some(['away', 'here'])),
    () => browser.loseRequest(some(LINES)),
    () => browser.loseAnswer(some(LINES)),
    () => gates.push(browser.hold(some(LINES), { before: roll(2) === 0 })),
    () => gates.pop()?.(),
    () => browser.refuse(some(LINES), 503, 'unavailable', { headers: { 'Retry-After': '3' } }),
    () => browser.intercept(some(LINES), { status: 502, body: 'Bad gateway' }),
    () => clock.advance(roll(40)),
    () => clock.advance(roll(12_000)),
    () => clock.advance(roll(400_000)),
    () => {
      browser.hangUp();
      clock.sleep(roll(4 * 3_600_000));
    },
  ];
  for (let i = 0; i < 60; i += 1) {
    await some(steps)();
    if (roll(3) > 0) await settle();
    assert.equal(server.thefts, 0, `after step ${i}`);
  }

  // The storm is over. All who are still there are signed in, or can be.
  browser.calm();
  gates.forEach((open) => open());
  await clock.advance(120_000);
  for (const tab of tabs) {
    await tab.meets('here');
    const response = await clock.until(tab.client.fetch(`${API}/api/orders`));
    assert.equal(response.status, 200);
    assert.ok(
      tab.events.every(({ type }) => type === 'signed_in'),
      JSON.stringify(tab.events),
    );
  }
  assert.equal(server.thefts, 0);
  assert.equal(server.live().length, 1);
}

for (const [what, options] of [
  ['with everything', {}],
  ['without Web Locks', { hasLocks: false }],
  ['without a channel', { hasChannel: false }],
  ['on another domain', { canReadCookies: false }],
]) {
  test(`a session survives whatever happens to its tabs, ${what}`, async () => {
    const seeds = Number(process.env.CHAOS_SEEDS ?? 40);
    for (let seed = 1; seed <= seeds; seed += 1) {
      await live(seed, options).catch((error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
      });
    }
  });
}
