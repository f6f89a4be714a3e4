// The page: reads the document, shows its routes, and keeps the list of contents in step.

import { load } from './api.js';
import { byId, el, inline } from './dom.js';
import { kindsOf, refusalsSection } from './refusals.js';
import { methodView, pathView, routeView } from './route.js';

setUpTheme();
setUpContents();
show();

async function show() {
  const loading = byId('loading');
  const source = document.querySelector('link[rel=service-desc]').href;
  try {
    loading.textContent = 'Reading openapi.json…';
    const api = await load(source);
    byId('version').textContent = api.version;
    byId('server').textContent = api.server;
    const kinds = kindsOf(api);
    byId('routes').append(
      ...api.groups.map((group) => groupView(api, kinds, group)),
      refusalsSection(api, kinds),
    );
    byId('contents-routes').append(...api.groups.map(groupContents), refusalsContents());
    loading.remove();
  } catch (error) {
    loading.replaceChildren(
      'The routes can’t be shown: ',
      error.message,
      ' ',
      el('a', { href: source }, 'openapi.json'),
    );
    return;
  }
  followReading();
  // The place that the address names wasn't there when the browser looked for it.
  if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function groupView(api, kinds, { name, description, operations }) {
  return el(
    'section',
    { id: anchor(name), className: 'group' },
    el('h2', {}, name),
    el('p', { className: 'lead' }, inline(description)),
    operations.map((operation) => routeView(api, kinds, operation)),
  );
}

function groupContents({ name, operations }) {
  const links = operations.map(({ id, method, path, summary }) => {
    const link = el('a', { href: `#${id}`, title: summary }, methodView(method), pathView(path));
    return el('li', {}, link);
  });
  return el(
    'div',
    {},
    el('p', {}, el('a', { href: `#${anchor(name)}` }, name)),
    el('ul', {}, links),
  );
}

function refusalsContents() {
  return el('ul', {}, el('li', {}, el('a', { href: '#refusals' }, 'Refusals')));
}

function anchor(tag) {
  return `tag-${tag.toLowerCase()}`;
}

/** On a narrow screen the list of contents is closed until it is asked for, and again once it has been used. */
function setUpContents() {
  const contents = byId('contents');
  const wide = matchMedia('(width >= 64rem)');
  const fit = () => (contents.open = wide.matches);
  wide.addEventListener('change', fit);
  contents.addEventListener('click', (event) => {
    if (event.target.closest('a') && !wide.matches) contents.open = false;
  });
  fit();
}

/** Marks in the list of contents what is being read. */
function followReading() {
  const links = new Map(
    [...byId('contents').querySelectorAll('a[href^="#"]')].map((link) => [
      link.hash.slice(1),
      link,
    ]),
  );
  const targets = [...links.keys()].map(byId);
  let current = null;
  const mark = () => {
    // The last one that has begun above the upper third.
    const begun = targets.filter((target) => target.getBoundingClientRect().top < innerHeight / 3);
    const link = links.get((begun.at(-1) ?? targets[0]).id);
    if (link === current) return;
    current?.removeAttribute('aria-current');
    link.setAttribute('aria-current', 'true');
    const list = byId('contents').parentElement;
    if (list.scrollHeight > list.clientHeight) link.scrollIntoView({ block: 'nearest' });
    current = link;
  };
  addEventListener('scroll', mark, { passive: true });
  addEventListener('resize', mark);
  mark();
}

/** Light or dark: as the system says, until the button is pressed. Nothing is stored. */
function setUpTheme() {
  const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  const button = byId('theme');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : systemIsDark.matches);
  const label = () =>
    button.setAttribute('aria-label', isDark() ? 'Use light colours' : 'Use dark colours');
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    label();
  });
  systemIsDark.addEventListener('change', label);
  label();
  button.hidden = false;
}
