import assert from 'node:assert/strict';
import { test } from 'node:test';

import { API, ELSEWHERE, world } from './support/browser.js';
import { settle } from './support/clock.js';

const ORDERS = `${API}/api/orders`;
const SPA = 'https://spa.example.org/';

async function signedIn(options = {}, client = {}) {
  const all = world(options);
  const tab = await all.browser.signedInTab(client);
  const last = () => all.browser.log.at(-1);
  const fetch = (...request) => all.clock.until(tab.client.fetch(...request));
  return { ...all, tab, last, fetch };
}

// --- What it adds -------------------------------------------------------------------------------

test('a request to the API carries the access token', async () => {
  const { last, fetch } = await signedIn();
  const response = await fetch(ORDERS);
  assert.ok(response instanceof Response);
  assert.deepEqual(await response.json(), { path: '/api/orders', method: 'GET', user: 'ada' });
  assert.match(last().headers.get('Authorization'), /^Bearer access-/);
});

test('an unsafe request carries the CSRF token, a safe one doesn’t', async () => {
  const { server, last, fetch } = await signedIn();
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    assert.equal((await fetch(ORDERS, { method })).status, 200);
    assert.equal(last().headers.get('X-CSRFTOKEN'), server.live()[0].csrf);
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    await fetch(ORDERS, { method });
    assert.equal(last().headers.has('X-CSRFTOKEN'), false);
  }
});

test('what the caller says stays as it is', async () => {
  const { last, fetch } = await signedIn();
  const init = {
    method: 'POST',
    body: '{"a":1}',
    headers: { 'Content-Type': 'application/json', 'X-Mine': 'yes' },
  };
  for (const request of [
    [ORDERS, init],
    [new URL(ORDERS), init],
    [new Request(ORDERS, init), null],
    [new Request(ORDERS, init)],
    [new Request(ORDERS, { method: 'PUT' }), init],
  ]) {
    const response = await fetch(...request);
    assert.deepEqual((await response.json()).body, { a: 1 });
    assert.equal(last().headers.get('X-Mine'), 'yes');
    assert.ok(last().headers.has('Authorization'));
  }
});

test('an error is an answer, as with the platform’s fetch', async () => {
  const { browser, fetch } = await signedIn();
  browser.refuse('GET /api/orders', 500, 'broken');
  assert.equal((await fetch(ORDERS)).status, 500);
  browser.loseRequest('GET /api/orders');
  await assert.rejects(fetch(ORDERS), TypeError);
});

test('it can be handed over by itself', async () => {
  const { clock, tab } = await signedIn();
  const { fetch } = tab.client;
  assert.equal((await clock.until(fetch(ORDERS))).status, 200);
  const [response] = await clock.until(
    Promise.all([ORDERS].map((url) => fetch(url, {}, [ORDERS]))),
  );
  assert.equal(response.status, 200, 'whatever else it is given');
});

test('with nobody signed in it is the platform’s fetch', async () => {
  const { clock, browser } = world();
  const tab = browser.tab();
  assert.equal((await clock.until(tab.client.fetch(ORDERS))).status, 401);
  assert.equal(browser.log.at(-1).headers.has('Authorization'), false);
  await clock.until(tab.client.fetch(ORDERS));
  assert.equal(browser.count('GET /accounts/csrf'), 1, 'that nobody is signed in is asked once');
});

test('the first request after a reload restores the session', async () => {
  const { clock, browser } = world();
  (await browser.signedInTab()).close();
  const tab = browser.tab();
  assert.equal((await clock.until(tab.client.fetch(ORDERS))).status, 200);
  assert.equal(tab.client.user.username, 'ada');
});

// --- Where it goes ------------------------------------------------------------------------------

test('the token goes to no other origin, however much it looks like the API’s', async () => {
  const { last, fetch } = await signedIn(
    {},
    { page: SPA, apiOrigins: ['https://orders.example.com'] },
  );
  for (const url of [
    ELSEWHERE,
    'http://app.example.com/api',
    'https://app.example.com:8443/api',
    'https://app.example.com.evil.example.net/',
    'https://evilapp.example.com/',
    'https://app.example.com@evil.example.net/',
    'https://sub.app.example.com/',
    'https://orders.example.com.evil.example.net/',
    SPA,
  ]) {
    for (const input of [url, new URL(url), ...(url.includes('@') ? [] : [new Request(url)])]) {
      if (url.includes('@')) {
        await assert.rejects(fetch(input), TypeError);
        continue;
      }
      await fetch(input, { method: 'POST' });
      assert.equal(last().headers.has('Authorization'), false, url);
      assert.equal(last().headers.has('X-CSRFTOKEN'), false, url);
    }
  }
});

