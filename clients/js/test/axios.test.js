import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';

import axios from 'axios';

import { attachAxios } from '../src/axios.js';
import { isCountersignError } from '../src/index.js';
import { API, ELSEWHERE, world } from './support/browser.js';

async function signedIn(config) {
  const all = world();
  const tab = await all.browser.signedInTab();
  const api = axios.create({ baseURL: `${API}/api`, ...config });
  const detach = attachAxios(api, tab.client);
  return { ...all, tab, api, detach, last: () => all.browser.log.at(-1) };
}

test('axios reads what it asked for', async () => {
  const { clock, api, last } = await signedIn();
  const { data, status } = await clock.until(api.get('/orders', { params: { page: 2 } }));
  assert.equal(status, 200);
  assert.equal(data.user, 'ada');
  assert.equal(last().url, `${API}/api/orders?page=2`);
});

test('an unsafe request is countersigned', async () => {
  const { clock, server, api, last } = await signedIn();
  const { data } = await clock.until(api.post('/orders', { book: 'one' }));
  assert.deepEqual(data.body, { book: 'one' });
  assert.equal(last().headers.get('X-CSRFTOKEN'), server.live()[0].csrf);
  assert.equal(last().headers.get('Content-Type'), 'application/json');
});

test('a token that is too old is renewed, and the request sent again', async () => {
  const { clock, browser, api } = await signedIn();
  browser.refuse('POST /api/orders', 401, 'token_expired');
  const { data } = await clock.until(api.post('/orders', { book: 'one' }));
  assert.deepEqual(data.body, { book: 'one' });
  assert.equal(browser.refreshes(), 1);
});

test('a form goes out whole, and again', async () => {
  const { clock, browser, api } = await signedIn();
  browser.refuse('POST /api/orders', 401, 'token_expired');
  const form = new FormData();
  form.set('book', new Blob(['a whole book']), 'book.txt');
  await clock.until(api.postForm('/orders', form));
  const sent = browser.log.filter(({ line }) => line === 'POST /api/orders');
  assert.equal(sent.length, 2);
  for (const { headers, text } of sent) {
    assert.match(headers.get('Content-Type'), /^multipart\/form-data; *boundary=/);
    assert.match(text, /a whole book/);
  }
});

test('another origin gets no token', async () => {
  const { clock, api, last } = await signedIn();
  await clock.until(api.post(`${ELSEWHERE}/api/x`, {}).catch(() => {}));
  assert.equal(last().origin, ELSEWHERE);
  assert.equal(last().headers.has('Authorization'), false);
});

test('a refusal is axios’ own error, and holds no token', async () => {
  const { clock, browser, api } = await signedIn();
  browser.refuse('GET /api/orders', 403, 'permission_denied');
  const error = await clock.until(api.get('/orders')).catch((reason) => reason);
  assert.ok(axios.isAxiosError(error));
  assert.equal(error.response.data.code, 'permission_denied');
  for (const written of [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)]) {
    assert.doesNotMatch(written, /access-session|csrf-\d/);
  }
});

test('a session that is over shows as the cause', async () => {
  const { clock, server, api } = await signedIn();
  server.endAll(1);
  await clock.advance(400_000);
  const error = await clock.until(api.get('/orders')).catch((reason) => reason);
  assert.ok(axios.isAxiosError(error));
  assert.ok(isCountersignError(error.cause));
  assert.equal(error.cause.code, 'session_ended');
});

test('a request is given up', async () => {
  const { clock, browser, api } = await signedIn();
  browser.hold('GET /api/orders');
  const controller = new AbortController();
  const request = api.get('/orders', { signal: controller.signal });
  const refused = assert.rejects(request, (error) => axios.isCancel(error));
  await clock.advance(100);
  controller.abort();
  await refused;
});

test('axios is told to add no CSRF header of its own', async () => {
  const { api } = await signedIn({ withXSRFToken: true });
  assert.equal(api.defaults.withXSRFToken, false);
});

test('an instance can be let go', async () => {
  const { api, detach } = await signedIn();
  const { adapter, env } = axios.create().defaults;
  detach();
  assert.deepEqual(api.defaults.adapter, adapter);
  assert.deepEqual(api.defaults.env, env);
});
