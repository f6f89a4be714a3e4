// The package as it is published: how big it is, what is in it, and whether it works where it is installed.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

import { ROOT, compile, freshProject } from './support/project.js';

const LIMIT = 5_000; // bytes, minified and gzipped

async function bundle(code) {
  const result = await build({
    stdin: { contents: code, resolveDir: ROOT, loader: 'js' },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  return result.outputFiles[0].contents;
}

test(`all that a page needs is under ${LIMIT} bytes, minified and gzipped`, async (t) => {
  const all = await bundle(`export { CountersignError, createClient, isCountersignError } from './src/index.js';`);
  const size = gzipSync(all, { level: 9 }).length;
  t.diagnostic(`${size} bytes (${all.length} before gzip)`);
  assert.ok(size < LIMIT, `${size} bytes`);
});

test('what isn’t used isn’t built in', async () => {
  const one = await bundle(
    `import { isCountersignError } from './src/index.js'; console.log(isCountersignError(1));`,
  );
  assert.ok(one.length < 200, `${one.length} bytes`);
  const none = await bundle(`import './src/index.js';`);
  assert.equal(none.length, 0);
});

test('it depends on nothing at run time', async () => {
  const { dependencies, sideEffects } = JSON.parse(
    await readFile(join(ROOT, 'package.json'), 'utf8'),
  );
  assert.equal(dependencies, undefined);
  assert.equal(sideEffects, false);
});

test('the lock file names no registry but the public one', async () => {
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
  for (const [name, { resolved }] of Object.entries(packages)) {
    assert.ok(
      resolved === undefined || resolved.startsWith('https://registry.npmjs.org/'),
      `${name}: ${resolved}`,
    );
  }
});

test('the licences are the project’s', async () => {
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    const [here, there] = await Promise.all(
      [join(ROOT, name), join(ROOT, '../..', name)].map((path) => readFile(path, 'utf8')),
    );
    assert.equal(here, there, name);
  }
});

// --- Installed in a fresh project ---------------------------------------------------------------

let project;
before(async () => (project = await freshProject('consumer')));
after(() => project.remove());

test('the tarball holds the source, the types, the licences and the README', () => {
  const kinds = new Set(project.files.map((path) => path.replace(/[\w-]+\.(js|d\.ts)$/, '*.$1')));
  assert.deepEqual([...kinds].sort(), [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'package.json',
    'src/*.js',
    'types/*.d.ts',
  ]);
});

test('a fresh project can import and use it', async () => {
  assert.equal(await project.run('use.js'), 'ada, then nobody');
});

test('its types hold in a fresh project, under each way of finding modules', async () => {
  await compile(project.path, ['--module', 'NodeNext', '--moduleResolution', 'NodeNext']);
  await compile(project.path, ['--module', 'ESNext', '--moduleResolution', 'Bundler']);
});