test('it goes to the origins that are listed', async () => {
  const { last, fetch } = await signedIn(
    {},
    { apiOrigins: ['https://orders.example.com', 'http://localhost:3000/'] },
  );
  for (const origin of ['https://orders.example.com', 'http://localhost:3000']) {
    await fetch(`${origin}/api/orders`, { method: 'POST' });
    assert.equal(last().origin, origin);
    assert.ok(last().headers.has('Authorization'));
    assert.ok(last().headers.has('X-CSRFTOKEN'));
  }
});

test('a list that says something else than origins is refused', () => {
  const { browser } = world();
  for (const wrong of [
    'https://*.example.com',
    'https://example.com/api',
    'example.com',
    '*',
    'null',
    '',
    'data:,',
  ]) {
    assert.throws(() => browser.tab({ apiOrigins: [wrong] }), TypeError, wrong);
  }
});

test('a relative URL is the platform’s business', async () => {
  const { fetch } = await signedIn();
  await assert.rejects(
    fetch('/api/orders'),
    TypeError,
    'Node has no page that it could be relative to',
  );
});

test('an Authorization header of the caller’s own is left alone', async () => {
  const { last, fetch } = await signedIn();
  for (const request of [
    [ORDERS, { method: 'POST', headers: { authorization: 'Basic mine' } }],
    [new Request(ORDERS, { method: 'POST', headers: [['AUTHORIZATION', 'Basic mine']] })],
  ]) {
    await fetch(...request);
    assert.equal(last().headers.get('Authorization'), 'Basic mine');
    assert.equal(last().headers.has('X-CSRFTOKEN'), false);
  }
});

// Attack: an open redirect on the API, in a browser that takes the header along.
for (const stripsAuthorization of [true, false]) {
  const kind = stripsAuthorization ? 'today’s' : 'an old';
  for (const [where, page] of [
    ['the page’s own origin', undefined],
    ['another origin', SPA],
  ]) {
    test(`in ${kind} browser no redirect leads the token away, with the API on ${where}`, async () => {
      const { browser, fetch } = await signedIn({ stripsAuthorization }, { page });
      for (const status of [301, 302, 303, 307, 308]) {
        for (const method of ['GET', 'POST']) {
          browser.intercept(`${method} /api/orders`, { status, location: `${ELSEWHERE}/steal` });
          await assert.rejects(
            fetch(ORDERS, { method, body: method === 'POST' ? 'x' : undefined }),
          );
        }
      }
      for (const { origin, headers } of browser.log.filter(({ origin }) => origin === ELSEWHERE)) {
        assert.fail(`${origin} was sent ${[...headers.keys()]}`);
      }
    });
  }
}

test('a redirect within the page’s own origin is followed', async () => {
  const { browser, fetch } = await signedIn();
  browser.intercept('GET /api/orders', { status: 301, location: '/api/orders/' });
  const response = await fetch(ORDERS);
  assert.equal((await response.json()).path, '/api/orders/');
});

test('a redirect of an API on another origin can’t be judged, and is refused by name', async () => {
  const { browser, fetch } = await signedIn({}, { page: SPA });
  browser.intercept('GET /api/orders', { status: 301, location: '/api/orders/' });
  await assert.rejects(fetch(ORDERS), { code: 'redirected', name: 'CountersignError' });
});

test('whoever asks for a redirect by hand gets it', async () => {
  const { browser, fetch } = await signedIn({}, { page: SPA });
  browser.intercept('GET /api/orders', { status: 301, location: `${ELSEWHERE}/x` });
  assert.equal((await fetch(ORDERS, { redirect: 'manual' })).type, 'opaqueredirect');
  browser.intercept('GET /api/orders', { status: 301, location: `${ELSEWHERE}/x` });
  await assert.rejects(fetch(new Request(ORDERS, { redirect: 'error' })), TypeError);
});

test('the client’s own calls follow no redirect', async () => {
  const { clock, server, browser } = world();
  browser.intercept('POST /accounts/login', { status: 307, location: `${ELSEWHERE}/steal` });
  const login = browser.tab().client.login({ username: 'ada', password: server.password });
  await assert.rejects(clock.until(login), { code: 'unreachable' });
  assert.equal(browser.log.length, 1);
});

