// Many tabs and clients of one browser, which share one session: with @countersign/client in them.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { hasClient, openApp, openSignedIn } from '../support/app.js';
import { openBrowser, openContext } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { ada, mallory } from '../support/program.js';
import { openSite } from '../support/site.js';
import { openWeb } from '../support/web.js';

const PLACE = { app: 'app.shop.test', api: 'api.shop.test', users: [ada, mallory] };

let browser, web;

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
});
after(cleanUp);

// attack 29
describe('tabs: eight of them, and an access token that lives for one second', () => {
  const TABS = 8;
  const SECONDS = 20;
  // One tab renews a token when a fifth of its second is left, so once in 800 ms at most.
  const MOST = SECONDS / 0.8 + 2;

  it('no request fails, the session lives, and they refresh as often as one tab', async () => {
    const site = await openSite(web, {
      ...PLACE,
      // The client renews it each second all the same. The leeway is for a machine so busy that a
      // request takes longer than its token lives; a tab that missed the news would still fail.
      settings: { access_token_lifetime: 1, leeway: 5 },
    });
    const first = await openSignedIn(browser, site, ada);
    const context = first.context();
    const tabs = [first];
    while (tabs.length < TABS) tabs.push(await openApp(context, site));

    const start = site.exchanges.length;
    const calls = await Promise.all(tabs.map((tab) => tab.evaluate(callForAWhile, SECONDS)));
    const exchanges = site.exchanges.slice(start);
    const refreshes = exchanges.filter(
      ({ request: { method, url } }) => method === 'POST' && url === '/accounts/refresh_token',
    );

    for (const { good, bad } of calls) {
      assert.deepEqual(bad, []);
      assert.ok(good > SECONDS, `${good} calls`); // more than one a second, whatever else runs here
    }
    assert.ok(refreshes.every(({ status }) => status === 200));
    assert.ok(refreshes.length <= MOST, `${refreshes.length} refreshes`);
    assert.ok(refreshes.length >= SECONDS / 2, `${refreshes.length} refreshes`);
    const [live] = await Promise.all(
      tabs.map((tab) => tab.evaluate(() => globalThis.client.sessions())),
    );
    assert.deepEqual(
      live.map(({ current }) => current),
      [true],
    );
    await context.close();
  });
});

describe('tabs: what one does counts in all', () => {
  let site, context, tabs;

  before(async () => {
    site = await openSite(web, PLACE);
  });

  async function open() {
    context = await openContext(browser);
    tabs = [await openApp(context, site), await openApp(context, site)];
  }

  const logIn = (tab, { username, password }) =>
    tab.evaluate((credentials) => globalThis.client.login(credentials), { username, password });
  const user = (tab) =>
    tab.evaluate(() => globalThis.client.user?.username ?? globalThis.client.user);
  const becomes = (tab, name) =>
    tab.waitForFunction((its) => (globalThis.client.user?.username ?? null) === its, name);

  it('a login, and it costs the other tab no request', async () => {
    await open();
    await logIn(tabs[0], ada);
    const calls = await site.during(() => becomes(tabs[1], 'ada'));
    assert.deepEqual(calls, []);
  });

  it('a change of the profile', async () => {
    await tabs[0].evaluate(() => globalThis.client.updateProfile({ first_name: 'Augusta' }));
    await tabs[1].waitForFunction(() => globalThis.client.user.first_name === 'Augusta');
  });

  it('a login as somebody else stops the others, and nothing more goes out from them', async () => {
    await logIn(tabs[0], ada);
    await becomes(tabs[1], 'ada');
    const changes = tabs[1].evaluate(
      () => new Promise((resolve) => globalThis.client.onChange(({ type }) => resolve(type))),
    );
    await logIn(tabs[0], mallory);
    assert.equal(await changes, 'user_changed');
    const calls = await site.during(async () => {
      const code = await tabs[1].evaluate(() =>
        globalThis.client.updateProfile({ first_name: 'x' }).catch((error) => error.code),
      );
      assert.equal(code, 'user_changed');
    });
    assert.deepEqual(calls, []);
    await tabs[1].evaluate(() => globalThis.client.restore());
    assert.equal(await user(tabs[1]), 'mallory');
  });

  it('a logout', async () => {
    await tabs[0].evaluate(() => globalThis.client.logout());
    await becomes(tabs[1], null);
    assert.deepEqual(await context.cookies(), []);
    await context.close();
  });
});

