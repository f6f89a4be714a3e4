// The document, as the page asks for it.

const METHODS = ['get', 'post', 'patch', 'put', 'delete'];

/** Reads the document at this address. */
export async function load(address) {
  const response = await fetch(address, { credentials: 'omit' });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return new Api(await response.json());
}

class Api {
  constructor(document) {
    this.document = document;
    this.version = document.info.version;
    this.server = document.servers[0].url;
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      METHODS.filter((method) => method in methods).map((method) => this.#operation(path, method)),
    );
  }

  /** The tags, each with its operations, in the document's order. */
  get groups() {
    return this.document.tags.map((tag) => ({
      ...tag,
      operations: this.operations.filter((operation) => operation.tags.includes(tag.name)),
    }));
  }

  /** Follows a reference. What stands beside it, such as a description, comes before what it leads to. */
  resolve(value) {
    if (!value?.$ref) return value;
    const { $ref, ...beside } = value;
    const steps = $ref.slice(2).split('/');
    const target = steps.reduce(
      (node, step) => node[step.replaceAll('~1', '/').replaceAll('~0', '~')],
      this.document,
    );
    return { ...this.resolve(target), ...beside };
  }

  /** When a code is answered, in Markdown. */
  when(code) {
    return this.document.components.schemas.Code['x-enumDescriptions'][code];
  }

  #operation(path, method) {
    const operation = this.document.paths[path][method];
    const responses = Object.entries(operation.responses).map(([status, response]) => ({
      status: Number(status),
      ...this.resolve(response),
    }));
    return {
      ...operation,
      path,
      method: method.toUpperCase(),
      id: operation.operationId,
      parameters: (operation.parameters ?? []).map((parameter) => this.resolve(parameter)),
      body: operation.requestBody?.content['application/json'],
      answer: responses.find((response) => response.status < 300),
      refusals: responses.filter((response) => response.status >= 400).flatMap(refusalsOf),
    };
  }
}

function refusalsOf({ status, content }) {
  const { schema } = content['application/problem+json'];
  return schema.properties.code.enum.map((code) => ({ status, code }));
}
