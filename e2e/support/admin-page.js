// The admin site as a person uses it: by what is written on it.

export class AdminPage {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  static async open(context, url, path = '/admin/') {
    const admin = new AdminPage(await context.newPage(), url);
    await admin.go(path);
    return admin;
  }

  /** Opens the site, and signs in. */
  static async signedIn(context, url, person) {
    const admin = await AdminPage.open(context, url);
    await admin.signIn(person);
    await admin.heading('Overview').waitFor();
    return admin;
  }

  async go(path) {
    return this.page.goto(this.url + path);
  }

  async signIn({ username, password }) {
    await this.field('User name or e-mail address').fill(username);
    await this.field('Password').fill(password);
    await this.press('Sign in');
  }

  async section(name) {
    await this.page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name }).click();
    await this.heading(name).waitFor();
  }

  async press(name) {
    await this.page.getByRole('button', { name, exact: true }).click();
  }

  async follow(name) {
    await this.page.getByRole('main').getByRole('link', { name, exact: true }).click();
  }

  async says(text) {
    await this.page.getByText(text).first().waitFor();
  }

  heading(name) {
    return this.page.getByRole('heading', { name, exact: true });
  }

  field(label) {
    return this.page.getByLabel(label, { exact: true });
  }

  box(name) {
    return this.page.getByRole('checkbox', { name });
  }
}
