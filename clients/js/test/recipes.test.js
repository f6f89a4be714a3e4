// Every program in docs/clients is compiled, against the package as it is packed and the frameworks' types.

import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { transform } from 'esbuild';
import { compile as compileSvelte } from 'svelte/compiler';

import { FakeClock } from './support/clock.js';
import { compile, freshProject } from './support/project.js';
import { FakeServer } from './support/server.js';

const DOCS = new URL('../../../docs/clients/', import.meta.url);
const PAGES = ['angular', 'axios', 'react', 'server-rendering', 'svelte', 'vue'];

let project;
before(async () => (project = await freshProject('recipes')));
after(() => project.remove());

/** The programs of a page, by file name. */
async function programs(page) {
  const text = await readFile(new URL(`${page}.md`, DOCS), 'utf8');
  const fences = text.matchAll(/^```tsx? (\S+)\n(.*?)^```$/gms);
  return [...fences].map(([, name, code]) => ({ name, code }));
}

test('each page is looked at', async () => {
  assert.deepEqual(
    (await readdir(DOCS)).sort(),
    ['README', ...PAGES].map((page) => `${page}.md`),
  );
});

test('every program of every page compiles', async () => {
  const [auth] = await programs('README');
  for (const page of PAGES) {
    const folder = await project.folder(page);
    const files = await programs(page);
    assert.ok(files.length > 0, page);
    for (const { name, code } of [auth, ...files]) await writeFile(join(folder, name), code);
  }
  await compile(project.path);

  await writeFile(
    join(project.path, 'vue', 'wrong.ts'),
    "import { client } from './auth.js'; client.token;",
  );
  await assert.rejects(
    compile(project.path),
    /vue\/wrong\.ts.*'token' does not exist/,
    'it would have been noticed',
  );
});

test('the Svelte component compiles without a warning', async () => {
  const text = await readFile(new URL('svelte.md', DOCS), 'utf8');
  const [, component] = /^```svelte\n(.*?)^```$/ms.exec(text);
  assert.deepEqual(compileSvelte(component, { generate: 'client' }).warnings, []);
});

// --- The helper for server rendering, at work ---------------------------------------------------

/** Loads the helper, with a Countersign that answers through `fetch`. */
async function helper(answer) {
  const source = (await programs('server-rendering'))[0].code;
  const { code } = await transform(source, { loader: 'ts', format: 'esm' });
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, headers: new Headers(init.headers), method: init.method });
    return answer(asked.at(-1));
  };
  const module = new Function(
    'fetch',
    'process',
    `${code.replace(/export \{[^}]*\};/, '')} return { visit };`,
  );
  return { visit: module(fetch, { env: {} }).visit, asked };
}

function browserRequest(cookies, headers = {}) {
  return new Request('https://app.example.com/account', {
    headers: { Cookie: cookies, ...headers },
  });
}

test('the helper refreshes, passes the cookies on, and names the client', async () => {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const login = server.answer({
    method: 'POST',
    path: '/accounts/login',
    headers: new Headers(),
    body: { username: 'ada', password: server.password },
    cookies: new Map(),
  });
  clock.step(server.grace);
  const { visit, asked } = await helper(({ headers }) => {
    const cookies = new Map(
      headers
        .get('Cookie')
        .split('; ')
        .map((pair) => pair.split('=')),
    );
    const {
      status,
      body,
      cookies: set,
    } = server.answer({ method: 'POST', path: '/accounts/refresh_token', headers, cookies });
    const response = Response.json(body, { status });
    for (const [name, value] of set)
      response.headers.append('Set-Cookie', `${name}=${value}; Path=/`);
    return response;
  });
  const cookies = login.cookies.map((pair) => pair.join('=')).join('; ');
  const { accessToken, setCookies } = await visit(browserRequest(cookies), '203.0.113.9');
  assert.match(accessToken, /^access-/);
  assert.equal(setCookies.length, 2);
  assert.equal(asked[0].headers.get('X-Forwarded-For'), '203.0.113.9');
  assert.equal(asked[0].headers.has('Origin'), false);
  assert.equal(server.rotations, 1);
});

test('the helper asks for pages alone, and only when someone may be signed in', async () => {
  const { visit, asked } = await helper(() => Response.json({}));
  const nothing = { accessToken: undefined, setCookies: [] };
  const cookies = '__Host-csrftoken=c; __Host-refreshtoken=r';
  assert.deepEqual(await visit(browserRequest('other=1'), ''), nothing);
  assert.deepEqual(
    await visit(browserRequest(cookies, { 'Sec-Fetch-Dest': 'image' }), ''),
    nothing,
  );
  assert.deepEqual(
    await visit(browserRequest(cookies, { 'Sec-Purpose': 'prefetch' }), ''),
    nothing,
  );
  assert.deepEqual(
    await visit(
      new Request('https://app.example.com/', { method: 'POST', headers: { Cookie: cookies } }),
      '',
    ),
    nothing,
  );
  assert.equal(asked.length, 0);
  await visit(browserRequest(cookies, { 'Sec-Fetch-Dest': 'document' }), '');
  assert.equal(asked.length, 1);
});

test('without an answer the page comes without what is private', async () => {
  const { visit } = await helper(() => {
    throw new TypeError('fetch failed');
  });
  assert.deepEqual(await visit(browserRequest('csrftoken=c; refreshtoken=r'), ''), {
    accessToken: undefined,
    setCookies: [],
  });
});