// --- Once more ----------------------------------------------------------------------------------

const BODIES = {
  text: () => 'hello',
  bytes: () => new TextEncoder().encode('hello'),
  'a blob': () => new Blob(['hello']),
  'a query': () => new URLSearchParams({ a: 'b' }),
  'a form': () => {
    const form = new FormData();
    form.set('file', new Blob(['hello']), 'hello.txt');
    return form;
  },
};

for (const [what, body] of Object.entries(BODIES)) {
  test(`${what} is sent again after a 401`, async () => {
    const { browser, fetch } = await signedIn();
    browser.refuse('POST /api/orders', 401, 'token_expired');
    assert.equal((await fetch(ORDERS, { method: 'POST', body: body() })).status, 200);
    const [first, second] = browser.log.filter(({ line }) => line === 'POST /api/orders');
    const withoutBoundary = ({ text }) => text.replaceAll(/-{4,}[\w-]+/g, '');
    assert.equal(withoutBoundary(first), withoutBoundary(second));
    assert.notEqual(first.text, '');
    assert.notEqual(first.headers.get('Authorization'), second.headers.get('Authorization'));
  });

  test(`a Request with ${what} is sent again after a 401`, async () => {
    const { browser, fetch } = await signedIn();
    browser.refuse('POST /api/orders', 401, 'token_expired');
    assert.equal((await fetch(new Request(ORDERS, { method: 'POST', body: body() }))).status, 200);
    const [first, second] = browser.log.filter(({ line }) => line === 'POST /api/orders');
    assert.equal(first.text, second.text);
    assert.notEqual(first.text, '');
  });
}

test('a stream can’t be sent again, so the 401 is the answer', async () => {
  const streams = [
    new Blob(['hello']).stream(),
    (async function* () {
      yield new TextEncoder().encode('hello');
    })(),
  ];
  for (const body of streams) {
    const { browser, fetch } = await signedIn();
    browser.refuse('POST /api/orders', 401, 'token_expired');
    const request = { method: 'POST', body, duplex: 'half' };
    assert.equal((await fetch(ORDERS, request)).status, 401);
    assert.equal(browser.count('POST /api/orders'), 1);
    assert.equal(browser.refreshes(), 1, 'the next one will do better');
  }
});

test('the body of the first answer is let go of', async () => {
  const { clock, browser } = await signedIn();
  let isCancelled = false;
  const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
  const answer = new Response(body, { status: 401 });
  const platformFetch = browser.platform(9, `${API}/`).fetch;
  let count = 0;
  const tab = browser.tab({
    platform: {
      fetch: (...request) =>
        String(request[0].url).endsWith('orders') && (count += 1) === 1
          ? Promise.resolve(answer)
          : platformFetch(...request),
    },
  });
  assert.equal((await clock.until(tab.client.fetch(ORDERS))).status, 200);
  await settle();
  assert.ok(isCancelled);
});

// --- Giving up ----------------------------------------------------------------------------------

test('an aborted request is aborted', async () => {
  const { browser, tab } = await signedIn();
  browser.hold('GET /api/orders');
  const controller = new AbortController();
  const request = tab.client.fetch(ORDERS, { signal: controller.signal });
  await settle();
  controller.abort();
  await assert.rejects(request, { name: 'AbortError' });
});

test('a caller who gives up during a refresh is let go at once, and the refresh goes on for the others', async () => {
  const { clock, browser, tab } = await signedIn();
  await clock.advance(400_000);
  const release = browser.hold('POST /accounts/refresh_token');
  const controller = new AbortController();
  const mine = tab.client.fetch(new Request(ORDERS, { signal: controller.signal }));
  const theirs = tab.client.fetch(ORDERS);
  await settle();
  controller.abort(new Error('no longer needed'));
  await assert.rejects(mine, { message: 'no longer needed' });
  release();
  assert.equal((await clock.until(theirs)).status, 200);
  assert.equal(browser.count('GET /api/orders'), 1);
  assert.equal(browser.refreshes(), 1);
});

test('a caller who has given up before waits for no refresh', async () => {
  const { clock, browser, tab } = await signedIn();
  await clock.advance(400_000);
  browser.hold('POST /accounts/refresh_token');
  const request = tab.client.fetch(ORDERS, { signal: AbortSignal.abort() });
  await assert.rejects(request, { name: 'AbortError' });
});

