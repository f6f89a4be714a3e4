// The admin site: from the set-up link of an empty server to a session that is ended.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { AdminPage } from '../support/admin-page.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { change, crowd, makeStaff } from '../support/database.js';
import { DemoPage } from '../support/demo-page.js';
import { people } from '../support/people.js';
import { ada, demo, mallory, serve } from '../support/program.js';

const root = { username: 'root', email: 'root@example.com', password: 'keys to the whole house' };
const MANY = 100_000;

let browser, server;
const person = people(() => browser);

before(async () => {
  browser = await openBrowser();
  server = await serve({ users: [ada, mallory] });
});
after(cleanUp);

const signedIn = async (who = root, options) =>
  AdminPage.signedIn(await person(options), server.url, who);

describe('admin: the way in', () => {
  // attack 96
  it('the link that the server printed makes the first superuser, once', async () => {
    const [, path] = await server.says(/http:\S+(\/admin\/set-up\/\S+)/);
    const context = await person();
    const page = await AdminPage.open(context, server.url, path);
    await page.field('User name').fill(root.username);
    await page.field(/^E-mail address/).fill(root.email);
    await page.field(/^Password/).fill('short');
    await page.field('The same password again').fill('short');
    await page.press('Make the superuser');
    await page.says('This password is too short');
    await page.field(/^Password/).fill(root.password);
    await page.field('The same password again').fill(root.password);
    await page.press('Make the superuser');
    await page.says('The first superuser is made.');
    await page.signIn(root);
    await page.heading('Overview').waitFor();
    await page.go(path);
    await page.heading('This link doesn\'t count any more').waitFor();
  });

  it('a wrong password and a user who is not staff get one answer', async () => {
    const page = await AdminPage.open(await person(), server.url);
    for (const who of [{ ...root, password: 'not it' }, ada]) {
      await page.signIn(who);
      await page.says('The name or the password is wrong, or this account may not enter here.');
    }
  });

  it('leads to the page that was asked for, and out again', async () => {
    const page = await AdminPage.open(await person(), server.url, '/admin/keys');
    await page.signIn(root);
    await page.heading('Keys').waitFor();
    await page.press('Sign out');
    await page.says('You are signed out.');
    await page.go('/admin/keys');
    await page.heading('Sign in').waitFor();
  });

  it('a session that is over changes nothing, and says so', async () => {
    const page = await signedIn();
    await page.section('Keys');
    await change(server.data, 'UPDATE admin_sessions SET used_at = used_at - 1800000;');
    await page.press('Make a new key');
    await page.says('Your session is over, so nothing was changed.');
    await page.signIn(root);
    await page.section('Keys');
    assert.equal(await page.page.getByRole('row').count(), 2); // the head, and the first key
  });

  it('asks for the password again before what can’t be undone', async () => {
    const page = await signedIn();
    await page.section('Keys');
    await change(server.data, 'UPDATE admin_sessions SET proved_at = proved_at - 600000;');
    await page.press('Make a new key');
    await page.heading('Your password again').waitFor();
    await page.field('Password of root').fill(root.password);
    await page.press('Go on');
    await page.says('The new key is made.');
  });
});

