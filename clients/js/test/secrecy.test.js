// The tokens are in no place that a script could look into, and in nothing that is written down.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';

import * as everything from '../src/index.js';
import { API, world } from './support/browser.js';

const SECRET = /access-session|refresh-session|csrf-\d|correct horse/;

/** All that can be reached from a value: properties, hidden ones, symbols, prototypes, accessors. */
function reachable(root) {
  const seen = new Set();
  const found = [];
  const visit = (value) => {
    if (typeof value === 'string') found.push(value);
    if (
      (typeof value !== 'object' && typeof value !== 'function') ||
      value === null ||
      seen.has(value)
    )
      return;
    seen.add(value);
    for (const key of Reflect.ownKeys(value)) {
      found.push(String(key));
      const { get, set, value: held } = Object.getOwnPropertyDescriptor(value, key);
      visit(held);
      visit(get);
      visit(set);
      if (get) {
        try {
          const held = get.call(value);
          held?.catch?.(() => {});
          visit(held);
        } catch {
          // An accessor of a prototype has no value.
        }
      }
    }
    visit(Object.getPrototypeOf(value));
    if (value instanceof Map || value instanceof Set) for (const entry of value) visit(entry);
  };
  visit(root);
  return found;
}

async function used() {
  const all = world();
  const tab = await all.browser.signedInTab();
  await all.clock.advance(400_000);
  await all.clock.until(tab.client.fetch(`${API}/api/orders`));
  await all.clock.until(tab.client.profile());
  return { ...all, tab };
}

test('nothing that can be reached from the client holds a token', async () => {
  const { tab } = await used();
  const strings = reachable(tab.client);
  assert.ok(strings.includes('ada@example.com'), 'the user is public, so the search works');
  assert.deepEqual(
    strings.filter((text) => SECRET.test(text)),
    [],
  );
});

test('nor from the package, nor from anything global', async () => {
  await used();
  for (const root of [everything, globalThis]) {
    assert.deepEqual(
      reachable(root).filter((text) => /access-session|refresh-session/.test(text)),
      [],
    );
  }
});

test('no way of writing the client down shows a token', async () => {
  const { tab } = await used();
  const { client, events } = tab;
  const written = [
    JSON.stringify(client),
    JSON.stringify(Object.getOwnPropertyDescriptors(client)),
    inspect(client, { showHidden: true, depth: null, getters: true }),
    inspect(events, { showHidden: true, depth: null }),
    String(client),
    ...Object.values(client).map(String),
  ];
  assert.deepEqual(
    written.filter((text) => SECRET.test(text)),
    [],
  );
});

test('the client can’t be changed from outside', async () => {
  const { tab } = await used();
  assert.throws(() => {
    tab.client.fetch = () => {};
  }, TypeError);
  assert.throws(() => {
    tab.client.user = { id: 2 };
  }, TypeError);
});

test('storage holds the key of a refresh under way, and nothing else, ever', async () => {
  const { clock, browser, tab } = await used();
  assert.deepEqual([...browser.storage], []);
  await clock.advance(400_000);
  browser.hold('POST /accounts/refresh_token');
  tab.client.fetch(`${API}/api/orders`).catch(() => {});
  await clock.advance(100);
  const [[name, key]] = browser.storage;
  assert.equal(browser.storage.size, 1);
  assert.equal(name, `countersign ${API}/accounts/ key`);
  assert.equal(key, browser.log.at(-1).headers.get('Idempotency-Key'));
});

test('no error holds a token or a password', async () => {
  const { clock, server, browser, tab } = await used();
  const errors = [];
  const keep = (error) => errors.push(error);
  const { client } = tab;
  const mishaps = [
    () => browser.refuse('POST /accounts/refresh_token', 503, 'unavailable'),
    () => browser.refuse('POST /accounts/refresh_token', 403, 'csrf_failed'),
    () => browser.intercept('POST /accounts/refresh_token', { status: 200, body: '<html>' }),
    () =>
      browser.intercept('POST /accounts/refresh_token', {
        status: 200,
        body: { access_token: 'access-session\n', expires_in: 1, user: { id: 1 } },
      }),
    () =>
      browser.intercept('POST /accounts/refresh_token', { status: 500, body: 'access-session' }),
    // V8 quotes what it can't read.
    () =>
      browser.intercept('POST /accounts/refresh_token', {
        status: 200,
        body: 'access-session-1',
      }),
    () => [1, 2].forEach(() => browser.loseAnswer('POST /accounts/refresh_token')),
  ];
  for (const spoil of mishaps) {
    await clock.advance(400_000);
    spoil();
    await clock.until(client.fetch(`${API}/api/orders`)).catch(keep);
  }
  browser.loseAnswer('POST /accounts/login');
  await clock.until(client.login({ username: 'ada', password: server.password })).catch(keep);
  await clock.until(client.login({ username: 'ada', password: 'correct horse guess' })).catch(keep);
  browser.loseAnswer('POST /accounts/password');
  await clock
    .until(client.changePassword({ oldPassword: server.password, newPassword: 'correct horse 2' }))
    .catch(keep);
  server.endAll(1);
  await clock.until(client.profile()).catch(keep);

  assert.ok(errors.length >= 8, `${errors.length} errors`);
  for (const error of errors) {
    const written = [
      ...reachable(error),
      inspect(error, { showHidden: true, depth: null }),
      JSON.stringify(error),
    ];
    assert.deepEqual(
      written.filter((text) => SECRET.test(text)),
      [],
    );
  }
});

test('a script that comes later can’t put itself between the client and the network', async (t) => {
  const stolen = [];
  const honest = async () => new Response('{}', { status: 500 });
  t.mock.method(globalThis, 'fetch', honest);
  const client = everything.createClient({ baseUrl: API });
  globalThis.fetch = async (...request) => {
    stolen.push(request);
    return new Response('{}', { status: 500 });
  };
  await client.login({ username: 'ada', password: 'x' }).catch(() => {});
  assert.deepEqual(stolen, []);
});

test('an error is known as one, another copy’s too', () => {
  const { CountersignError, isCountersignError } = everything;
  const error = new CountersignError('throttled', 'Too many tries.', {
    status: 429,
    retryAfter: 5,
  });
  assert.ok(error instanceof Error);
  assert.ok(isCountersignError(error));
  assert.ok(isCountersignError(Object.assign(new Error('x'), { name: 'CountersignError' })));
  for (const other of [
    new Error('x'),
    new TypeError('x'),
    { name: 'CountersignError' },
    null,
    undefined,
    'x',
  ]) {
    assert.equal(isCountersignError(other), false);
  }
  const { code, status, retryAfter, errors, message } = error;
  assert.deepEqual(
    { code, status, retryAfter, errors, message },
    { code: 'throttled', status: 429, retryAfter: 5, errors: {}, message: 'Too many tries.' },
  );
});
