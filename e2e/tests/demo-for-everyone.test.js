// The demo page for everyone: by keyboard, on a phone, in the dark, with a screen reader.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';

import { DESKTOP, faults, PHONE, tooWide } from '../support/accessibility.js';
import { openBrowser } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { DemoPage } from '../support/demo-page.js';
import { people } from '../support/people.js';
import { demo } from '../support/program.js';

const PICTURE = { width: 1280, height: 960 };

let browser, server;
const person = people(() => browser);

before(async () => {
  browser = await openBrowser();
  server = await demo();
});
after(cleanUp);

async function open(options) {
  return DemoPage.open(await person(options), server.page);
}

async function openSignedIn(options) {
  const page = await open(options);
  await page.signIn(server.user);
  await page.isSignedIn();
  return page;
}

/** Unfolds everything, and leaves outcomes of both kinds on the page. */
async function fill(page) {
  await page.try('A wrong CSRF token');
  await page.says('403 csrf_failed');
  await page.try('Five tabs refresh at once');
  await page.unfold('Header');
  await page.unfold('Sessions');
  await page.says('this one');
}

describe('demo: by keyboard alone', () => {
  it('signs in, calls, edits and logs out', async () => {
    const page = await open();
    const { keyboard } = page.page;

    await reach(page, /^Skip to the content/);
    await reach(page, /^User name/);
    await keyboard.press('ControlOrMeta+A');
    await keyboard.type(server.user.username);
    await keyboard.press('Tab');
    await keyboard.type(server.user.password);
    await keyboard.press('Enter');
    await page.isSignedIn();
    assert.match(await focused(page), /^Signed in as/);

    await reach(page, /^Call the API/);
    await keyboard.press('Enter');
    await page.says('The API knows you as demo.');
    assert.match(await focused(page), /^Call the API/);

    await reach(page, /^Edit the profile/);
    await keyboard.press('Space');
    await reach(page, /^Last name/);
    await keyboard.type('of the keyboard');
    await keyboard.press('Enter');
    await page.says('The profile was saved.');

    await reach(page, /^Log out/, 'Shift+Tab');
    await keyboard.press('Space');
    await page.isSignedOut();
    assert.match(await focused(page), /^Password/);
  });

  it('shows where the focus is, wherever it goes', async () => {
    const page = await openSignedIn();
    const { keyboard } = page.page;
    const seen = new Set();
    for (let i = 0; i < 60; i += 1) {
      await keyboard.press('Tab');
      const { name, outline } = await page.page.evaluate(() => {
        const element = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return {
          name: element.id || element.textContent,
          outline: `${outlineStyle} ${outlineWidth}`,
        };
      });
      if (name === '' || (await page.page.evaluate(() => document.activeElement === document.body)))
        break;
      seen.add(name);
      assert.doesNotMatch(outline, /^none|^\S+ 0px/, name);
    }
    assert.ok(seen.size > 15, [...seen].join(', '));
  });
});

describe('demo: on a phone', () => {
  it('needs no scrolling sideways, signed out or signed in, with everything unfolded', async () => {
    const page = await open({ viewport: PHONE, isMobile: true, hasTouch: true });
    assert.deepEqual(await tooWide(page.page), []);
    await page.signIn(server.user);
    await page.isSignedIn();
    assert.deepEqual(await tooWide(page.page), []);
    await fill(page);
    for (const summary of ['Edit the profile', 'Sessions', 'Change the password']) {
      await page.unfold(summary);
      assert.deepEqual(await tooWide(page.page), [], summary);
    }
  });

  it('signs in and out by touch', async () => {
    const page = await open({ viewport: PHONE, isMobile: true, hasTouch: true });
    await page.field('Password').fill(server.user.password);
    await page.button('Sign in').tap();
    await page.isSignedIn();
    await page.button('Log out').tap();
    await page.isSignedOut();
  });
});

describe('demo: accessibility', () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [DESKTOP, PHONE]) {
      it(`has no fault that axe finds, ${colorScheme}, ${viewport.width} pixels wide`, async () => {
        const page = await open({ colorScheme, viewport, reducedMotion: 'reduce' });
        assert.deepEqual(await faults(page.page), []);
        await page.signIn({ username: 'demo', password: 'not the right password' });
        await page.says('The user name or the password is wrong.');
        assert.deepEqual(await faults(page.page), []);
        await page.signIn(server.user);
        await page.isSignedIn();
        await fill(page);
        assert.deepEqual(await faults(page.page), []);
        for (const summary of ['Edit the profile', 'Change the password']) {
          await page.unfold(summary);
          assert.deepEqual(await faults(page.page), [], summary);
        }
      });
    }
  }

  it('turns dark and light by its button, and has no fault then either', async () => {
    const page = await openSignedIn({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.button('Use dark colours').click();
    const ground = () => page.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    assert.deepEqual(await faults(page.page), []);
    await page.button('Use light colours').click();
    assert.notEqual(await ground(), dark);
  });
});

// The pictures in docs/ are made by the same page, when they are asked for.
if (process.env.UPDATE_PICTURES) {
  describe('demo: pictures', () => {
    const pictures = {
      'demo.png': { viewport: PICTURE, colorScheme: 'light' },
      'demo-phone.png': { viewport: PHONE, colorScheme: 'light', isMobile: true },
      'demo-dark.png': { viewport: PICTURE, colorScheme: 'dark' },
    };
    for (const [file, options] of Object.entries(pictures)) {
      it(`draws docs/${file}`, async () => {
        const page = await openSignedIn({ ...options, reducedMotion: 'reduce' });
        await page.says('countersigned ✓');
        await page.page.screenshot({
          path: fileURLToPath(new URL(`../../docs/${file}`, import.meta.url)),
        });
      });
    }
  });
}

/** Presses Tab until the focus is there. */
async function reach(page, name, key = 'Tab') {
  for (let i = 0; i < 80; i += 1) {
    await page.page.keyboard.press(key);
    if (name.test(await focused(page))) return;
  }
  assert.fail(`${key} never reached ${name}`);
}

/** The name of what has the focus, more or less as a screen reader says it. */
function focused(page) {
  return page.page.evaluate(() => {
    const element = document.activeElement;
    const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
    return (label ?? element.textContent).trim();
  });
}
