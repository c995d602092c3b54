import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { run } from '../../src/adapters/processes/command.ts';
import { blobOf, mediaTypes, writeLayout } from '../../src/steps/oci-layout.ts';
import { startRegistry } from './registry.ts';
import { tool } from './tools.ts';

/** The real ko, with a registry for its images and an empty base for them. */
export interface KoRig extends AsyncDisposable {
  /** {@link koResolve}. */
  resolve(
    cwd: string,
    flags: readonly string[],
    images: Readonly<Record<string, string>>,
  ): Promise<string>;
}

export async function koRig(): Promise<KoRig> {
  const registry = await startRegistry();
  const base = `${registry.host}/base:1`;
  await pushEmptyBase(base);
  return {
    async resolve(cwd, flags, images) {
      const { stdout, stderr, exitCode } = await run(tool('ko'), ['resolve', ...flags], {
        ...{ cwd, env: { KO_DOCKER_REPO: `${registry.host}/ko`, KO_DEFAULTBASEIMAGE: base } },
      });
      if (exitCode !== 0) throw new Error(`ko resolve failed:\n${stderr}`);
      return Object.entries(images).reduce((text, [path, image]) => {
        const md5 = createHash('md5').update(path).digest('hex');
        const name = `${registry.host}/ko/${path.split('/').at(-1)}-${md5}`;
        return text.replaceAll(new RegExp(`${name}@sha256:[0-9a-f]{64}`, 'g'), image);
      }, stdout.toString());
    },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/**
 * Runs the real `ko resolve FLAGS` in `cwd`, a Go module; returns what it prints, with `images` (import path →
 * reference) wherever it put the image that it had built from that program.
 */
export async function koResolve(
  cwd: string,
  flags: readonly string[],
  images: Readonly<Record<string, string>>,
): Promise<string> {
  await using rig = await koRig();
  return await rig.resolve(cwd, flags, images);
}

/** The documents of a stream as data, with every scalar as the text it is, and without the empty ones between two `---`. */
export function documentsOf(stream: string): unknown[] {
  return parseAllDocuments(stream, { schema: 'failsafe', uniqueKeys: false, logLevel: 'silent' })
    .map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as unknown;
    })
    .filter((value) => value !== null && value !== '' && value !== 'null');
}

async function pushEmptyBase(to: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-ko-base-'));
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
  };
  try {
    const blob = blobOf(mediaTypes.config, Buffer.from(JSON.stringify(config)));
    await writeLayout(join(folder, 'layout'), { config: blob, layers: [] });
    const args = ['--dest-tls-verify=false', 'oci:layout', `docker://${to}`];
    const { exitCode, stderr } = await run('skopeo', ['--insecure-policy', 'copy', ...args], {
      cwd: folder,
    });
    if (exitCode !== 0) throw new Error(`skopeo failed:\n${stderr}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
