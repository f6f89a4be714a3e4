// Where Chromium is: the one that CHROMIUM names, or Debian's, or another that is usual.
//
// Run by itself it prints the path, or fails: so one sees whether there is one.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const USUAL = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export function findChromium() {
  const { CHROMIUM } = process.env;
  const found = (CHROMIUM ? [CHROMIUM] : USUAL).find((path) => existsSync(path));
  if (!found) throw new Error('There is no Chromium: install it, or name it in CHROMIUM.');
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(findChromium());
