// The demo page: the whole story of a session, as a person lives it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { openBrowser, openContext } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { DemoPage } from '../support/demo-page.js';
import { people } from '../support/people.js';
import { ada, demo } from '../support/program.js';
import { openSite } from '../support/site.js';
import { openWeb } from '../support/web.js';

const PHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

let browser, web, server, user;
const person = people(() => browser);

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
  server = await demo();
  user = server.user;
});
after(cleanUp);

const open = (context, url = server.page) => DemoPage.open(context, url);

async function openSignedIn(context) {
  const page = await open(context);
  await page.signIn(user);
  await page.isSignedIn();
  return page;
}

describe('demo: signing in and out', () => {
  it('shows three tokens in three places after a login', async () => {
    const context = await person();
    const page = await openSignedIn(context);
    await page.says('countersigned ✓');
    const [header, claims] = (await page.accessToken()).split('.', 2).map(readJson);
    assert.equal(header.typ, 'at+jwt');
    assert.equal(claims.token_type, 'access');
    const cookies = await context.cookies(server.api);
    const named = (name) => cookies.find((cookie) => cookie.name === name);
    assert.equal(named('csrftoken').value, await page.csrfToken());
    assert.equal(named('csrftoken').httpOnly, false);
    assert.equal(named('refreshtoken').httpOnly, true);
    assert.equal(named('refreshtoken').sameSite, 'Lax');
    const visible = await page.page.evaluate(() => document.cookie);
    assert.match(visible, /csrftoken=/);
    assert.doesNotMatch(visible, /refreshtoken/);
  });

  it('keeps no token in any storage', async () => {
    const page = await openSignedIn(await person());
    const stored = await page.page.evaluate(async () => ({
      local: { ...localStorage },
      session: { ...sessionStorage },
      databases: await indexedDB.databases(),
      caches: await caches.keys(),
      workers: (await navigator.serviceWorker.getRegistrations()).length,
    }));
    assert.deepEqual(stored, { local: {}, session: {}, databases: [], caches: [], workers: 0 });
  });

  it('says that the name or the password is wrong, and keeps what was typed', async () => {
    const page = await open(await person());
    await page.signIn({ username: 'demo', password: 'not the right password' });
    await page.says('The user name or the password is wrong.');
    assert.equal(await page.field('User name or e-mail address').inputValue(), 'demo');
    await page.signIn(user);
    await page.isSignedIn();
  });

  it('ends the session on the server too when it logs out', async () => {
    const context = await person();
    const page = await openSignedIn(context);
    await page.logOut();
    assert.deepEqual(await context.cookies(server.api), []);
    await page.reload();
    await page.isSignedOut();
  });

  it('gives cookies that end with the browser when it is not to be remembered', async () => {
    const context = await person();
    const page = await open(context);
    await page.signIn(user, { remember: false });
    await page.isSignedIn();
    const cookies = await context.cookies(server.api);
    assert.deepEqual(
      cookies.map((cookie) => cookie.expires),
      [-1, -1],
    );
  });
});

describe('demo: going on', () => {
  it('calls the API with the access token', async () => {
    const page = await openSignedIn(await person());
    await page.callApi('demo');
  });

  it('saves the profile, and shows it again after a reload', async () => {
    const page = await openSignedIn(await person());
    const name = `Demo ${Date.now()}`;
    await page.editProfile({ 'First name': name });
    await page.says('The profile was saved.');
    await page.reload();
    await page.unfold('Edit the profile');
    assert.equal(await page.field('First name').inputValue(), name);
  });

  it('asks for the password when the e-mail address changes', async () => {
    const page = await openSignedIn(await person());
    const email = `demo-${Date.now()}@example.com`;
    const change = (password) =>
      page.editProfile({
        'E-mail address': email,
        'Your password, since the e-mail address changes': password,
      });
    await change('not the right password');
    await page.says('wrong_password');
    await change(user.password);
    await page.says('The profile was saved.');
    await page.reload();
    await page.unfold('Edit the profile');
    assert.equal(await page.field('E-mail address').inputValue(), email);
  });

  it('gets another access token when it refreshes', async () => {
    const page = await openSignedIn(await person());
    const [first, csrf] = [await page.accessToken(), await page.csrfToken()];
    await page.refresh();
    assert.notEqual(await page.accessToken(), first);
    assert.equal(await page.csrfToken(), csrf);
    await page.callApi('demo');
  });

  it('is signed in again after a reload, with tokens that memory had lost', async () => {
    const page = await openSignedIn(await person());
    const first = await page.accessToken();
    await page.reload();
    await page.isSignedIn();
    assert.notEqual(await page.accessToken(), first);
  });

  it('is signed in in a second tab too, and both go on side by side', async () => {
    const context = await person();
    const tabs = [await openSignedIn(context), await open(context)];
    await tabs[1].isSignedIn();
    for (const tab of [...tabs, ...tabs]) {
      await tab.refresh();
      await tab.callApi('demo');
    }
  });

  it('is signed out in a second tab when the first one logs out', async () => {
    const context = await person();
    const tabs = [await openSignedIn(context), await open(context)];
    await tabs[0].logOut();
    await touch(tabs[1]);
    await tabs[1].isSignedOut();
  });

  it('tells a session that another browser ended from there', async () => {
    const phone = await openSignedIn(await person({ userAgent: PHONE }));
    const desktop = await openSignedIn(await person());
    await desktop.unfold('Sessions');
    await desktop.button('End the session of Safari on iPhone').first().click();
    await desktop.says('That session has ended.');
    await touch(phone);
    await phone.isSignedOut();
    assert.match(await phone.signInError(), /ended/);
    await desktop.callApi('demo');
  });

  it('ends every other session, and keeps its own', async () => {
    const others = [await openSignedIn(await person()), await openSignedIn(await person())];
    const page = await openSignedIn(await person());
    await page.unfold('Sessions');
    await page.button('End all others').click();
    await page.says('All other sessions have ended.');
    for (const other of others) {
      await touch(other);
      await other.isSignedOut();
    }
    await page.callApi('demo');
  });

  it('takes a new password, and every older session ends', async () => {
    const other = await openSignedIn(await person());
    const page = await openSignedIn(await person());
    const next = `${user.password}, changed`;
    await page.changePassword('not the right password', next);
    await page.says('wrong_password');
    await page.changePassword(user.password, next);
    await page.says('The password was changed.');
    user = { ...user, password: next };
    await touch(other);
    await other.isSignedOut();
    await page.callApi('demo');
    await page.reload();
    await page.isSignedIn();
  });
});

