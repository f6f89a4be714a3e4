// Refusals: what many routes share is said once, and each route lists what is its own.

import { el, inline } from './dom.js';
import { members } from './schema.js';

const CHANGES = ['POST', 'PATCH', 'PUT', 'DELETE'];

/** Kinds of requests that share refusals, from the rarest to all. */
const KINDS = [
  {
    id: 'refusals-private',
    title: 'A request with an access token',
    link: 'with an access token',
    has: ({ security }) => 'accessToken' in (security[0] ?? {}),
  },
  {
    id: 'refusals-body',
    title: 'A request with a body',
    link: 'with a body',
    has: ({ body }) => body !== undefined,
  },
  {
    id: 'refusals-change',
    title: 'A request that may change something',
    link: 'that may change something',
    has: ({ method }) => CHANGES.includes(method),
  },
  { id: 'refusals-any', title: 'Any request', link: 'of any kind', has: () => true },
];

/** Each kind with the refusals that all of its routes share, and no wider kind has. */
export function kindsOf(api) {
  const shared = KINDS.map((kind) => {
    const [first, ...others] = api.operations.filter(kind.has);
    const everywhere = ({ code }) =>
      others.every((operation) => operation.refusals.some((other) => other.code === code));
    return { ...kind, refusals: first.refusals.filter(everywhere) };
  });
  return shared.map((kind, index) => {
    const wider = shared
      .slice(index + 1)
      .flatMap(({ refusals }) => refusals.map(({ code }) => code));
    return { ...kind, refusals: kind.refusals.filter(({ code }) => !wider.includes(code)) };
  });
}

/** The refusals of a route: its own as a list, the others as links. */
export function refusalsOf(api, kinds, operation) {
  const its = kinds.filter((kind) => kind.has(operation));
  const shared = its.flatMap(({ refusals }) => refusals.map(({ code }) => code));
  const own = operation.refusals.filter(({ code }) => !shared.includes(code));
  const links = its.flatMap(({ id, link }, index) => [
    index === 0 ? '' : index === its.length - 1 ? ' and ' : ', ',
    el('a', { href: `#${id}` }, link),
  ]);
  return [
    own.length > 0 ? list(api, own) : null,
    el(
      'p',
      { className: 'hint' },
      own.length > 0 ? 'And what is refused to requests ' : 'What is refused to requests ',
      links,
      '.',
    ),
  ];
}

/** The section of what is shared. */
export function refusalsSection(api, kinds) {
  const problem = api.document.components.schemas.Problem;
  const example = JSON.stringify(
    problem.examples[0],
    ['type', 'title', 'status', 'detail', 'code'],
    2,
  );
  return el(
    'section',
    { id: 'refusals' },
    el('h2', {}, 'Refusals'),
    el(
      'p',
      { className: 'lead' },
      inline(
        'Every refusal is `application/problem+json` (RFC 9457). Programs look at `code`, which never changes; `detail` is a sentence for a person, and may.',
      ),
    ),
    el(
      'div',
      { className: 'panel route-columns' },
      el('div', {}, members(api, problem)),
      el('div', { className: 'wire' }, el('pre', {}, el('code', {}, example))),
    ),
    [...kinds]
      .reverse()
      .map(({ id, title, refusals }) =>
        el('section', { id, className: 'panel' }, el('h3', {}, title), list(api, refusals)),
      ),
  );
}

function list(api, refusals) {
  const rows = refusals.map(({ status, code }) =>
    el(
      'li',
      {},
      el('span', { className: 'refusal-status' }, String(status)),
      el('div', {}, el('code', { className: 'name' }, code), el('p', {}, inline(api.when(code)))),
    ),
  );
  return el('ul', { className: 'refusals' }, rows);
}
