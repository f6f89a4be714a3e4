// Writes the types of what goes over the wire, from the server's own description of it.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const DOCUMENT = new URL('../../../openapi.json', import.meta.url);
export const TYPES = new URL('../src/openapi.ts', import.meta.url);

/** The text of `src/openapi.ts` as it should be. */
export async function generate() {
  const { openapi, info, components } = JSON.parse(await readFile(DOCUMENT, 'utf8'));
  const { schemas } = components;
  // Custom fields come in by a type parameter, so that a slip of the pen in a field's name shows.
  delete schemas.User.additionalProperties;
  const options = { alphabetize: true, defaultNonNullable: false, exportType: true };
  const types = await openapiTS({ openapi, info, paths: {}, components: { schemas } }, options);
  return `// Made by \`npm run generate\` from openapi.json. Change it there.\n\n${astToString(types)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(TYPES, await generate());