describe('demo: what happens when…', () => {
  const outcomes = {
    'A change without the CSRF header': '403 csrf_failed',
    'A refresh without the CSRF header': '403 csrf_failed',
    'A wrong CSRF token': '403 csrf_failed',
    'No access token': '401 not_authenticated',
    'A tampered access token': '401 token_invalid',
    'Five tabs refresh at once': '200',
  };
  let page;

  before(async () => {
    page = await openSignedIn(await openContext(browser));
  });
  after(() => page.page.context().close());

  it('has an outcome for every experiment on the page', async () => {
    const buttons = await page.page.getByRole('button', { name: /^Try it: / }).all();
    const names = await Promise.all(buttons.map((button) => button.getAttribute('aria-label')));
    const known = [...Object.keys(outcomes), 'the page is reloaded'];
    assert.deepEqual(
      names,
      known.map((name) => `Try it: ${name}`),
    );
  });

  for (const [experiment, outcome] of Object.entries(outcomes)) {
    it(`${experiment}: ${outcome}`, async () => {
      const row = page.page
        .getByRole('listitem')
        .filter({ has: page.button(`Try it: ${experiment}`) });
      await page.try(experiment);
      await row.getByRole('status').getByText(outcome, { exact: true }).waitFor();
    });
  }

  it('harms the session by none of them', async () => {
    await page.callApi('demo');
    await page.button('Try it: the page is reloaded').click();
    await page.says('Session restored');
  });
});

describe('demo: time', () => {
  it('renews the access token in time for those who use the page', async () => {
    const site = await openSite(web, {
      demo: server,
      app: 'app.shop.test',
      api: 'api.shop.test',
      settings: { access_token_lifetime: 2 },
    });
    const page = await open(await person(), site.app);
    await page.signIn(ada);
    await page.isSignedIn();
    const first = await page.accessToken();
    for (let i = 0; i < 200 && (await page.accessToken()) === first; i += 1) {
      await page.callApi('ada');
    }
    assert.notEqual(await page.accessToken(), first);
    await page.callApi('ada');
    assert.deepEqual(
      site.exchanges.filter(
        ({ request, status }) => status === 401 && request.url !== '/accounts/csrf',
      ),
      [],
    );
  });

  it('refreshes once when the access token has expired unnoticed, and repeats the call', async () => {
    const site = await openSite(web, {
      demo: server,
      app: 'app.shop.test',
      api: 'api.shop.test',
      settings: { access_token_lifetime: 2, leeway: 0 },
    });
    const context = await person();
    await context.clock.install();
    const page = await open(context, site.app);
    await page.signIn(ada);
    await page.isSignedIn();
    // The page's clock stands still, like a laptop's that sleeps. The server's goes on.
    await context.clock.pauseAt(Date.now() + 100);
    await expiry(await page.accessToken());
    await context.clock.resume();
    const calls = await site.during(() => page.callApi('ada'));
    assert.deepEqual(
      calls.filter((call) => !call.startsWith('OPTIONS')),
      [
        'GET /accounts/profile 401',
        'POST /accounts/refresh_token 200',
        'GET /accounts/profile 200',
      ],
    );
  });

  it('asks for a login when the session has lived its whole life', async () => {
    const site = await openSite(web, {
      demo: server,
      app: 'app.shop.test',
      api: 'api.shop.test',
      settings: {
        access_token_lifetime: 2,
        refresh_token_lifetime: 3,
        session_lifetime: 3,
        leeway: 0,
      },
    });
    const page = await open(await person(), site.app);
    await page.signIn(ada);
    await page.isSignedIn();
    // An idle page sends nothing, so it is its use that meets the end.
    for (let i = 0; i < 200 && (await page.button('Log out').isVisible()); i += 1) {
      await touch(page);
    }
    await page.isSignedOut();
    assert.notEqual(await page.signInError(), '');
    await page.signIn(ada);
    await page.isSignedIn();
  });
});

/** Uses a page that may have heard already that its session has ended. */
async function touch(page) {
  await page
    .button('Call the API')
    .click({ timeout: 2_000 })
    .catch(() => {});
}

async function expiry(accessToken) {
  const { exp } = readJson(accessToken.split('.')[1]);
  await new Promise((resolve) => setTimeout(resolve, exp * 1000 - Date.now() + 50));
}

function readJson(part) {
  return JSON.parse(Buffer.from(part, 'base64url').toString());
}
