// A victim in one tab, and a hostile page in another of the same browser.

import { openContext } from '../support/browser.js';
import { ada, mallory } from '../support/program.js';
import { openSite } from '../support/site.js';
import { Victim } from '../support/victim.js';
import { publishHostilePage } from './page.js';

/**
 * Sets it up.
 * @param {object} options as of `openSite`, and
 * @param {string} options.evil the attacker's host
 * @param {string} [options.path] its page
 */
export async function openScene(web, browser, { evil, path = '/', ...place }) {
  const site = await openSite(web, { users: [ada, mallory], ...place });
  const context = await openContext(browser);
  const victim = await Victim.signIn(context, site);
  const origin = await publishHostilePage(web, evil);
  const tab = await context.newPage();
  await tab.goto(origin + path);
  return new Scene({
    site,
    context,
    victim,
    evil: origin,
    page: tab.frame('sandbox') ?? tab.mainFrame(),
  });
}

class Scene {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Uses one of the attacker's tools in its page, and returns what it read. */
  attack([tool, ...given]) {
    return this.page.evaluate(([name, args]) => globalThis[name](...args), [tool, given]);
  }

  close() {
    return this.context.close();
  }
}
