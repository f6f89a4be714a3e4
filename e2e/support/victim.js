// Whom the attacks are about: somebody who is signed in in one tab while another tab is hostile.

import { as } from './api.js';
import { DemoPage } from './demo-page.js';
import { ada } from './program.js';

export class Victim {
  /** Signs in at the site's app. */
  static async signIn(context, site, user = ada) {
    const page = await DemoPage.open(context, site.app);
    await page.signIn(user);
    await page.isSignedIn();
    const victim = new Victim();
    Object.assign(victim, { context, site, page, user });
    victim.accessToken = await page.accessToken();
    return victim;
  }

  /** Everything that an attack could change: in the browser, and on the server. */
  async state() {
    const { api, behind } = this.site;
    const cookies = await this.context.cookies(api);
    const server = as(behind, this.accessToken);
    return {
      cookies: cookies.map(({ name, value, domain, path }) => ({ name, value, domain, path })),
      profile: await server.profile(),
      sessions: (await server.sessions()).map(({ id }) => id),
    };
  }

  /** The page goes on, and is still the victim's: with what it has in memory, and after a reload. */
  async goesOn() {
    await this.page.callApi(this.user.username);
    await this.page.refresh();
    await this.page.reload();
    await this.page.isSignedIn();
    await this.page.callApi(this.user.username);
  }
}