describe('tabs: pages that start, go and come back', () => {
  let site, page;

  before(async () => {
    site = await openSite(web, PLACE);
    page = await openSignedIn(browser, site, ada);
  });
  after(() => page.context().close());

  const refreshes = (calls) =>
    calls.filter((call) => call.startsWith('POST /accounts/refresh_token'));

  it('a page that starts twice asks once', async () => {
    await page.reload();
    await hasClient(page);
    const calls = await site.during(() =>
      page.evaluate(async (api) => {
        const { createClient } = await import('/client/index.js');
        const other = createClient({ baseUrl: api });
        const users = await Promise.all([
          globalThis.client.restore(),
          other.restore(),
          globalThis.client.restore(),
        ]);
        if (users.some(({ username }) => username !== 'ada')) throw new Error('not signed in');
      }, site.api),
    );
    assert.deepEqual(refreshes(calls), ['POST /accounts/refresh_token 200']);
  });

  it('tabs that start at once ask once', async () => {
    const tabs = await Promise.all([1, 2, 3].map(() => openApp(page.context(), site)));
    await page.goto('about:blank'); // or it would answer them all
    const calls = await site.during(() =>
      Promise.all(tabs.map((tab) => tab.evaluate(() => globalThis.client.restore()))),
    );
    assert.deepEqual(refreshes(calls), ['POST /accounts/refresh_token 200']);
    for (const tab of tabs) await tab.close();
    await page.goto(site.app);
    await hasClient(page);
  });

  it('works behind a service worker, and inside it', async () => {
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/worker.js', { type: 'module' });
      await navigator.serviceWorker.ready;
    });
    await page.reload();
    await hasClient(page);
    const { username } = await page.evaluate(() => globalThis.client.restore());
    assert.equal(username, 'ada');
    const seen = await page.evaluate(async (api) => {
      const { port1, port2 } = new MessageChannel();
      const answer = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
      navigator.serviceWorker.controller.postMessage({ api }, [port2]);
      return answer;
    }, site.api);
    assert.ok(seen.handed > 0);
    assert.equal(seen.user.username, 'ada');
  });
});

describe('tabs: the back/forward cache', () => {
  let site, elsewhere, page, other;

  before(async () => {
    site = await openSite(web, PLACE);
    elsewhere = await web.publish('elsewhere.test', { '/': '<title>elsewhere</title>' });
    const keeping = await openBrowser({ ...web, keepsPages: true });
    page = await openSignedIn(keeping, site, ada);
    other = await openApp(page.context(), site);
  });

  /** Leaves the page, and comes back to it as it was. */
  async function leave(meanwhile = () => {}) {
    await page.evaluate(() => {
      globalThis.kept = true;
    });
    // The browser keeps no page that holds a lock, and so none in the middle of a refresh.
    await page.waitForFunction(async () => (await navigator.locks.query()).held.length === 0);
    await page.goto(elsewhere);
    await meanwhile();
    await page.goBack({ waitUntil: 'commit' });
    assert.equal(await page.evaluate(() => globalThis.kept), true);
  }

  it('a page that comes back asks the server whether its session still is', async () => {
    const start = site.exchanges.length;
    await leave();
    await site.reached('POST', '/accounts/refresh_token', start);
  });

  it('a page that comes back after a logout is signed out', async () => {
    await leave(async () => {
      await other.evaluate(() => globalThis.client.logout());
    });
    await page.waitForFunction(() => globalThis.client.user === null);
  });
});

/** Calls the API again and again, and counts how that went. */
async function callForAWhile(seconds) {
  const end = performance.now() + seconds * 1000;
  const result = { good: 0, bad: [] };
  while (performance.now() < end) {
    try {
      const { username } = await globalThis.client.profile();
      if (username === 'ada') result.good += 1;
      else result.bad.push(username);
    } catch (error) {
      result.bad.push(`${error.code} ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return result;
}
