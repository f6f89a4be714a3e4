// Each defence alone holds, and without them the attacks do work: so the suite is known to bite.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';

import { attacks, LOGIN_FIELD } from '../hostile/attacks.js';
import {
  all,
  withoutCountersignature,
  withoutOriginCheck,
  withoutTypeCheck,
} from '../hostile/flavours.js';
import { openScene } from '../hostile/scene.js';
import { csrfTokenOf } from '../support/api.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { demo, mallory } from '../support/program.js';
import { openWeb } from '../support/web.js';

/** Another site, and cookies that ride along: nothing but the server's own checks is in the way. */
const CROSS_SITE = {
  app: 'app.shop.test',
  api: 'api.service.test',
  settings: { cookie_samesite: 'None' },
  evil: 'evil.test',
};

let browser, web, server, scene;

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
  server = await demo();
});
after(cleanUp);
afterEach(() => scene.close());

/** The scene, with these defences turned off. */
async function openWithout(...defences) {
  scene = await openScene(web, browser, { demo: server, ...CROSS_SITE });
  const { app } = scene.site;
  scene.site.flavour = all(
    ...defences.map((flavour) => (flavour === withoutOriginCheck ? flavour(app) : flavour)),
  );
}

async function assertNothingWorks() {
  const { site, victim, evil } = scene;
  const before = await victim.state();
  const csrf = await csrfTokenOf(site.behind, mallory);
  for (const { title, tools } of attacks({ api: site.api, evil, csrf, windows: false })) {
    assert.equal(await scene.attack(tools), null, title);
    assert.deepEqual(await victim.state(), before, title);
  }
  await victim.goesOn();
}

const logoutForm = () => ['submit', `${scene.site.api}/accounts/logout`];
const loginForm = () => [
  'submit',
  `${scene.site.api}/accounts/login`,
  { enctype: 'text/plain', fields: LOGIN_FIELD },
];

// attacks 50, 58
describe('hostile: every defence holds alone', () => {
  it('nothing works without the origin check', async () => {
    await openWithout(withoutOriginCheck);
    await assertNothingWorks();
  });

  it('nothing works without the check of the content type', async () => {
    await openWithout(withoutTypeCheck);
    await assertNothingWorks();
  });

  it('nothing works without the countersignature', async () => {
    await openWithout(withoutCountersignature);
    await assertNothingWorks();
  });
});

describe('hostile: less careful servers fall', () => {
  it('to a form that logs out, without the origin check and the countersignature', async () => {
    await openWithout(withoutOriginCheck, withoutCountersignature);
    await scene.attack(logoutForm());
    await scene.victim.page.reload();
    await scene.victim.page.isSignedOut();
  });

  it('to login CSRF, without the checks of origin and content type', async () => {
    await openWithout(withoutOriginCheck, withoutTypeCheck);
    await scene.attack(loginForm());
    await scene.victim.page.reload();
    await scene.victim.page.isSignedIn();
    await scene.victim.page.callApi(mallory.username);
  });
});
