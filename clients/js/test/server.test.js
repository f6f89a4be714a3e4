// Against the real server: `COUNTERSIGN_BIN=../../target/debug/countersign npm test`.
//
// Its grace is 0, so that every refresh rotates, and the client's clock is moved instead of waiting.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { createClient, keychain } from '../src/index.js';

const BINARY = process.env.COUNTERSIGN_BIN && resolve(process.env.COUNTERSIGN_BIN);
const PAGE = 'http://localhost:5173';
const PASSWORD = 'a quiet afternoon in june';

const server = { url: '', process: undefined, folder: '' };

async function start() {
  server.folder = await mkdtemp(join(tmpdir(), 'countersign-client-'));
  const env = {
    PATH: process.env.PATH,
    COUNTERSIGN_DATA_DIR: join(server.folder, 'data'),
    COUNTERSIGN_LISTEN: '127.0.0.1:0',
    COUNTERSIGN_ALLOWED_ORIGINS: PAGE,
    COUNTERSIGN_ROTATION_GRACE: '0',
    COUNTERSIGN_LEEWAY: '0',
  };
  for (const name of ['ada', 'bob']) {
    const user = ['--noinput', '--username', name, '--email', `${name}@example.com`];
    const options = { cwd: server.folder, env: { ...env, COUNTERSIGN_PASSWORD: PASSWORD } };
    await promisify(execFile)(BINARY, ['createuser', ...user], options);
  }
  server.process = spawn(BINARY, ['serve'], {
    cwd: server.folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  server.url = await new Promise((resolve, reject) => {
    const said = [];
    for (const stream of [server.process.stdout, server.process.stderr]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        const found = /listening on (http:\/\/\S+)/.exec(line);
        if (found) resolve(`http://localhost:${new URL(found[1]).port}`);
      });
    }
    server.process.on('exit', (code) =>
      reject(new Error(`It ended with ${code}:\n${said.join('\n')}`)),
    );
  });
}

async function stop() {
  server.process?.removeAllListeners('exit');
  server.process?.kill();
  await rm(server.folder, { recursive: true, force: true });
}

/** A browser on a page of another origin than the API's, with real requests. */
class Browser {
  cookies = new Map();
  notes = new Map();
  log = [];
  ahead = 0; // milliseconds
  losesAnswers = 0;
  isApp = false;

  client({ canReadCookies = true, ...options } = {}) {
    return createClient({
      baseUrl: server.url,
      ...options,
      platform: {
        fetch: (input, init) => this.fetch(new Request(input, init)),
        clocks: () => [performance.now() + this.ahead, Date.now() + this.ahead],
        location: new URL(PAGE),
        cookies: () =>
          canReadCookies
            ? [...this.cookies]
                .filter(([name]) => !name.includes('refresh'))
                .map((pair) => pair.join('='))
                .join('; ')
            : '',
        notes: {
          get: (name) => this.notes.get(name),
          set: (name, value) => this.notes.set(name, value),
          remove: (name) => this.notes.delete(name),
        },
      },
    });
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    this.log.push(`${request.method} ${pathname}`);
    const headers = new Headers(request.headers);
    const sendsCookies = request.credentials === 'include';
    if (!this.isApp) headers.set('Origin', PAGE);
    if (sendsCookies)
      headers.set('Cookie', [...this.cookies].map((pair) => pair.join('=')).join('; '));
    const body = request.body ? await request.text() : undefined;
    const { method, redirect, signal } = request;
    const response = await fetch(request.url, { method, headers, body, redirect, signal });
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new TypeError('Failed to fetch');
    }
    if (!this.isApp) assert.equal(response.headers.get('Access-Control-Allow-Origin'), PAGE);
    if (sendsCookies) response.headers.getSetCookie().forEach((cookie) => this.store(cookie));
    return response;
  }

  store(cookie) {
    const [name, value] = cookie.split(';')[0].split('=');
    if (/max-age=0/i.test(cookie)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }

  /** A token's life passes. */
  wait() {
    this.ahead += 301_000;
  }

  refreshes() {
    return this.log.filter((line) => line.endsWith('/refresh_token')).length;
  }
}

async function signedIn(options) {
  const browser = new Browser();
  const client = browser.client(options);
  await client.login({ username: 'ada', password: PASSWORD });
  return { browser, client };
}

