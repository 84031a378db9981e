/* global document, fetch */
/** Shows what /v1/openapi.json says, and sends requests to the agent that this page came from. */
const page = document.getElementById('page');

/** Text is always set as text: nothing that an answer says becomes part of the page. */
function element(name, text = '', children = []) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

function resolve(api, value) {
  if (!value?.$ref) return value;
  return value.$ref
    .slice(2)
    .split('/')
    .reduce((at, key) => at[key], api);
}

function field(label, value, kind = 'input') {
  const input = document.createElement(kind);
  input.value = value;
  return { input, row: element('label', `${label} `, [input]) };
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, { description }]) =>
    element('tr', '', [element('th', status), element('td', description.replaceAll('`', ''))]),
  );
  return element('details', '', [element('summary', 'Answers'), element('table', '', rows)]);
}

async function send(method, path, fields, body, output) {
  output.textContent = '…';
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  let target = path;
  for (const { parameter, input } of fields) {
    if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value) headers[parameter.name] = input.value;
  }
  try {
    const response = await fetch(target, { method, headers, body });
    const told = [...response.headers].map(([name, value]) => `${name}: ${value}`);
    output.textContent = [`${response.status} ${response.statusText}`, ...told, '', await response.text()].join('\n');
  } catch (error) {
    output.textContent = `No answer: ${error.message}`;
  }
}

function trial(api, method, path, operation) {
  const parameters = (operation.parameters ?? []).map((parameter) => resolve(api, parameter));
  const fields = parameters.map((parameter) => ({
    parameter,
    ...field(`${parameter.name}:`, parameter.in === 'path' ? (parameter.example ?? '') : ''),
  }));
  const example = operation.requestBody?.content['application/json'].example;
  const body = example && field('Body:', JSON.stringify(example, null, 2), 'textarea');
  const output = element('pre');
  const button = element('button', 'Send');
  button.addEventListener('click', () => send(method.toUpperCase(), path, fields, body?.input.value, output));
  return element('details', '', [
    element('summary', 'Try it: this sends a real request'),
    ...fields.map(({ row }) => row),
    ...(body ? [body.row] : []),
    button,
    output,
  ]);
}

function article(api, method, path, operation, canTry) {
  return element('article', '', [
    element('h2', '', [element('code', `${method.toUpperCase()} ${path}`)]),
    element('p', operation.summary),
    ...(operation.description ? [element('p', operation.description)] : []),
    answers(operation),
    ...(canTry ? [trial(api, method, path, operation)] : []),
  ]);
}

function articles(api, paths, canTry) {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => article(api, method, path, operation, canTry)),
  );
}

async function show() {
  const api = await (await fetch('/v1/openapi.json')).json();
  page.prepend(element('h1', api.info.title), element('p', api.info.summary), element('p', api.info.description));
  page.append(
    ...articles(api, api.paths, true),
    element('h1', 'What the agent asks of the chatbot'),
    ...articles(api, api.webhooks, false),
    element('details', '', [
      element('summary', 'All schemas'),
      element('pre', JSON.stringify(api.components.schemas, null, 2)),
    ]),
  );
}

show().catch((error) => page.append(element('p', `The description cannot be shown: ${error.message}`)));
