import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { type Reason, reasons } from '../src/builds/failure.ts';
import { processIo } from '../src/cli/process-io.ts';
import { createProgram } from '../src/cli/program.ts';
import { Configuration } from '../src/config/config.ts';
import { Product } from '../src/product/product.ts';
import { renderCliPage } from './reference/cli-page.ts';
import { renderFolderGraph } from './reference/folder-graph.ts';
import { renderOpenApi } from './reference/openapi.ts';
import { inputSchema, renderSchemaTable } from './reference/schema-page.ts';
import { renderTektonManifests } from './reference/tekton-manifests.ts';

/** Writes every generated file; with `--check`, only says which are stale. */
const checkout = join(import.meta.dirname, '..');
const note = '<!-- Generated from the code by `make generate`: do not edit. -->';

const files: Record<string, string> = {
  'docs/reference/product.md': page(
    'product.yaml',
    'What a product file says. `<name>` stands for a name of yours. [A guide](../guides/your-own-product.md).',
    renderSchemaTable(Product),
  ),
  'docs/reference/configuration.md': page(
    'Configuration',
    'What a machine or service is told: `--config FILE`, `TRIBUTARY_CONFIG`, or `$XDG_CONFIG_HOME/tributary/config.yaml`.',
    [
      '```yaml',
      'remotes:',
      '  mine: {push: quay.io/my-team, authfile: /home/me/.config/containers/auth.json, default: true}',
      '```',
      '',
      renderSchemaTable(Configuration),
    ].join('\n'),
  ),
  'docs/reference/cli.md': page(
    'Command line',
    'The help of every command.',
    renderCliPage(createProgram(processIo, never, () => {})),
  ),
  'docs/reference/failures.md': page(
    'Failures',
    'Every reason, with the HTTP status that answers with it, the exit code of the CLI, and whose it is to mend.',
    failureTable(),
  ),
  'docs/reference/openapi.json': `${JSON.stringify(await renderOpenApi(), null, 2)}\n`,
  'docs/reference/product.schema.json': `${JSON.stringify(inputSchema(Product), null, 2)}\n`,
  'docs/reference/configuration.schema.json': `${JSON.stringify(inputSchema(Configuration), null, 2)}\n`,
  ...Object.fromEntries(
    Object.entries(renderTektonManifests()).map(([name, text]) => [`deploy/tekton/${name}`, text]),
  ),
  'ARCHITECTURE.md': between(read('ARCHITECTURE.md'), 'folder graph', await renderFolderGraph()),
};

const stale = Object.entries(files).filter(([path, text]) => read(path) !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) process.stderr.write(`${path} is stale: run make generate\n`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(checkout, path)), { recursive: true });
    writeFileSync(join(checkout, path), text);
    process.stdout.write(`wrote ${path}\n`);
  }
}

function page(title: string, lead: string, body: string): string {
  return `${note}\n\n# ${title}\n\n${lead}\n\n${body}\n`;
}

function failureTable(): string {
  const rows = (Object.keys(reasons) as Reason[]).map((reason) => {
    const { status, exit, owner, title } = reasons[reason];
    return `| \`${reason}\` | ${title} | ${status} | ${exit} | ${owner} |`;
  });
  return [
    '| reason | what | HTTP | exit code | whose |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function between(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- generated: ${name} -->`, '<!-- end of generated -->'];
  const from = text.indexOf(start) + start.length;
  return `${text.slice(0, from)}\n${content}\n${text.slice(text.indexOf(end, from))}`;
}

function read(path: string): string {
  const file = join(checkout, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function never(): never {
  throw new Error('the reference runs no command');
}