describe('against the real server', { skip: !BINARY && 'COUNTERSIGN_BIN names no binary' }, () => {
  before(start);
  after(stop);

  test('login, profile, edit, logout', async () => {
    const { browser, client } = await signedIn();
    assert.equal(client.user.username, 'ada');
    assert.equal((await client.profile()).email, 'ada@example.com');
    assert.equal((await client.updateProfile({ first_name: 'Ada' })).first_name, 'Ada');
    await client.logout();
    assert.equal(client.user, null);
    assert.equal(browser.cookies.size, 0);
  });

  test('refusals come with their codes', async () => {
    const { client } = await signedIn();
    const wrong = new Browser()
      .client()
      .login({ username: 'ada', password: 'a wrong one, as it happens' });
    await assert.rejects(wrong, {
      code: 'invalid_credentials',
      status: 401,
      name: 'CountersignError',
    });
    await assert.rejects(client.updateProfile({ email: 'new@example.com' }), {
      code: 'wrong_password',
      status: 403,
    });
    await assert.rejects(
      client.updateProfile({ is_active: false }),
      ({ code, errors }) => code === 'invalid_fields' && errors.is_active.length > 0,
    );
    await assert.rejects(client.endSession('019ab5f6-0c2e-7d31-9a57-3f8c2b6e4d10'), {
      code: 'not_found',
      status: 404,
    });
    const short = client.changePassword({ oldPassword: PASSWORD, newPassword: 'short' });
    await assert.rejects(
      short,
      ({ code, errors }) => code === 'invalid_password' && errors.new_password.length > 0,
    );
  });

  test('a session lives through many rotations', async () => {
    const { browser, client } = await signedIn();
    const seen = new Set();
    for (let i = 1; i <= 5; i += 1) {
      seen.add(browser.cookies.get('refreshtoken'));
      browser.wait();
      await client.profile();
      assert.equal(browser.refreshes(), i);
    }
    assert.equal(seen.size, 5);
  });

  test('a lost answer logs nobody out, though there is no grace', async () => {
    const { browser, client } = await signedIn();
    browser.wait();
    browser.losesAnswers = 2;
    await assert.rejects(client.profile(), { code: 'unreachable' });
    assert.equal((await browser.client().restore()).username, 'ada', 'after a reload, too');
    assert.equal((await client.profile()).username, 'ada');
  });

  test('without its key the same history is theft', async () => {
    const { browser, client } = await signedIn();
    browser.wait();
    browser.losesAnswers = 2;
    await assert.rejects(client.profile(), { code: 'unreachable' });
    browser.notes.clear();
    const reloaded = browser.client();
    const codes = [];
    reloaded.onChange(({ code }) => codes.push(code));
    assert.equal(await reloaded.restore(), null);
    assert.deepEqual(codes, ['refresh_token_reused']);
  });

  test('after a reload the session is back, with the CSRF cookie and without', async () => {
    const { browser } = await signedIn();
    assert.equal((await browser.client().restore()).username, 'ada');
    assert.equal(browser.log.includes('GET /accounts/csrf'), false);
    assert.equal((await browser.client({ canReadCookies: false }).restore()).username, 'ada');
    assert.equal(browser.log.includes('GET /accounts/csrf'), true);
  });

  test('a first visit finds nobody', async () => {
    assert.equal(await new Browser().client().restore(), null);
  });

  test('a planted CSRF cookie is no obstacle', async () => {
    const { browser } = await signedIn();
    browser.cookies.set('csrftoken', 'djangos-own-token');
    assert.equal((await browser.client().restore()).username, 'ada');
  });

  test('another user in the same browser stops the client', async () => {
    const { browser, client } = await signedIn();
    await browser.client().login({ username: 'bob', password: PASSWORD });
    await assert.rejects(client.profile(), { code: 'user_changed' });
    assert.equal((await client.restore()).username, 'bob');
  });

  test('a session that is ended from elsewhere is over at the next call', async () => {
    const { client } = await signedIn();
    const elsewhere = await signedIn();
    const changes = [];
    client.onChange((change) => changes.push(change));
    await elsewhere.client.endOtherSessions();
    await assert.rejects(client.profile(), { code: 'session_ended', status: 401 });
    assert.deepEqual(changes, [{ type: 'session_ended', user: null, code: 'session_ended' }]);
    assert.equal((await elsewhere.client.sessions()).length, 1);
  });

  test('one session is ended by its id', async () => {
    const { client } = await signedIn();
    const other = await signedIn();
    const { id } = (await client.sessions()).find(({ current }) => !current);
    await client.endSession(id);
    await assert.rejects(other.client.profile(), { code: 'session_ended' });
  });

  test('a new password starts a new session', async () => {
    const browser = new Browser();
    const client = browser.client();
    await client.login({ username: 'bob', password: PASSWORD });
    const next = 'another afternoon in july';
    await client.changePassword({ oldPassword: PASSWORD, newPassword: next });
    browser.wait();
    assert.equal((await client.profile()).username, 'bob');
    await client.changePassword({ oldPassword: next, newPassword: PASSWORD });
  });

  test('an app keeps its refresh token in its own storage', async () => {
    const browser = new Browser();
    browser.isApp = true;
    const held = new Map();
    const storage = {
      get: async (name) => held.get(name),
      set: async (name, value) => held.set(name, value),
      remove: async (name) => held.delete(name),
    };
    const client = browser.client({ storage: keychain(storage) });
    await client.login({ username: 'ada', password: PASSWORD });
    browser.wait();
    await client.updateProfile({ last_name: 'Lovelace' });
    assert.equal((await browser.client({ storage: keychain(storage) }).restore()).last_name, 'Lovelace');
    assert.equal(browser.cookies.size, 0);
    await browser.client({ storage: keychain(storage) }).logout();
    assert.equal(held.size, 0);
    await assert.rejects(client.profile(), { code: 'session_ended' });
  });

  test('a browser gets no body delivery', async () => {
    const storage = { get() {}, set() {}, remove() {} };
    const login = new Browser().client({ storage: keychain(storage) }).login({ username: 'ada', password: PASSWORD });
    await assert.rejects(login, { code: 'body_delivery_not_for_browsers', status: 403 });
  });
});
