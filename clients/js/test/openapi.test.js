import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { TYPES, generate } from '../scripts/openapi.js';

test('src/openapi.ts is what openapi.json says (else: npm run generate)', async () => {
  assert.equal(await readFile(TYPES, 'utf8'), await generate());
});
