// The admin site by keyboard, on a phone, in the dark, and without script.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { DESKTOP, faults, PHONE, tooWide } from '../support/accessibility.js';
import { AdminPage } from '../support/admin-page.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { change, crowd } from '../support/database.js';
import { people } from '../support/people.js';
import { demo } from '../support/program.js';

const PAGES = [
  '/admin/',
  '/admin/users',
  '/admin/users/1',
  '/admin/users/1/delete',
  '/admin/users/new',
  '/admin/groups',
  '/admin/groups/1',
  '/admin/groups/new',
  '/admin/sessions',
  '/admin/sessions?state=all',
  '/admin/audit',
  '/admin/keys',
];
const OUTSIDE = ['/admin/sign-in', '/admin/set-up/none', '/accounts/set-password/none', '/admin/none'];

let browser, server;
const person = people(() => browser);

before(async () => {
  browser = await openBrowser();
  server = await demo();
  await crowd(server.data, 300, 'sam');
  await change(
    server.data,
    `INSERT INTO groups (name, name_key) VALUES ('Editors', 'editors'), ('Support', 'support');
     INSERT INTO user_groups (user_id, group_id) VALUES (1, 1);
     INSERT INTO audit (at, kind, user_id, ip, detail, count)
       SELECT (strftime('%s', 'now') - id % 24 * 3600) * 1000,
         CASE id % 7 WHEN 0 THEN 'login_failed' WHEN 1 THEN 'login_throttled' ELSE 'login' END,
         id, '192.0.2.' || (id % 250), '{}', 1 + id % 5 FROM users;`,
  );
});
after(cleanUp);

async function signedIn(options) {
  return AdminPage.signedIn(await person({ reducedMotion: 'reduce', ...options }), server.api, server.admin);
}

describe('admin: for everyone', () => {
  for (const colorScheme of ['light', 'dark']) {
    it(`has no fault that a program can find, ${colorScheme}`, async () => {
      const page = await signedIn({ viewport: DESKTOP, colorScheme });
      for (const path of PAGES) {
        await page.go(path);
        assert.deepEqual(await faults(page.page), [], path);
      }
      const outside = await AdminPage.open(await person({ colorScheme }), server.api, '/admin/sign-in');
      for (const path of OUTSIDE) {
        await outside.go(path);
        assert.deepEqual(await faults(outside.page), [], path);
      }
    });
  }

  it('fits a phone', async () => {
    const page = await signedIn({ viewport: PHONE, isMobile: true });
    for (const path of [...PAGES, ...OUTSIDE]) {
      await page.go(path);
      assert.deepEqual(await tooWide(page.page), [], path);
    }
    await page.go('/admin/users');
    assert.deepEqual(await faults(page.page), []);
  });

  it('can be used by keyboard alone', async () => {
    const page = await AdminPage.open(await person(), server.api);
    await page.page.keyboard.type(server.admin.username);
    await page.page.keyboard.press('Tab');
    await page.page.keyboard.type(server.admin.password);
    await page.page.keyboard.press('Enter');
    await page.heading('Overview').waitFor();
    await page.page.keyboard.press('Tab');
    const focused = () => page.page.evaluate(() => document.activeElement.textContent.trim());
    assert.equal(await focused(), 'Skip to the content');
    await page.page.keyboard.press('Enter');
    assert.equal(await page.page.evaluate(() => document.activeElement.id), 'main');
  });

  it('turns dark and light by its button, and remembers', async () => {
    const page = await signedIn({ colorScheme: 'light' });
    const ground = () => page.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.press('Dark');
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.section('Users');
    assert.equal(await ground(), dark);
  });

  it('does all that it does without script', async () => {
    const page = await signedIn({ javaScriptEnabled: false });
    await page.section('Users');
    await page.field('Search').fill('sam-000042');
    await page.press('Search');
    await page.follow('sam-000042');
    await page.field('First name').fill('Samuel');
    await page.press('Save the profile');
    await page.says('Saved.');
    await page.box('Support').check();
    await page.press('Save what they may do');
    await page.says('Saved.');
    await page.press('Make a password link');
    await page.field('The link, shown this once').waitFor();
    await page.go('/admin/users?q=sam-00004');
    await page.box('Choose sam-000041').check();
    await page.box('Choose sam-000042').check();
    await page.press('Switch off');
    await page.says('Done for 2 of 2 users.');
    await page.press('Sign out');
    await page.says('You are signed out.');
  });
});

// The pictures in docs/ are made by the same pages, when they are asked for.
if (process.env.UPDATE_PICTURES) {
  describe('admin: pictures', () => {
    const viewport = { width: 1100, height: 720 };
    const pictures = {
      'admin.png': ['/admin/', { viewport }],
      'admin-users.png': ['/admin/users', { viewport }],
      'admin-user.png': ['/admin/users/1', { viewport: { width: 1100, height: 980 } }],
      'admin-audit-dark.png': ['/admin/audit', { viewport, colorScheme: 'dark' }],
      'admin-phone.png': ['/admin/users', { viewport: PHONE, isMobile: true }],
    };
    for (const [file, [path, options]] of Object.entries(pictures)) {
      it(`draws docs/${file}`, async () => {
        const page = await signedIn({ colorScheme: 'light', ...options });
        await page.go(path);
        await page.page.screenshot({
          path: fileURLToPath(new URL(`../../docs/${file}`, import.meta.url)),
        });
      });
    }
  });
}
