import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { openService } from '../../src/cli/open-service.ts';
import { runCli } from '../../src/cli/program.ts';
import { invisible } from '../../src/request/quote.ts';
import { FakeIo } from '../support/fake-io.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallProduct, smallRequest } from '../support/small-demo.ts';

/** Requests that want to be something else: by HTTP and by the CLI, each refused as documented, and nothing begun. */

let rig: ServiceRig;
let service: RunningService;
let documented: ReadonlySet<string>;

beforeAll(async () => {
  rig = serviceRig(inject('demo'), { limits: { builds: 1 } }, { product: smallProduct });
  service = await rig.start();
  const { paths } = (await service.get('/openapi.json')).body;
  documented = new Set(Object.keys(paths['/api/builds'].post.responses));
});
afterAll(() => rig[Symbol.asyncDispose]());

const touched = join(tmpdir(), 'tributary-touched');
const texts: readonly (readonly [what: string, text: string])[] = [
  ['an option', `--upload-pack=touch$IFS${touched}`],
  ['an option of ssh', `-oProxyCommand=touch\t${touched}`],
  ['a path upwards', '../..'],
  ['a path', '/etc/passwd'],
  ['another way to run git', `ext::sh -c touch% ${touched}`],
  ['a file', 'file:///etc'],
  ['shell', `$(touch ${touched})`],
  ['shell without spaces', `$(touch$IFS${touched})`],
  ['backticks', `\`touch ${touched}\``],
  ['a second command', `;touch ${touched};`],
  ['what moves a cursor', '\u001b[2J\u001b]0;owned\u0007'],
  ['C1 controls', '\u009b2J'],
  ['NUL', 'a\0b'],
  ['lines', 'main\nerror: all is well\r\n'],
  ['text that turns around', '\u202egnp.\u2066x'],
  ['nothing to see', '\u200b\u2060'],
  ['half a character', '\ud800'],
  ['10 kB', 'a'.repeat(10_000)],
  ['a prototype', '__proto__'],
  ['a constructor', 'constructor'],
];
/** Nothing is wrong with builds that are called so. */
const isName = (text: string) => text === 'constructor';
const [component, good] = Object.entries(smallRequest)[0] as [string, string];
/** Where a text stands in a request. */
const places: Readonly<Record<string, (text: string) => object>> = {
  name: (text) => ({ name: text }),
  component: (text) => ({ components: JSON.parse(`{${JSON.stringify(text)}: "o/r#1"}`) }),
  ref: (text) => ({ components: { [component]: text } }),
  branch: (text) => ({ components: { [component]: `${component}#${text}` } }),
  page: (text) => ({ components: { [component]: `https://github.com/${component}/tree/${text}` } }),
  host: (text) => ({ components: { [component]: `https://${text}/o/r` } }),
  as: (text) => ({ components: { [component]: { ref: good, as: text } } }),
  base: (text) => ({ components: { [component]: { ref: good, base: text } } }),
  release: (text) => ({ release: text }),
  product: (text) => ({ product: text }),
  patches: (text) => ({ patches: JSON.parse(`{${JSON.stringify(text)}: "none"}`) }),
  skip: (text) => ({ patches: { [component]: { skip: [text] } } }),
  strategy: (text) => ({ strategy: text }),
  remote: (text) => ({ remote: text }),
  notify: (text) => ({ notify: [text] }),
  key: (text) => JSON.parse(`{${JSON.stringify(text)}: 1}`),
};

