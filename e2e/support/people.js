// People with browsers of their own, for the length of one test.

import assert from 'node:assert/strict';
import { afterEach } from 'node:test';

import { complaintsOf, openContext } from './browser.js';

/**
 * Called at the top of a test file: `const person = people(() => browser)`, then in a test
 * `await person()`. No page may complain in the console, whatever the test does to it.
 */
export function people(browser) {
  let contexts = [];
  let complaints = [];

  afterEach(async () => {
    const said = complaints.flat();
    complaints = [];
    for (const context of contexts.splice(0)) await context.close();
    assert.deepEqual(said, []);
  });

  return async (options) => {
    const context = await openContext(browser(), options);
    context.on('page', (page) => complaints.push(complaintsOf(page)));
    contexts.push(context);
    return context;
  };
}
