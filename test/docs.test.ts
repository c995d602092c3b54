import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { processIo } from '../src/cli/process-io.ts';
import { createProgram } from '../src/cli/program.ts';
import { parseConfiguration } from '../src/config/parse-config.ts';
import { parseProduct } from '../src/product/load-product.ts';
import { parseRequest } from '../src/request/parse-request.ts';

const checkout = join(import.meta.dirname, '..');
const pages = [
  ...readdirSync(checkout).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(checkout, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  'examples/demo/README.md',
];
const read = (page: string) => readFileSync(join(checkout, page), 'utf8');

/** What engines start, and people do not. */
const internal = new Set(['step', 'task']);

/** Fenced blocks of one language. */
function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text);
}

describe.for(pages)('%s', (page) => {
  test('links to what exists', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
      ([, path = '']) => path,
    );
    const missing = links.filter((path) => !existsSync(join(checkout, dirname(page), path)));
    expect(missing).toEqual([]);
  });

  test('names make targets and verbs that exist', () => {
    const text = read(page);
    const makefiles = ['Makefile', 'examples/demo/productization/Makefile'].map(read).join('\n');
    const targets = new Set([...makefiles.matchAll(/^([a-z0-9-]+):/gm)].map(([, name]) => name));
    const verbs = new Set(
      createProgram(processIo, never, () => {}).commands.map((command) => command.name()),
    );
    const made = [...text.matchAll(/(?:^\$ |`)make ([a-z][a-z0-9-]*)/gm)].map(([, name]) => name);
    const run = [...text.matchAll(/(?:^\$ |`)(?:npx )?tributary ([a-z]+)/gm)].map(
      ([, name]) => name,
    );
    expect(made.filter((name) => !targets.has(name))).toEqual([]);
    expect(run.filter((name) => !internal.has(name ?? '') && !verbs.has(name ?? ''))).toEqual([]);
  });
});

test('the product file of the guide is a product file', () => {
  const [product = '', makefile = '', configuration = ''] = blocks(
    'docs/guides/your-own-product.md',
    'yaml',
  );
  for (const text of [product, product + makefile])
    expect(parseProduct(text, 'product.yaml')).toMatchObject({ ok: true });
  expect(parseConfiguration(configuration, '/home/me/config.yaml', '/home/me')).toMatchObject({
    ok: true,
  });
});

test('requests that pages send with curl are requests', () => {
  const sent = pages.flatMap((page) =>
    [...read(page).matchAll(/curl[^\n]* -d '(\{[^']*\})'/g)].map(([, body = '']) => body),
  );
  expect(sent.length).toBeGreaterThan(1);
  for (const body of sent) expect(parseRequest(JSON.parse(body)), body).toMatchObject({ ok: true });
});

function never(): never {
  throw new Error('the docs run no command');
}
