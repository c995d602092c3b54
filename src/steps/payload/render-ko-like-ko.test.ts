import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { startRegistry } from '../../../test/support/registry.ts';
import { run } from '../../adapters/command.ts';
import { type FileTree, textFile } from '../../plan/file-tree.ts';
import { blobOf, mediaTypes, writeLayout } from '../oci-layout.ts';
import { renderKo } from './render-ko.ts';

const pipeline = new URL('../../../examples/demo/upstream/pipeline', import.meta.url).pathname;
const module = 'github.com/tektoncd/pipeline/cmd';
const programs = ['controller', 'webhook', 'entrypoint', 'resolvers'].map(
  (name) => `${module}/${name}`,
);
const images = Object.fromEntries(
  programs.map((path) => [path, `registry.example.com/demo/${path.split('/').at(-1)}:key-00ff`]),
);

/** What the demo's files do not do already. */
const tricky: Record<string, string> = {
  'tricky.yaml': 'after: the folder of the same name\n',
  'tricky/a.yaml': `---\n# leading marker\nimage: &image "ko://${module}/webhook"\nsame: *image\n---\n---\nlast: true\n---\n`,
  'tricky/b.json': `{"args": ["ko://${module}/controller", "x ko://${module}/controller", "--a=ko://${module}/webhook"]}`,
  'tricky/c.yaml': `%YAML 1.1\n---\nblock: |\n  ko://${module}/controller\nfolded: >-\n  ko://${module}/webhook\ntext: |\n  # a script\n  run ko://${module}/webhook\n\ntagged: !!str ko://${module}/resolvers\nother: !own ko://${module}/resolvers\n`,
  'tricky/d.yaml': `flow: {a: 'ko://${module}/entrypoint', b: [ko://${module}/entrypoint , "ko://${module}/entrypoint  "]}\nlead: " ko://${module}/entrypoint"\nko://${module}/entrypoint: key\n? ko://${module}/webhook\n: other key\n`,
  'tricky/e.yaml': '# nothing but a comment\n',
  'tricky/f.yaml': '',
  'tricky/g.yaml': `\uFEFFbom: ko://${module}/webhook\r\ncrlf: "yes"\r\n`,
  'tricky/h.yaml': `no: newline at the end\nimage: ko://${module}/webhook`,
  'tricky/i.yaml': `- one\n...\n---\n- ko://${module}/webhook # two\n...\n`,
  'tricky/j.yml': `image: ko://${module}/not-read\n`,
  'tricky/k.yaml':
    'version: 1.10\non: yes\nempty: ~\noctal: 0755\ndate: 2026-01-01\nlong: "0x1F"\n',
  'tricky/deep/er/z.yaml': `apiVersion: v1\nkind: List\nitems:\n- {image: ko://${module}/webhook}\n- - - ko://${module}/controller\n`,
  'tricky/deep.yaml': 'between: folders\n',
  'tricky/Upper.yaml': 'sorts: before lower case\n',
};

test.for([
  { inputs: [{ path: 'config', recursive: true }], flags: ['-R', '-f', 'config/'] },
  { inputs: [{ path: 'config', recursive: false }], flags: ['-f', 'config/'] },
  {
    inputs: [
      { path: 'config/tricky/d.yaml', recursive: false },
      { path: 'config/tricky', recursive: false },
    ],
    flags: ['-f', 'config/tricky/d.yaml', '-f', 'config/tricky'],
  },
])(
  'ko resolve $flags differs in nothing but the images',
  { tags: ['slow'], timeout: 240_000 },
  async ({ inputs, flags }) => {
    const component = await componentWithTrickyFiles();
    const rendered = renderKo(await readFolder(component), inputs, images);
    if (!rendered.ok) throw new Error(JSON.stringify(rendered.failures));
    const published = await koResolve(component, flags);
    expect(documents(rendered.value)).toEqual(documents(published));
    expect(rendered.value).toContain(images[`${module}/webhook`]);
  },
);

/** Documents as data, with every scalar as the text it is, and without the empty ones between two `---`. */
function documents(stream: string): unknown[] {
  return parseAllDocuments(stream, { schema: 'failsafe', uniqueKeys: false, logLevel: 'silent' })
    .map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as unknown;
    })
    .filter((value) => value !== null && value !== '' && value !== 'null');
}

/** Runs the real ko, and puts our image wherever it put the one that it has built from the same program. */
async function koResolve(cwd: string, flags: readonly string[]): Promise<string> {
  await using registry = await startRegistry();
  await pushEmptyBase(`${registry.host}/base:1`);
  const { stdout, stderr, exitCode } = await run(koProgram(), ['resolve', ...flags], {
    cwd,
    env: { KO_DOCKER_REPO: `${registry.host}/ko`, KO_DEFAULTBASEIMAGE: `${registry.host}/base:1` },
  });
  expect(exitCode, stderr).toBe(0);
  return programs.reduce((text, path) => {
    const md5 = createHash('md5').update(path).digest('hex');
    const name = `${registry.host}/ko/${path.split('/').at(-1)}-${md5}`;
    return text.replaceAll(new RegExp(`${name}@sha256:[0-9a-f]{64}`, 'g'), images[path] ?? '');
  }, stdout.toString());
}

function koProgram(): string {
  const built = new URL('../../../.tools/bin/ko', import.meta.url).pathname;
  return existsSync(built) ? built : 'ko';
}

async function pushEmptyBase(to: string) {
  const folder = await temporaryFolder();
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
  };
  const blob = blobOf(mediaTypes.config, Buffer.from(JSON.stringify(config)));
  await writeLayout(join(folder, 'layout'), { config: blob, layers: [] });
  const args = [
    '--insecure-policy',
    'copy',
    '--dest-tls-verify=false',
    'oci:layout',
    `docker://${to}`,
  ];
  const { exitCode, stderr } = await run('skopeo', args, { cwd: folder });
  expect(exitCode, stderr).toBe(0);
}

async function componentWithTrickyFiles(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(pipeline, folder, { recursive: true });
  for (const [path, text] of Object.entries(tricky)) {
    await mkdir(dirname(join(folder, 'config', path)), { recursive: true });
    await writeFile(join(folder, 'config', path), text);
  }
  return folder;
}

async function readFolder(folder: string): Promise<FileTree> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.map(
        async (file) => [file.slice(folder.length + 1), textFile(await readFile(file))] as const,
      ),
    ),
  );
}

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-ko-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