describe('admin: looking after users', () => {
  before(() => crowd(server.data, MANY));

  it('finds a user among 100,000, and changes them', async () => {
    const page = await signedIn();
    await page.section('Users');
    await page.field('Search').fill('user-077123');
    await page.press('Search');
    await page.follow('user-077123');
    await page.field('First name').fill('Grace');
    await page.field(/^E-mail address/).fill('grace@example.com');
    await page.press('Save the profile');
    await page.says('Saved.');
    assert.equal(await page.field('First name').inputValue(), 'Grace');
  });

  it('goes from page to page, and back', async () => {
    const page = await signedIn();
    await page.section('Users');
    await page.follow('Next page');
    await page.page.getByRole('link', { name: 'First page' }).waitFor();
    await page.follow('Joined');
    assert.equal(
      await page.page.getByRole('columnheader', { name: /Joined/ }).getAttribute('aria-sort'),
      'descending',
    );
  });

  it('makes a group with a permission, and puts a user into it', async () => {
    const page = await signedIn();
    await page.section('Groups');
    await page.field('Name').fill('reports.view');
    await page.field('What it is for').fill('Read the reports');
    await page.press('Make it');
    await page.says('The permission is made.');
    await page.follow('New group');
    await page.field('Name').fill('Editors');
    await page.box(/^reports\.view/).check();
    await page.press('Make the group');
    await page.says('The group is made.');
    await page.go('/admin/users?q=ada');
    await page.follow('ada');
    await page.box('Editors').check();
    await page.press('Save what they may do');
    await page.says('Saved.');
    assert.ok(await page.box('Editors').isChecked());
    await page.says('Through groups:');
    await page.follow('What happened to this account');
    await page.page.getByRole('row', { name: /user changed root ada/ }).waitFor();
    await page.says('groups.added');
  });

  it('makes a link with which a user sets their password', async () => {
    const page = await signedIn();
    await page.section('Users');
    await page.follow('New user');
    await page.field('User name').fill('hedy');
    await page.press('Make the user');
    await page.says('The user is made.');
    await page.press('Make a password link');
    const link = await page.field('The link, shown this once').inputValue();
    const visitor = new AdminPage(await (await person()).newPage(), '');
    await visitor.go(link.replace(/^http:\/\/localhost:\d+/, server.url));
    for (const label of [/^New password/, 'The same again'])
      await visitor.field(label).fill('frequency hopping, 1942');
    await visitor.press('Set the password');
    await visitor.heading('Your password is set').waitFor();
    await visitor.page.reload();
  });

  it('says what goes with a user before it is deleted', async () => {
    const page = await signedIn();
    await page.go('/admin/users?q=user-000009');
    await page.follow('user-000009');
    await page.follow('Delete…');
    await page.says('every session: they are signed out everywhere');
    await page.press('Delete the user');
    await page.says('The user is deleted.');
    await page.go('/admin/users?q=user-000009');
    await page.says('Nobody fits this.');
  });
});

describe('admin: sessions', () => {
  // attack 44
  it('a session that is ended is signed out on its own page within a second', async () => {
    const other = await demo();
    const context = await person();
    const theirs = await DemoPage.open(context, other.page);
    await theirs.signIn(other.user);
    await theirs.isSignedIn();
    await theirs.callApi('demo');

    const page = await AdminPage.signedIn(await person(), other.api, other.admin);
    await page.section('Sessions');
    await page.page.getByRole('button', { name: /^End the session of demo/ }).click();
    const ended = Date.now();
    await page.says('The session has ended.');
    await theirs.page.bringToFront();
    await theirs.button('Call the API').click();
    await theirs.isSignedOut();
    assert.ok(Date.now() - ended < 1000 + 2000, 'at once, as far as a browser is'); // two seconds for the browsers
    await page.section('Audit');
    await page.page.getByRole('row', { name: /session ended admin demo/ }).waitFor();
  });
});

describe('admin: what doesn’t get through', () => {
  // attack 51
  it('a form of another session changes nothing', async () => {
    const page = await signedIn();
    await page.section('Keys');
    await page.page
      .locator('form[action="/admin/keys/rotate"] input[name=csrf]')
      .evaluate((input) => (input.value = 'A'.repeat(43)));
    await page.press('Make a new key');
    await page.heading('This form belongs to another session').waitFor();
  });

  // attack 61
  it('a page of another origin can’t post here', async () => {
    const page = await signedIn();
    const answer = await page.page.request.post(`${server.url}/admin/sign-out`, {
      headers: { origin: 'https://evil.test' },
      form: { csrf: 'x' },
    });
    assert.equal(answer.status(), 403);
    await page.section('Keys');
  });

  it('staff see and open what they have the right to, and no more', async () => {
    await makeStaff(server.data, mallory.username, ['users.view', 'audit.view']);
    const page = await signedIn(mallory);
    const links = page.page.getByRole('navigation', { name: 'Sections' }).getByRole('link');
    assert.deepEqual(await links.allTextContents(), ['Overview', 'Users', 'Audit']);
    const answer = await page.go('/admin/keys');
    assert.equal(answer.status(), 403);
    await page.go('/admin/users?q=root');
    await page.follow('root');
    await page.says('This account may do more than you');
    assert.equal(await page.page.getByRole('button', { name: /Save|Switch|Delete|link/ }).count(), 0);
  });
});
