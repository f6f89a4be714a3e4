// A hostile page, open beside the victim's. Whatever it makes the browser send, the victim's state
// and session are as before, and nothing could be read.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { attacks } from '../hostile/attacks.js';
import { openScene } from '../hostile/scene.js';
import { csrfTokenOf } from '../support/api.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { demo, mallory } from '../support/program.js';
import { openWeb } from '../support/web.js';

let browser, web, server;

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
  server = await demo();
});
after(cleanUp);

/**
 * Where the victim is, and from where it is attacked. Each place is the worst of its kind: wherever
 * a browser would send the cookies along, it does.
 */
const PLACES = [
  {
    title: 'another site, where SameSite=None lets the cookies ride along',
    app: 'app.shop.test',
    api: 'api.service.test',
    settings: { cookie_samesite: 'None' },
    evil: 'evil.test',
  },
  {
    title: 'a sandboxed frame, whose origin is null',
    app: 'app.shop.test',
    api: 'api.service.test',
    settings: { cookie_samesite: 'None' },
    evil: 'evil.test',
    path: '/sandbox',
  },
  {
    title: 'a sibling host, which can read the CSRF cookie',
    app: 'app.shop.test',
    api: 'api.shop.test',
    settings: { cookie_domain: 'shop.test' },
    evil: 'evil.shop.test',
    readsCsrf: true,
  },
  {
    title: 'another port of localhost, which can read the CSRF cookie',
    app: 'localhost',
    api: 'localhost',
    evil: 'localhost',
    readsCsrf: true,
  },
];

// attacks 50, 58, 61, 63, 64, 65
for (const place of PLACES) {
  describe(`hostile: from ${place.title}`, () => {
    let scene, csrf;

    before(async () => {
      scene = await openScene(web, browser, { demo: server, ...place });
      csrf = await csrfTokenOf(scene.site.behind, mallory);
    });
    after(() => scene.close());

    it(place.readsCsrf ? 'reads the CSRF token' : 'sees no cookie of the victim', async () => {
      const seen = await scene.attack(['readCsrfCookie']);
      assert.equal(seen, place.readsCsrf ? await scene.victim.page.csrfToken() : null);
      csrf = seen ?? csrf;
    });

    const windows = place.path !== '/sandbox';
    attacks({ windows }).forEach(({ title }, index) => {
      it(title, async () => {
        const { site, victim, evil } = scene;
        const attack = attacks({ windows, api: site.api, evil, csrf })[index];
        const before = await victim.state();
        const start = site.exchanges.length;
        let read;
        const arrived = await site.during(async () => {
          read = await scene.attack(attack.tools);
        });
        assert.deepEqual(arrived, attack.arrives);
        assert.equal(read, null);
        assert.deepEqual(await victim.state(), before);
        if (!attack.withoutCookies) assertCookiesCame(site.exchanges.slice(start));
      });
    });

    it('the victim goes on', () => scene.victim.goesOn());
  });
}

/** Else the browser alone would have stopped the attack, and nothing would be shown. */
function assertCookiesCame(exchanges) {
  for (const { request } of exchanges) {
    const { method, url, headers } = request;
    if (method !== 'OPTIONS')
      assert.match(headers.cookie ?? '', /refreshtoken=/, `${method} ${url}`);
  }
}
