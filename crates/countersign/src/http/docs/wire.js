// What goes over the wire, as text: a command for the request, and the answer to it.

import { el } from './dom.js';
import { inOrder, tokenOf } from './schema.js';

/** The curl command of an operation: lines, each with the token that it carries. */
export function curl(api, operation) {
  const { method, body, answer } = operation;
  const credentials = Object.keys(operation.security[0] ?? {});
  const lines = [
    {
      text: `curl ${method === 'GET' ? '' : `-X ${method} `}${quote(api.server + pathOf(operation))}`,
    },
  ];
  if (credentials.includes('accessToken')) {
    lines.push({ text: '-H "Authorization: Bearer $ACCESS"', token: 'access' });
  }
  if (credentials.includes('csrfHeader'))
    lines.push({ text: '-H "X-CSRFTOKEN: $CSRF"', token: 'csrf' });
  if (credentials.includes('refreshCookie')) lines.push({ text: '-b jar.txt', token: 'refresh' });
  if (setCookies(api, answer).length > 0) lines.push({ text: '-c jar.txt', token: 'refresh' });
  if (body && operation.requestBody.required) {
    const example = inOrder(api, body.schema, body.example);
    lines.push({ text: `--json ${quote(JSON.stringify(example))}` });
  }
  return lines;
}

/** The lines of a command as it can be pasted. */
export function commandText(lines) {
  return lines.map(({ text }) => text).join(' \\\n  ');
}

/** A command, coloured. */
export function commandView(lines) {
  const shown = lines.flatMap(({ text, token }, index) => [
    index === 0 ? '' : ' \\\n  ',
    el('span', { className: token ?? '' }, text),
  ]);
  return el('pre', {}, el('code', {}, shown));
}

/** An answer as an example: status, what headers are worth a look, body. */
export function answerView(api, operation) {
  const { answer } = operation;
  const contents = Object.entries(answer.content ?? {});
  const [type, media] = contents.length === 1 ? contents[0] : [];
  const lines = [
    {
      text: `HTTP/1.1 ${answer.status} ${answer.status === 204 ? 'No Content' : 'OK'}`,
      token: 'status',
    },
    ...setCookies(api, answer).map(([token, text]) => ({ text: `Set-Cookie: ${text}`, token })),
  ];
  if (type) lines.push({ text: `Content-Type: ${type}` });
  if (media?.example !== undefined) {
    const example = JSON.stringify(inOrder(api, media.schema, media.example), null, 2);
    lines.push({ text: '' });
    for (const line of example.split('\n')) {
      lines.push({ text: line, token: tokenOf(line.match(/^ *"(\w+)":/)?.[1]) });
    }
  }
  const shown = lines.flatMap(({ text, token }, index) => [
    index === 0 ? '' : '\n',
    el('span', { className: token ?? '' }, text),
  ]);
  return el('pre', {}, el('code', {}, shown));
}

/** Examples of the cookies that an answer sets, each with its token. */
function setCookies(api, answer) {
  const examples = api.resolve(answer.headers?.['Set-Cookie'])?.examples ?? {};
  return ['refresh', 'csrf']
    .filter((token) => token in examples)
    .map((token) => [token, examples[token].value]);
}

function pathOf({ path, parameters }) {
  const examples = parameters.filter((parameter) => parameter.in === 'path');
  return examples.reduce(
    (known, { name, example }) => known.replace(`{${name}}`, encodeURIComponent(example)),
    path,
  );
}

/** As one word of a shell. */
function quote(text) {
  return /^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
