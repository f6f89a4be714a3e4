// An injected script in the app's own page. It never gets the refresh token, and finds the access
// token lying nowhere. What it can do for all that is in docs/xss.md, and shown here too, so that the
// page stays honest.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';

import { as } from '../support/api.js';
import { hasClient, openApp, openSignedIn } from '../support/app.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { ada } from '../support/program.js';
import { openSite } from '../support/site.js';
import { openWeb } from '../support/web.js';

const SCRIPT = await readFile(new URL('../hostile/script.js', import.meta.url), 'utf8');

let browser, web, site, page, evil;
const heard = []; // by the attacker's host

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
  const place = await web.place('evil.test');
  evil = place.origin;
  place.serve((request, response) => {
    heard.push(request);
    response.setHeader('access-control-allow-origin', request.headers.origin ?? '*');
    response.setHeader('access-control-allow-headers', 'authorization, x-csrftoken');
    response.end();
  });
  site = await openSite(web, {
    connects: [evil],
    app: 'app.shop.test',
    api: 'api.shop.test',
    settings: { cookie_domain: 'shop.test' }, // so that script can read what it may
  });
});
after(cleanUp);

beforeEach(async () => {
  page = await openSignedIn(browser, site, ada);
  await page.evaluate(SCRIPT);
});
afterEach(() => page.context().close());

/** Runs one of the script's functions in the page. */
const run = (name, ...given) =>
  page.evaluate(([its, args]) => globalThis[its](...args), [name, given]);

async function cookie(name) {
  const cookies = await page.context().cookies(site.api);
  return cookies.find((its) => its.name.endsWith(name)).value;
}

/** The access token that the page used last, as the server saw it. */
async function accessToken() {
  const start = site.exchanges.length;
  await page.evaluate(() => globalThis.client.profile());
  const { request } = site.exchanges
    .slice(start)
    .find(({ request: { method } }) => method === 'GET');
  return request.headers.authorization.split(' ')[1];
}

/** What stands for a token: all of it, or the part that nobody can make up. */
const traces = (token) => [token, token.split('.')[2]];

// attack 70
describe('xss: the refresh token', () => {
  it('is found in nothing that a script can look into', async () => {
    assert.deepEqual(await run('rummage', traces(await cookie('refreshtoken'))), []);
    await page.evaluate(() => globalThis.client.restore());
    assert.deepEqual(await run('rummage', traces(await cookie('refreshtoken'))), []);
  });

  it('is in no answer that a script can read', async () => {
    const before = await cookie('refreshtoken');
    const shown = await run('answersOf', site.api, await cookie('csrftoken'));
    assert.match(shown, /access_token/);
    for (const trace of [...traces(before), ...traces(await cookie('refreshtoken'))])
      assert.ok(!shown.includes(trace));
    assert.doesNotMatch(shown, /refreshtoken/);
  });

  it('passes by a service worker unseen', async () => {
    await run('intercept');
    await page.reload();
    await hasClient(page);
    await page.evaluate(SCRIPT);
    await page.evaluate(() => globalThis.client.restore());
    const seen = await run('intercepted');
    assert.match(seen, /access_token/);
    for (const trace of traces(await cookie('refreshtoken'))) assert.ok(!seen.includes(trace));
    assert.doesNotMatch(seen, /refreshtoken/);
  });

  it("is hidden on the API's own host too", async () => {
    await page.goto(`${site.api}/docs`);
    const seen = await page.evaluate(async () =>
      [document.cookie, JSON.stringify(await globalThis.cookieStore.getAll())].join(' '),
    );
    assert.match(seen, /csrftoken/);
    assert.doesNotMatch(seen, /refreshtoken/);
  });
});

describe('xss: the access token', () => {
  it('is found in no storage, global or prototype', async () => {
    assert.deepEqual(await run('rummage', traces(await accessToken())), []);
  });

  it('nor after a reload, a second tab, and a change of the profile', async () => {
    await page.reload();
    await hasClient(page);
    await page.evaluate(SCRIPT);
    const other = await openApp(page.context(), site);
    await other.evaluate(() => globalThis.client.restore());
    await page.evaluate(() => globalThis.client.updateProfile({ first_name: 'Augusta' }));
    assert.deepEqual(await run('rummage', traces(await accessToken())), []);
  });

  it("nor in the client's errors and changes", async () => {
    await page.evaluate(async () => {
      globalThis.kept = [];
      globalThis.client.onChange((change) => globalThis.kept.push(change));
      const keep = (error) => globalThis.kept.push(error, error.stack, JSON.stringify(error));
      await globalThis.client.changePassword({ oldPassword: 'x', newPassword: 'y' }).catch(keep);
      await globalThis.client.endSession('nothing').catch(keep);
      await globalThis.client.fetch('https://nowhere.test/').catch(keep);
    });
    assert.deepEqual(await run('rummage', traces(await accessToken())), []);
  });

  it('goes to no other host, whatever the page fetches and whatever redirect comes', async () => {
    heard.length = 0;
    site.flavour = {
      rewrite: ({ method, url, headers: { origin } }) =>
        method === 'GET' &&
        url === '/away' && {
          status: 307,
          headers: {
            location: `${evil}/redirected`,
            'access-control-allow-origin': origin,
            'access-control-allow-credentials': 'true',
          },
        },
    };
    const { direct, redirected } = await page.evaluate(
      async ([api, elsewhere]) => ({
        direct: (await globalThis.client.fetch(`${elsewhere}/direct`)).status,
        redirected: await globalThis.client.fetch(`${api}/away`).catch(({ code }) => code),
      }),
      [site.api, evil],
    );
    site.flavour = {};
    assert.equal(direct, 200);
    assert.equal(redirected, 'redirected');
    assert.deepEqual(
      heard.map(({ url, headers }) => [url, headers.authorization]),
      [['/direct', undefined]],
    );
  });
});

