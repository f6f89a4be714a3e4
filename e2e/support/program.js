// The real program, as cargo built it: servers on free ports, each with a folder of its own.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { onCleanUp } from './cleanup.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'debug', 'countersign');
const START_LIMIT = 20_000; // milliseconds

/** A user that a test makes. The password is long enough, and not common. */
export const ada = {
  username: 'ada',
  email: 'ada@example.com',
  password: 'analytical engine, 1843',
};
export const mallory = {
  username: 'mallory',
  email: 'mallory@example.com',
  password: 'a woman in the middle = 1990', // the = lets a form of text/plain send it
};

/**
 * Starts `countersign serve` with these settings (`{ access_token_lifetime: 1 }`) and users.
 * @returns {Promise<{ url: string, data: string, says: (pattern: RegExp) => Promise<RegExpExecArray>, stop: () => Promise<void> }>}
 *   `data` is the folder of its database; `says` waits for it to print something
 */
export async function serve({ settings = {}, users = [ada] } = {}) {
  const folder = await makeFolder();
  const data = ['--data-dir', join(folder, 'data')];
  const flags = Object.entries(settings).map(
    ([name, value]) => `--${name.replaceAll('_', '-')}=${value}`,
  );
  const server = start(['serve', '--listen', '127.0.0.1:0', ...data, ...flags], folder);
  const [, url] = await server.says(/listening on (http:\/\/\S+)/);
  for (const { username, email, password } of users) {
    const args = ['createuser', '--noinput', '--username', username, '--email', email, ...data];
    await run(args, folder, { COUNTERSIGN_PASSWORD: password });
  }
  return { url, data: join(folder, 'data'), says: server.says, stop: server.stop };
}

/**
 * Starts `countersign demo`: the API and a page on another origin, and a user of its own.
 * @returns {Promise<{ api: string, page: string, data: string, user: Person, admin: Person }>} each person with user name
 *   and password; `data` is the folder of its database
 */
export async function demo() {
  const folder = await makeFolder();
  const data = ['--data-dir', join(folder, 'data')];
  const server = start(['demo', '--port', '0', '--page-port', '0', ...data], folder);
  const [, page] = await server.says(/^ +page +(http:\S+)/m);
  const [, api] = await server.says(/^ +API +(http:\S+)/m);
  const [, username, password] = await server.says(/^ +(demo) +(\S+) +to sign in/m);
  const [, admin, adminPassword] = await server.says(/^ +(admin) +(\S+) +a superuser/m);
  return {
    api,
    page,
    data: join(folder, 'data'),
    user: { username, password },
    admin: { username: admin, password: adminPassword },
  };
}

/** Runs the program to its end. */
async function run(args, folder, environment) {
  await promisify(execFile)(PROGRAM, args, { cwd: folder, env: clean(environment) });
}

function start(args, folder) {
  const child = spawn(PROGRAM, args, {
    cwd: folder,
    env: clean(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let logged = '';
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (logged += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.once('error', (error) => (logged += error.message));

  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  onCleanUp(stop);
  process.once('exit', () => child.kill('SIGKILL'));

  /** Waits for it to print this. */
  const says = (pattern) =>
    new Promise((resolve, reject) => {
      const refuse = (why) => reject(new Error(`countersign ${args[0]} ${why}:\n${said}${logged}`));
      const limit = setTimeout(() => refuse(`never said ${pattern}`), START_LIMIT);
      const look = () => {
        const match = pattern.exec(said);
        if (!match) return;
        clearTimeout(limit);
        child.stdout.off('data', look);
        resolve(match);
      };
      child.stdout.on('data', look);
      ended.then((code) => refuse(`ended with ${code}`));
      look();
    });
  return { says, stop };
}

/** Nothing of the tester's own environment is a setting here. */
function clean(more = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_'));
  return { ...Object.fromEntries(kept), ...more };
}

async function makeFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-e2e-'));
  onCleanUp(() => rm(folder, { recursive: true }));
  return folder;
}
