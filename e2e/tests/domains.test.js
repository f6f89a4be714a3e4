// A single-page app and its API on two hosts, behind real TLS: the same story wherever the two are,
// and the cookies that a browser keeps of it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { openBrowser, openContext } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { DemoPage } from '../support/demo-page.js';
import { ada, demo } from '../support/program.js';
import { openSite } from '../support/site.js';
import { openWeb } from '../support/web.js';

const APP = 'app.shop.test';

let web, server;
const browsers = {};

before(async () => {
  web = await openWeb();
  browsers.ordinary = await openBrowser(web);
  browsers.strict = await openBrowser({ ...web, blocksThirdPartyCookies: true });
  server = await demo();
});
after(cleanUp);

const PLACES = {
  'an API on another domain': {
    api: 'api.service.test',
    settings: { cookie_samesite: 'None' },
    browser: 'ordinary',
    cookies: {
      '__Host-refreshtoken': 'api.service.test, HttpOnly, Secure, None',
      '__Host-csrftoken': 'api.service.test, Secure, None',
    },
    seenByApp: [],
  },
  'an API on another domain, in a browser that blocks third-party cookies': {
    api: 'api.service.test',
    settings: { cookie_samesite: 'None', cookie_partitioned: true },
    browser: 'strict',
    cookies: {
      '__Host-refreshtoken': 'api.service.test, HttpOnly, Secure, None',
      '__Host-csrftoken': 'api.service.test, Secure, None',
    },
    seenByApp: [],
  },
  'an API on a sibling host': {
    api: 'api.shop.test',
    browser: 'strict',
    cookies: {
      '__Host-refreshtoken': 'api.shop.test, HttpOnly, Secure, Lax',
      '__Host-csrftoken': 'api.shop.test, Secure, Lax',
    },
    seenByApp: [],
  },
  'an API on a sibling host that shares its CSRF cookie': {
    api: 'api.shop.test',
    settings: { cookie_domain: 'shop.test' },
    browser: 'strict',
    cookies: {
      '__Host-refreshtoken': 'api.shop.test, HttpOnly, Secure, Lax',
      '__Secure-csrftoken': '.shop.test, Secure, Lax',
    },
    seenByApp: ['__Secure-csrftoken'],
  },
};

for (const [title, { api, settings, browser, cookies, seenByApp }] of Object.entries(PLACES)) {
  describe(`domains: ${title}`, () => {
    let site, context, page;

    before(async () => {
      site = await openSite(web, { demo: server, app: APP, api, settings });
      context = await openContext(browsers[browser]);
      page = await DemoPage.open(context, site.app);
    });
    after(() => context.close());

    it('signs in, and the cookies are kept to their hosts', async () => {
      await page.signIn(ada);
      await page.isSignedIn();
      assert.deepEqual(await kept(context), cookies);
      const seen = await page.page.evaluate(() => document.cookie.match(/[^=; ]+(?==)/g) ?? []);
      assert.deepEqual(seen, seenByApp);
    });

    it('calls the API, and changes something', async () => {
      await page.callApi(ada.username);
      const calls = await site.during(async () => {
        await page.editProfile({ 'First name': 'Augusta' });
        await page.says('The profile was saved.');
      });
      assert.deepEqual(withoutPreflights(calls), ['PATCH /accounts/profile 200']);
    });

    it('refreshes', async () => {
      const calls = await site.during(() => page.refresh());
      assert.deepEqual(withoutPreflights(calls), [
        'POST /accounts/refresh_token 200',
        'GET /accounts/profile 200', // the call that needed it
      ]);
      await page.callApi(ada.username);
    });

    it('is signed in again after a reload', async () => {
      const calls = await site.during(async () => {
        await page.reload();
        await page.isSignedIn();
      });
      const asked = seenByApp.length === 0 ? ['GET /accounts/csrf 200'] : [];
      assert.deepEqual(withoutPreflights(calls), [...asked, 'POST /accounts/refresh_token 200']);
      await page.callApi(ada.username);
    });

    it('is signed in in another tab', async () => {
      const other = await DemoPage.open(context, site.app);
      await other.isSignedIn();
      await other.callApi(ada.username);
      await other.page.close();
    });

    it('signs out, and no cookie is left', async () => {
      const calls = await site.during(() => page.logOut());
      assert.deepEqual(withoutPreflights(calls), ['POST /accounts/logout 204']);
      assert.deepEqual(await kept(context), {});
      await page.reload();
      await page.isSignedOut();
    });
  });
}

describe('domains: another domain, third-party cookies blocked, and no partition', () => {
  it('works until the reload, and then asks for a login', async () => {
    const settings = { cookie_samesite: 'None' };
    const site = await openSite(web, { demo: server, app: APP, api: 'api.service.test', settings });
    const context = await openContext(browsers.strict);
    const page = await DemoPage.open(context, site.app);
    await page.signIn(ada);
    await page.isSignedIn();
    await page.callApi(ada.username);
    assert.deepEqual(await kept(context), {});
    await page.reload();
    await page.isSignedOut();
    await context.close();
  });
});

/** The cookies that the browser keeps: name, and where they go. */
async function kept(context) {
  const cookies = await context.cookies();
  return Object.fromEntries(
    cookies.map(({ name, domain, httpOnly, secure, sameSite }) => [
      name,
      [domain, httpOnly && 'HttpOnly', secure && 'Secure', sameSite].filter(Boolean).join(', '),
    ]),
  );
}

function withoutPreflights(calls) {
  return calls.filter((call) => !call.startsWith('OPTIONS'));
}