describe('xss: whether the search finds anything', () => {
  const HIDDEN = {
    'a global': (secret) =>
      (globalThis.hidden = { deep: [{ in: new Map([['a', { b: secret }]]) }] }),
    'a symbol on a prototype': (secret) => (Object.prototype[Symbol('s')] = secret),
    'a getter of a class': (secret) => {
      globalThis.Keeper = class {
        get token() {
          return this.constructor.kept ?? secret;
        }
      };
      globalThis.keeper = new globalThis.Keeper();
    },
    "a function's property": (secret) => (globalThis.fetch.last = secret),
    'a field of a form': (secret) => {
      document.body.append(Object.assign(document.createElement('input'), { value: secret }));
    },
    'an attribute': (secret) => document.body.setAttribute('data-token', secret),
    localStorage: (secret) => localStorage.setItem('token', secret),
    sessionStorage: (secret) => sessionStorage.setItem('token', secret),
    'a cookie': (secret) => (document.cookie = `token=${secret}`),
    'the address': (secret) => (location.hash = secret),
    history: (secret) => history.replaceState({ secret }, ''),
    performance: (secret) => performance.mark(secret),
    'a cache': async (secret) => (await caches.open('c')).put('/x', new Response(secret)),
    'a database': (secret) =>
      new Promise((resolve) => {
        const request = indexedDB.open('d');
        request.onupgradeneeded = () => request.result.createObjectStore('s').put(secret, 'k');
        request.onsuccess = () => resolve(request.result.close());
      }),
    'what RegExp remembers': (secret) => /.*/.exec(secret),
  };

  it('finds a secret in each place where apps put one', async () => {
    const secrets = Object.keys(HIDDEN).map((_, index) => `secret-${index}-of-nobody`);
    for (const [index, hide] of Object.values(HIDDEN).entries())
      await page.evaluate(hide, secrets[index]);
    const found = await run('rummage', secrets);
    for (const [index, place] of Object.keys(HIDDEN).entries())
      assert.ok(
        found.some((its) => its.startsWith(`${secrets[index]} in `)),
        place,
      );
  });
});

// What docs/xss.md says.
describe('xss: what a script can do while the page is open', () => {
  it('it can call the API as the user', async () => {
    const user = await page.evaluate(() => globalThis.client.updateProfile({ last_name: 'Byron' }));
    assert.equal(user.last_name, 'Byron');
  });

  it('it can get an access token from the server', async () => {
    const { accessToken: stolen } = await run('askForToken', site.api);
    assert.equal((await as(site.behind, stolen).profile()).username, ada.username);
  });

  it('it can hear the one that tabs tell each other', async () => {
    const heard = await run('listen', site.api);
    assert.equal((await as(site.behind, heard).profile()).username, ada.username);
  });

  it('it can listen in on the functions that the page calls', async () => {
    const heard = await page.evaluate(async () => {
      const { set } = Headers.prototype;
      let authorization;
      Headers.prototype.set = function (name, value) {
        if (name === 'Authorization') authorization = value;
        return set.call(this, name, value);
      };
      await globalThis.client.profile();
      return authorization;
    });
    assert.equal(heard, `Bearer ${await accessToken()}`);
  });

  it("it can't change the password or the e-mail address without the password", async () => {
    const codes = await page.evaluate(async () => {
      const code = (error) => error.code;
      return [
        await globalThis.client.updateProfile({ email: 'mallory@example.com' }).catch(code),
        await globalThis.client
          .changePassword({ oldPassword: 'a guess', newPassword: 'a password of mallory' })
          .catch(code),
      ];
    });
    assert.deepEqual(codes, ['wrong_password', 'wrong_password']);
  });

  it('what it took is worth nothing after the logout', async () => {
    const { accessToken: stolen, csrf } = await run('askForToken', site.api);
    await page.evaluate(() => globalThis.client.logout());
    const headers = { authorization: `Bearer ${stolen}`, 'x-csrftoken': csrf };
    const profile = await fetch(`${site.behind}/accounts/profile`, { headers });
    assert.equal(profile.status, 401);
    const refresh = await fetch(`${site.behind}/accounts/refresh_token`, {
      method: 'POST',
      headers,
    });
    assert.equal(refresh.status, 401);
  });
});
