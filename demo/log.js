// The request log: what went over the wire, newest first, and why the answer was what it was.

import { explain } from './explain.js';
import { shorten } from './tokens.js';
import { byId, el, timeOfDay } from './ui.js';

const LONGEST = 50; // entries

/** The request's headers that script sets. */
const SENT_HEADERS = ['Authorization', 'X-CSRFTOKEN', 'Idempotency-Key', 'Content-Type'];

/** The answer's headers that the browser lets a page of another origin see. */
const SHOWN_HEADERS = [
  'Content-Type',
  'Cache-Control',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
];

/** Which of the three tokens a header carries: it gets that token's colour. */
const CARRIES = {
  Authorization: 'access',
  'X-CSRFTOKEN': 'csrf',
  Cookie: 'refresh',
  'Set-Cookie': 'refresh',
};

const TOKENS = ['access_token', 'csrf_token', 'X-CSRFTOKEN', 'Idempotency-Key'];
const PASSWORDS = ['password', 'old_password', 'new_password'];

/** The routes whose good answer sets or clears cookies. */
const SETS_COOKIES = [
  '/accounts/login',
  '/accounts/refresh_token',
  '/accounts/csrf',
  '/accounts/logout',
  '/accounts/password',
];

let count = 0;

export function logExchange(exchange) {
  const { request, answer, milliseconds } = exchange;
  const tone = toneOf(exchange);
  const isExperiment = request.expected !== undefined;
  const entry = el(
    'li',
    { id: `request-${(count += 1)}`, className: `entry ${tone}` },
    el(
      'h3',
      { className: 'entry-line' },
      el('span', { className: 'method' }, request.method),
      el('span', { className: 'path' }, request.path),
      statusChip(answer, tone),
    ),
    el('p', { className: 'entry-why' }, explain(exchange)),
    el(
      'details',
      { open: isExperiment },
      el(
        'summary',
        {},
        'Headers and bodies',
        el('span', { className: 'when' }, `${timeOfDay(new Date())}, ${milliseconds} ms`),
      ),
      wire('Request', requestLines(request)),
      wire('Answer', answer ? answerLines(request, answer) : [el('i', {}, 'none')]),
    ),
  );

  if (isExperiment)
    document.querySelectorAll('#log details[open]').forEach((older) => (older.open = false));
  add(entry);
}

/** Tokens came by no request. */
export function logTab() {
  add(
    el(
      'li',
      { className: 'entry is-quiet' },
      el('h3', { className: 'entry-line' }, 'From another tab'),
      el(
        'p',
        { className: 'entry-why' },
        'All tabs share one session. One of them had new tokens and sent them over, from memory to memory, so this one needed no request.',
      ),
    ),
  );
}

function add(entry) {
  const list = byId('log');
  list.prepend(entry);
  list.scrollTop = 0;
  if (list.children.length > LONGEST) list.lastElementChild.remove();
  byId('log-empty').hidden = true;
}

export function clearLog() {
  byId('log').replaceChildren();
  byId('log-empty').hidden = false;
}

/** The entry of the last request, to link to. */
export function lastEntryId() {
  return `request-${count}`;
}

export function statusChip(answer, tone = answer?.ok ? 'is-ok' : 'is-refused') {
  const words = [answer?.status ?? 'no answer', answer?.code].filter(Boolean);
  return el('span', { className: `status ${tone}` }, words.join(' '));
}

/** A refusal is red. That nobody is signed in yet is not a refusal. */
function toneOf({ request, answer }) {
  const isFirstVisit = request.path === '/accounts/csrf' && answer?.code === 'not_authenticated';
  if (isFirstVisit) return 'is-quiet';
  return answer?.ok ? 'is-ok' : 'is-refused';
}

function wire(title, lines) {
  return el(
    'div',
    { className: 'wire' },
    el('h4', {}, title),
    el('pre', {}, ...lines.flatMap((line) => [line, '\n'])),
  );
}

function requestLines({ method, path, headers, body }) {
  return [
    `${method} ${path}`,
    ...SENT_HEADERS.filter((name) => headers.has(name)).map((name) =>
      headerLine(name, withoutSecret(name, headers.get(name))),
    ),
    headerLine('Cookie', el('i', {}, 'added by the browser, out of script’s sight')),
    ...bodyLines(body),
  ];
}

function answerLines({ path }, { ok, status, headers, body }) {
  return [
    `${status}`,
    ...SHOWN_HEADERS.filter((name) => headers.has(name)).map((name) =>
      headerLine(name, headers.get(name)),
    ),
    ...(ok && SETS_COOKIES.includes(path)
      ? [headerLine('Set-Cookie', el('i', {}, 'taken by the browser, out of script’s sight'))]
      : []),
    ...bodyLines(body),
  ];
}

function headerLine(name, value) {
  return el('span', { className: `header-line ${CARRIES[name] ?? ''}` }, `${name}: `, value);
}

function bodyLines(body) {
  return body ? ['', JSON.stringify(body, withoutSecret, 2)] : [];
}

/** A log is read over shoulders and lands in screenshots: it holds no whole token, and no password. */
function withoutSecret(name, value) {
  if (typeof value !== 'string') return value;
  if (PASSWORDS.includes(name)) return '••••••••';
  if (TOKENS.includes(name)) return shorten(value);
  if (name === 'Authorization') return value.replace(/\S+$/, shorten);
  return value;
}
