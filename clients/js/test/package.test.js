// The package as it is published: how big it is, what is in it, and whether it works where it is installed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const LIMIT = 5_000; // bytes, minified and gzipped

async function bundle(code) {
  const result = await build({
    stdin: { contents: code, resolveDir: root, loader: 'js' },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  return result.outputFiles[0].contents;
}

test(`all of it is under ${LIMIT} bytes, minified and gzipped`, async (t) => {
  const all = await bundle(`export * from './src/index.js';`);
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
    await readFile(join(root, 'package.json'), 'utf8'),
  );
  assert.equal(dependencies, undefined);
  assert.equal(sideEffects, false);
});

test('the lock file names no registry but the public one', async () => {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
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
      [join(root, name), join(root, '../..', name)].map((path) => readFile(path, 'utf8')),
    );
    assert.equal(here, there, name);
  }
});

// --- Installed in a fresh project ---------------------------------------------------------------

let project;

before(async () => {
  project = await mkdtemp(join(tmpdir(), 'countersign-consumer-'));
  await cp(new URL('consumer', import.meta.url), project, { recursive: true });
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', project],
    { cwd: root },
  );
  const [{ filename, files }] = JSON.parse(stdout);
  project = { path: project, files: files.map(({ path }) => path) };
  const install = ['install', '--offline', '--no-audit', '--no-fund', join(project.path, filename)];
  await run('npm', install, { cwd: project.path });
});

after(async () => rm(project.path, { recursive: true }));

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
  const { stdout } = await run(process.execPath, ['use.js'], { cwd: project.path });
  assert.equal(stdout.trim(), 'ada, then nobody');
});

test('its types hold in a fresh project, under each way of finding modules', async () => {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  for (const [module, moduleResolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ]) {
    const options = ['--module', module, '--moduleResolution', moduleResolution];
    await run(process.execPath, [tsc, '--project', project.path, ...options]).catch(({ stdout }) =>
      assert.fail(stdout),
    );
  }
});
