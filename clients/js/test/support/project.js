// A fresh project with the packed package in it, as an author has it.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** The packages of an author's own, which the tests have anyway. */
const THEIRS = ['@angular', '@types', '@vue', 'axios', 'csstype', 'rxjs', 'svelte', 'vue'];

/** @param {string} template a folder of `test` */
export async function freshProject(template) {
  const path = await mkdtemp(join(tmpdir(), 'countersign-'));
  await cp(join(ROOT, 'test', template), path, { recursive: true });
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', path];
  const [{ filename, files }] = JSON.parse((await run('npm', pack, { cwd: ROOT })).stdout);
  const install = ['install', '--offline', '--no-save', '--legacy-peer-deps', join(path, filename)];
  await run('npm', install, { cwd: path });
  for (const name of THEIRS) {
    await symlink(join(ROOT, 'node_modules', name), join(path, 'node_modules', name));
  }
  return {
    path,
    files: files.map((file) => file.path),
    async folder(name) {
      await mkdir(join(path, name));
      return join(path, name);
    },
    run: async (file) => (await run(process.execPath, [file], { cwd: path })).stdout.trim(),
    remove: () => rm(path, { recursive: true }),
  };
}

/** Checks a folder's types; what the compiler says goes into the error. */
export async function compile(folder, options = []) {
  await run(process.execPath, [TSC, '--project', folder, ...options]).catch(({ stdout }) => {
    throw new Error(stdout);
  });
}
