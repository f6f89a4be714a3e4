// A sibling host that tosses cookies: it sets them for the parent domain, so that they arrive at the
// API beside its own.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';

import {
  all,
  withFirstCookie,
  withOpenCors,
  withoutOriginCheck,
  withPlainDoubleSubmit,
} from '../hostile/flavours.js';
import { openScene } from '../hostile/scene.js';
import { as, refreshCookieOf } from '../support/api.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { ada, demo, mallory } from '../support/program.js';
import { openWeb } from '../support/web.js';

const SIBLING = { app: 'app.shop.test', api: 'api.shop.test', evil: 'evil.shop.test' };
const PLAIN_NAMES = { cookie_prefix: 'none' };
const TOSSED = 'a-csrf-token-that-the-attacker-chose';

let browser, web, server, scene;

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
  server = await demo();
});
after(cleanUp);
afterEach(() => scene.close());

async function open(settings) {
  scene = await openScene(web, browser, { demo: server, ...SIBLING, settings });
}

/** Sets a cookie for the parent domain, from the hostile page. */
async function toss(cookie, path = '/') {
  await scene.page.evaluate(
    (text) => (document.cookie = text),
    `${cookie}; domain=shop.test; path=${path}; secure`,
  );
}

/** The names of the cookies that the API is sent, in their order. */
async function sent() {
  const start = scene.site.exchanges.length;
  await scene.victim.page.refresh();
  const { cookie } = scene.site.exchanges.slice(start).at(-1).request.headers;
  return cookie.split('; ').map((pair) => pair.split('=')[0]);
}

// attack 54
describe('hostile: a sibling tosses cookies', () => {
  it('can plant none under the names that we use by default', async () => {
    await open();
    const refresh = (await refreshCookieOf(scene.site.behind, mallory)).split('=')[1];
    for (const cookie of [
      `__Host-csrftoken=${TOSSED}`,
      `__Host-refreshtoken=${refresh}`,
      `__hOsT-refreshtoken=${refresh}`,
      `=__Host-refreshtoken=${refresh}`,
      `\u2000__Host-refreshtoken=${refresh}`,
    ]) {
      await toss(cookie);
      await toss(cookie, '/accounts');
    }
    const names = (await sent()).filter((name) => /^__Host-/.test(name));
    assert.deepEqual(names.sort(), ['__Host-csrftoken', '__Host-refreshtoken']);
    await scene.victim.goesOn();
  });

  it('a planted CSRF token changes nothing, where the names are plain', async () => {
    await open(PLAIN_NAMES);
    await toss(`csrftoken=${TOSSED}`);
    await toss(`csrftoken=${TOSSED}`, '/accounts');
    assert.equal((await sent()).filter((name) => name === 'csrftoken').length, 3);
    await scene.victim.goesOn();
  });

  it('a CSRF token planted over ours changes nothing, where siblings share the cookie', async () => {
    await open({ cookie_domain: 'shop.test' });
    await toss(`__Secure-csrftoken=${TOSSED}`);
    await scene.victim.goesOn();
  });

  it('a planted CSRF token countersigns no request of its own', async () => {
    await open(PLAIN_NAMES);
    await toss(`csrftoken=${TOSSED}`, '/accounts');
    // Even where the two checks that come first are turned off.
    scene.site.flavour = all(withOpenCors, withoutOriginCheck(scene.site.app));
    const before = await scene.victim.state();
    const read = await scene.attack(refreshWith(TOSSED));
    assert.match(read, /csrf_failed/);
    assert.deepEqual(await scene.victim.state(), before);
  });

  it('a planted refresh token never makes the victim go on as the attacker', async () => {
    await open(PLAIN_NAMES);
    const { victim, site } = scene;
    await toss(await refreshCookieOf(site.behind, mallory), '/accounts');
    assert.deepEqual((await sent()).slice(0, 2), ['refreshtoken', 'refreshtoken']);
    // What is in memory says which session counts.
    await victim.page.callApi(ada.username);
    // After a reload nothing does: there is no token, rather than the wrong one.
    await victim.page.reload();
    await victim.page.isSignedOut();
    await victim.page.signIn(ada);
    await victim.page.callApi(ada.username);
    await victim.page.refresh();
    await victim.page.callApi(ada.username);
  });
});

describe('hostile: less careful servers fall to tossed cookies', () => {
  it('one that compares header and cookie gives a page the access token of the victim', async () => {
    await open(PLAIN_NAMES);
    await toss(`csrftoken=${TOSSED}`, '/accounts');
    scene.site.flavour = all(
      withOpenCors,
      withoutOriginCheck(scene.site.app),
      withPlainDoubleSubmit,
    );
    const read = await scene.attack(refreshWith(TOSSED));
    const [, stolen] = /"access_token":"([^"]+)"/.exec(read);
    assert.equal((await as(scene.site.behind, stolen).profile()).username, ada.username);
  });

  it('one that takes the first cookie of a name signs the victim in as the attacker', async () => {
    await open(PLAIN_NAMES);
    const { victim, site } = scene;
    site.flavour = withFirstCookie;
    await toss(await refreshCookieOf(site.behind, mallory), '/accounts');
    await victim.page.reload();
    await victim.page.isSignedIn();
    await victim.page.callApi(mallory.username);
  });
});

/** A refresh with this CSRF header, from the hostile page. */
function refreshWith(token) {
  const headers = { 'X-CSRFTOKEN': token };
  return ['send', `${scene.site.api}/accounts/refresh_token`, { headers }];
}