test('a caller who gives up during the refresh after a 401 is let go, too', async () => {
  const { browser, tab } = await signedIn();
  browser.refuse('GET /api/orders', 401, 'token_expired');
  browser.hold('POST /accounts/refresh_token');
  const controller = new AbortController();
  const mine = tab.client.fetch(ORDERS, { signal: controller.signal });
  await settle();
  controller.abort();
  await assert.rejects(mine, { name: 'AbortError' });
});

test('a signal that was aborted before sends nothing', async () => {
  const { browser, tab } = await signedIn();
  const before = browser.log.length;
  const signal = AbortSignal.abort();
  await assert.rejects(tab.client.fetch(ORDERS, { signal }), { name: 'AbortError' });
  await assert.rejects(tab.client.login({ username: 'ada', password: 'x' }, { signal }), {
    name: 'AbortError',
  });
  await assert.rejects(tab.client.logout({ signal }), { name: 'AbortError' });
  await assert.rejects(tab.client.profile({ signal }), { name: 'AbortError' });
  await settle();
  assert.equal(browser.log.length, before);
});

test('every call can be given up, with the caller’s own reason', async () => {
  const { clock, server, browser, tab } = await signedIn();
  const { client } = tab;
  for (const [line, call] of [
    [
      'POST /accounts/login',
      (options) => client.login({ username: 'ada', password: server.password }, options),
    ],
    ['POST /accounts/logout', (options) => client.logout(options)],
    ['GET /accounts/profile', (options) => client.profile(options)],
    ['PATCH /accounts/profile', (options) => client.updateProfile({}, options)],
    ['GET /accounts/sessions', (options) => client.sessions(options)],
    ['DELETE /accounts/sessions/x', (options) => client.endSession('x', options)],
    ['DELETE /accounts/sessions', (options) => client.endOtherSessions(options)],
    [
      'POST /accounts/password',
      (options) => client.changePassword({ oldPassword: 'a', newPassword: 'b' }, options),
    ],
  ]) {
    browser.hold(line, { before: true });
    const controller = new AbortController();
    const call_ = call({ signal: controller.signal });
    call_.catch(() => {});
    await clock.advance(100);
    controller.abort(new Error('enough'));
    await assert.rejects(call_, { message: 'enough' }, line);
    assert.equal(client.user.username, 'ada', line);
  }
});

test('a caller who gives up while another tab holds the lock is let go', async () => {
  const { clock, server, browser, tab } = await signedIn();
  const other = browser.tab();
  await clock.until(other.client.restore());
  await clock.advance(100);
  browser.hold('POST /accounts/login', { before: true });
  other.client.login({ username: 'ada', password: server.password }).catch(() => {});
  await settle();
  const controller = new AbortController();
  const logout = tab.client.logout({ signal: controller.signal });
  let isOver = false;
  logout.catch(() => (isOver = true));
  await clock.advance(100);
  controller.abort();
  await settle();
  assert.ok(isOver);
  await clock.advance(20_000);
  assert.equal(browser.count('POST /accounts/logout'), 0, 'and nothing is sent for them later');
});

test('a restore that was given up before it began sends nothing', async () => {
  const { browser, clock } = world();
  (await browser.signedInTab()).close();
  const before = browser.log.length;
  const restore = browser.tab().client.restore({ signal: AbortSignal.abort() });
  await assert.rejects(restore, { name: 'AbortError' });
  await clock.advance(1_000);
  assert.equal(browser.log.length, before);
});

test('a Request may stand in the place of the options, as with the platform’s fetch', async () => {
  const { last, fetch } = await signedIn();
  const options = new Request(`${API}/x`, { method: 'DELETE', headers: { 'X-Mine': 'yes' } });
  await fetch(ORDERS, options);
  assert.equal(last().line, 'DELETE /api/orders');
  assert.equal(last().headers.get('X-Mine'), 'yes');
});

test('headers that can be read once are sent, and sent again', async () => {
  const { browser, last, fetch } = await signedIn();
  browser.refuse('POST /api/orders', 401, 'token_expired');
  const headers = new Map([['X-Mine', 'yes']]).entries();
  await fetch(ORDERS, { method: 'POST', headers, body: 'x' });
  assert.equal(browser.count('POST /api/orders'), 2);
  assert.equal(last().headers.get('X-Mine'), 'yes');
});
