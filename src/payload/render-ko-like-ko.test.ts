import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { documentsOf, koResolve } from '../../test/support/ko-resolve.ts';
import { type FileTree, textFile } from '../plan/file-tree.ts';
import { renderKo } from './render-ko.ts';

const pipeline = new URL('../../examples/demo/upstream/pipeline', import.meta.url).pathname;
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
    const published = await koResolve(component, flags, images);
    expect(documentsOf(rendered.value)).toEqual(documentsOf(published));
    expect(rendered.value).toContain(images[`${module}/webhook`]);
  },
);

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