/** Status of the answer, which must be a problem as documented, told in words that a terminal can show. */
async function refusedByHttp(body: string): Promise<number> {
  const response = await fetch(new URL('/api/builds', service.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const text = await response.text();
  expect.soft(text, text).not.toMatch(invisible);
  expect.soft([...documented], text).toContain(String(response.status));
  expect.soft(response.status, text).toBeLessThan(500);
  expect.soft(text.length).toBeLessThan(32_000);
  const { problems } = JSON.parse(text);
  for (const { detail, hint } of problems ?? [{}]) {
    expect.soft(detail).toMatch(/\.$/);
    expect.soft(hint).toMatch(/./);
  }
  return response.status;
}

test.for(texts)('HTTP: %s is refused wherever it stands', async ([, text]) => {
  for (const [place, body] of Object.entries(places)) {
    if (place === 'name' && isName(text)) continue;
    const whole = { name: 'x', components: smallRequest, ...body(text) };
    expect.soft(await refusedByHttp(JSON.stringify(whole)), place).toBeGreaterThanOrEqual(400);
  }
});

const deep = (open: string, close: string, inner = '1') =>
  `${open.repeat(10_000)}${inner}${close.repeat(10_000)}`;
const bodies: readonly (readonly [what: string, body: string])[] = [
  ['a list of lists of lists', deep('[', ']')],
  ['an object of objects', deep('{"a":', '}')],
  ...['name', 'components', 'release', 'product', 'patches', 'notify', 'rebuild', 'x'].map(
    (key) => [`${key} in the deep`, `{"name": "x", "${key}": ${deep('{"a":', '}')}}`] as const,
  ),
  ['a deep ref', `{"name": "x", "components": {"${component}": ${deep('[', ']')}}}`],
  ['huge numbers', `{"name": 1e999, "components": {"${component}": ${'9'.repeat(10_000)}}}`],
  ['a small one', '{"name": "x", "components": {"a/b": 1e-999}, "rebuild": -0}'],
  ['a key twice', `{"name": "x", "name": "y", "components": {"${component}": "${good}"}}`],
  [
    'a component twice',
    `{"name":"x","components":{"${component}":"${good}","${component}":"o/r"}}`,
  ],
  ['a prototype', '{"name": "x", "__proto__": {"name": "y"}, "constructor": {"prototype": {}}}'],
  ['a prototype of components', '{"name": "x", "components": {"__proto__": "o/r#1"}}'],
  ['a thousand components', JSON.stringify({ name: 'x', components: manyComponents(1000) })],
  ...['null', '[]', '1', '"x"', 'true', '{}', '', '{', '\0', '{"name": x}'].map(
    (body) => [`the body ${JSON.stringify(body)}`, body] as const,
  ),
  ['more than a request may be', JSON.stringify({ name: 'x'.repeat(70_000) })],
];

test.for(bodies)('HTTP: %s is refused', async ([, body]) => {
  expect(await refusedByHttp(body)).toBeGreaterThanOrEqual(400);
});

test('HTTP: paths and queries that lead elsewhere find nothing', async () => {
  const odd = ['..%2f..%2fetc', '%00', '$(id)', '--help', '%1b[2J', '%E2%80%AE', 'x'.repeat(600)];
  const asked = [
    ...odd.flatMap((text) => [`/api/builds/${text}`, `/api/builds/${text}/steps/${text}/log`]),
    ...odd.flatMap((text) => [`/git/${text}/info/refs?service=git-upload-pack`, `/${text}`]),
    ...['limit=1e9', 'limit=$(id)', 'state=../..', 'x=1', 'limit=1&limit=2'].map(
      (query) => `/api/builds?${query}`,
    ),
  ];
  for (const path of asked) {
    const response = await fetch(new URL(path, service.url));
    const text = await response.text();
    expect.soft(text, path).not.toMatch(invisible);
    expect.soft([400, 404, 414], `${path}: ${text}`).toContain(response.status);
  }
});

/** The CLI in this process, talking to the service as it would from a terminal. */
async function refusedByCli(args: readonly string[], input = ''): Promise<void> {
  const io = new FakeIo();
  io.input = input;
  // What comes from a command line was UTF-8.
  const words = ['--server', service.url, ...args].map((word) => word.toWellFormed());
  const code = await runCli(words, io, openService);
  const { out, err } = io.written;
  const known = Object.keys(exitCodes).map(Number);
  expect
    .soft(
      known.filter((one) => ![0, 4, 70, 130].includes(one)),
      err,
    )
    .toContain(code);
  expect.soft(err, JSON.stringify(args).slice(0, 200)).toMatch(/error: .+/);
  expect.soft(`${out}${err}`.replaceAll('\n', '')).not.toMatch(invisible);
  expect.soft(`${out}${err}`.length).toBeLessThan(32_000);
}

test.for(texts)('CLI: %s is refused wherever it stands', async ([, text]) => {
  const ask = ['build', good, '--name', 'x'];
  await refusedByCli(['build', '--name', 'x', '--', text]);
  await refusedByCli(['build', '--name', 'x', '--', `${text}=${good}`]);
  await refusedByCli(['build', '--name', 'x', '--', `${component}=${text}`]);
  await refusedByCli(['build', '--name', 'x', `${component}#${text}`]);
  if (!isName(text)) await refusedByCli(['build', good, `--name=${text}`]);
  for (const flag of ['as', 'base', 'release', 'product-ref', 'strategy', 'remote', 'notify'])
    await refusedByCli([...ask, `--${flag}=${text}`]);
  await refusedByCli([...ask, `--patches=${text}`]);
  await refusedByCli([...ask, `--patches=${component}=${text}.patch`]);
  await refusedByCli([...ask, `--request=${text}`]);
  await refusedByCli([...ask, `--${text}`]);
  await refusedByCli([`x${text}`]);
  await refusedByCli(['status', `x${text}`]);
  await refusedByCli(['--server', text, 'list']);
});

test.for(bodies)('CLI: %s is refused', ([, body]) =>
  refusedByCli(['build', '--request', '-'], body),
);

test('CLI: a program on a terminal says no with its exit code', async () => {
  const file = join(rig.state, 'request.json');
  writeFileSync(file, '{"name": "\\u001b[2J", "components": {"--x": "\u202e"}}');
  const ends = await Promise.all([
    rig.cli('build', '--request', file),
    rig.cli('build', '--name', 'x', '--', `--upload-pack=touch ${touched}`),
    rig.cli('plan', `${component}#\u001b[2J`),
  ]);
  for (const { exitCode, stdout, stderr } of ends) {
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toMatch(/^error: /);
    expect(`${stdout}${stderr}`.replaceAll('\n', '')).not.toMatch(invisible);
  }
});

test('nothing was begun by any of it', async () => {
  expect((await service.get('/api/builds')).body).toMatchObject({ builds: [] });
  expect(existsSync(touched)).toBe(false);
  expect(existsSync(join(rig.state, 'logs'))).toBe(false);
  expect(service.printed()).not.toMatch(/"level":[56]0|bug/);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

function manyComponents(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`o/r${n}`, `o/r${n}#1`]));
}
