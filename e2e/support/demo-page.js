// The demo page as a person uses it: by what is written on it, and never by what it is made of.

const SIGNED_IN = /^Signed in as/;

export class DemoPage {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  /** Opens a tab with the page in it, as soon as it has looked for a session. */
  static async open(context, url) {
    const demo = new DemoPage(await context.newPage(), url);
    await demo.page.goto(url);
    await demo.settled();
    return demo;
  }

  // --- Signed out -------------------------------------------------------------------------------

  async signIn({ username, password }, { remember = true } = {}) {
    await this.field('User name or e-mail address').fill(username);
    await this.field('Password').fill(password);
    await this.page.getByLabel('Stay signed in').setChecked(remember);
    await this.button('Sign in').click();
  }

  // --- Signed in --------------------------------------------------------------------------------

  /** Asks the API who is signed in, and waits until it knows. */
  async callApi(username) {
    await this.button('Call the API').click();
    await this.says(`The API knows you as ${username}.`);
  }

  async refresh() {
    await this.button('Refresh now').click();
    await this.says('Refreshed: a new access token');
  }

  async logOut() {
    await this.button('Log out').click();
    await this.isSignedOut();
  }

  async editProfile(fields) {
    await this.unfold('Edit the profile');
    for (const [label, value] of Object.entries(fields)) await this.field(label).fill(value);
    await this.button('Save').click();
  }

  async changePassword(from, to) {
    await this.unfold('Change the password');
    await this.field('Old password').fill(from);
    await this.field('New password').fill(to);
    await this.button('Change it').click();
  }

  async try(experiment) {
    await this.button(`Try it: ${experiment}`).click();
  }

  /** Unfolds a part of the page, if it isn't. */
  async unfold(summary) {
    const details = this.page.locator('details', {
      has: this.page.getByText(summary, { exact: true }),
    });
    if ((await details.getAttribute('open')) === null) await details.locator('summary').click();
  }

  /** A person looks at a tab to reload it; a tab that nobody looks at is slow. */
  async reload() {
    await this.page.bringToFront();
    await this.page.reload();
    await this.settled();
  }

  // --- What it shows ----------------------------------------------------------------------------

  async isSignedIn() {
    await this.page.getByRole('heading', { name: SIGNED_IN }).waitFor();
  }

  async isSignedOut() {
    await this.button('Sign in').waitFor();
  }

  /** Signed in or signed out. */
  async settled() {
    await this.page.getByRole('heading', { name: SIGNED_IN }).or(this.button('Sign in')).waitFor();
  }

  /** It tells this, anywhere on it. */
  async says(text) {
    await this.page.getByText(text).first().waitFor();
  }

  /** The sentence at the form for signing in. */
  signInError() {
    return this.page.locator('#login-form').getByRole('alert').textContent();
  }

  accessToken() {
    return this.page.getByLabel('Access token', { exact: true }).textContent();
  }

  csrfToken() {
    return this.page.getByLabel('CSRF token', { exact: true }).textContent();
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  field(label) {
    return this.page.getByRole('textbox', { name: label, exact: true });
  }
}
