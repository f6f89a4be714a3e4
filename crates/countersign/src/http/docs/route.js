// A route: who may call it, what it takes, what it answers, and a command to try it.

import { copyButton, el, inline, markdown } from './dom.js';
import { refusalsOf } from './refusals.js';
import { facts, members, typeOf } from './schema.js';
import { answerView, commandText, commandView, curl } from './wire.js';

// In the order in which they are named together.
const CREDENTIALS = {
  accessToken: ['access', 'access token'],
  refreshCookie: ['refresh', 'refresh cookie'],
  csrfHeader: ['csrf', 'CSRF header'],
};

/** The article of an operation. */
export function routeView(api, kinds, operation) {
  const { id, method, path, summary, description, parameters, body, answer } = operation;
  const content = Object.values(answer.content ?? {})[0];
  return el(
    'article',
    { id, className: 'panel route' },
    el(
      'header',
      {},
      el('h3', {}, el('a', { href: `#${id}` }, summary)),
      el('p', { className: 'endpoint' }, methodView(method), ' ', pathView(path)),
    ),
    el(
      'div',
      { className: 'route-columns' },
      el(
        'div',
        { className: 'route-text' },
        markdown(description),
        part('Who may call', whoMayCall(operation)),
        parameters.length > 0 ? part('Parameters', parametersView(api, parameters)) : null,
        body
          ? part(
              operation.requestBody.required ? 'Body' : 'Body, if any',
              members(api, body.schema),
            )
          : null,
        part(`Answer ${answer.status}`, [
          el('p', {}, inline(answer.description)),
          content?.schema ? members(api, content.schema) : null,
        ]),
        part('Refusals', refusalsOf(api, kinds, operation)),
      ),
      wire(api, operation),
    ),
  );
}

/** A method: filled where it may change something. */
export function methodView(method) {
  return el('span', { className: method === 'GET' ? 'method' : 'method is-change' }, method);
}

/** A path that may break between its parts. */
export function pathView(path) {
  const pieces = path.split(/(?=\/)/).flatMap((piece) => [piece, el('wbr')]);
  return el('code', { className: 'path' }, pieces);
}

function part(title, children) {
  return el('section', {}, el('h4', {}, title), children);
}

function whoMayCall({ security, body }) {
  if (security.length === 0) return el('p', {}, 'Anyone.');
  const ways = security.map((together) => {
    const needed = Object.entries(CREDENTIALS).filter(([name]) => name in together);
    const chips = needed.map(([, [token, words]]) =>
      el('span', { className: `chip ${token}` }, words),
    );
    if (chips.length === 0) return [body ? 'no credential beside the body' : 'no credential'];
    // Another way says the same and more.
    const isPart = security.some(
      (other) => other !== together && needed.every(([name]) => name in other),
    );
    return [
      chips.flatMap((chip, index) => (index === 0 ? [chip] : [' with ', chip])),
      isPart ? ' alone' : '',
    ].flat();
  });
  return el(
    'ul',
    { className: 'ways' },
    ways.map((way, index) => el('li', {}, index === 0 ? '' : 'or ', way)),
  );
}

function parametersView(api, parameters) {
  const rows = parameters.map((parameter) =>
    el(
      'li',
      {},
      el(
        'code',
        { className: parameter.name === 'X-CSRFTOKEN' ? 'name csrf' : 'name' },
        parameter.name,
      ),
      ' ',
      el('span', { className: 'type' }, `${typeOf(api, parameter.schema)}, in the ${parameter.in}`),
      parameter.required ? null : el('span', { className: 'type' }, ', optional'),
      facts({ ...parameter.schema, description: parameter.description }),
    ),
  );
  return el('ul', { className: 'members' }, rows);
}

function wire(api, operation) {
  const lines = curl(api, operation);
  const command = commandView(lines);
  return el(
    'div',
    { className: 'wire' },
    el(
      'div',
      { className: 'wire-title' },
      el('h4', {}, 'Request'),
      copyButton(command, () => commandText(lines), `the command: ${operation.summary}`),
    ),
    command,
    el('h4', {}, 'Answer'),
    answerView(api, operation),
  );
}
