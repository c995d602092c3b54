import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

/** A commit of the real tektoncd/pipeline, which vendors what it needs: a clone, and the commit in it that stands for a pull request. */
export interface RealUpstream {
  readonly clone: string;
  readonly commit: string;
}

/** `CLONE@COMMIT`; undefined where that is something else. */
export function parseUpstream(text: string): RealUpstream | undefined {
  const [, clone, commit] = /^(.+)@([^@]+)$/.exec(text) ?? [];
  return clone === undefined || commit === undefined ? undefined : { clone, commit };
}

/** Programs of it that the demo ships, and those that it has beside them. */
const demoPrograms = ['controller', 'webhook', 'entrypoint', 'resolvers'];
const further = ['events', 'nop', 'workingdirinit', 'sidecarlogresults'];
const containers = 'distgit/containers';

/**
 * Puts it in the place of the demo's: `main` is the parent of the commit, #4638 the commit. The product then ships all of its eight programs, and
 * patches none of it.
 */
export function putRealUpstream(
  { clone, commit }: RealUpstream,
  { repositories, product }: { readonly repositories: string; readonly product: string },
): void {
  const bare = join(repositories, 'tektoncd/pipeline.git');
  rmSync(bare, { recursive: true });
  git(['clone', '--quiet', '--bare', '--shared', clone, bare]);
  const [head, base] = [commit, `${commit}~1`].map((name) => git(['-C', bare, 'rev-parse', name]));
  if (head === undefined || base === undefined) throw new Error(`${clone} has no ${commit}`);
  const refs = git(['-C', bare, 'for-each-ref', '--format=%(refname)', 'refs/heads']).split('\n');
  for (const ref of refs) git(['-C', bare, 'update-ref', '-d', ref]);
  git(['-C', bare, 'symbolic-ref', 'HEAD', 'refs/heads/main']);
  git(['-C', bare, 'update-ref', 'refs/heads/main', base]);
  for (const kind of ['head', 'merge'])
    git(['-C', bare, 'update-ref', `refs/pull/4638/${kind}`, head]);
  shipAll(join(repositories, 'openshift-pipelines/productization.git'), base);
  writeFileSync(product, describeAll(readFileSync(product, 'utf8')));
}

/** The productization repository with that commit pinned, and a Dockerfile and a place in the CSV for every program. */
function shipAll(repository: string, base: string): void {
  const work = mkdtempSync(join(tmpdir(), 'tributary-upstream-'));
  try {
    git(['clone', '--quiet', '--branch', 'main', repository, work]);
    const change = (path: string, replace: (text: string) => string) =>
      writeFileSync(join(work, path), replace(readFileSync(join(work, path), 'utf8')));
    change('upstream_sources.yaml', (text) =>
      text.replace(/(tektoncd\/pipeline\n\s+branch: main\n\s+commit: )\S+/, `$1'${base}'`),
    );
    const dockerfile = (name: string) => `${containers}/openshift-pipelines-${name}/Dockerfile`;
    const model = readFileSync(join(work, dockerfile('entrypoint')), 'utf8');
    for (const name of further) {
      mkdirSync(join(work, dockerfile(name), '..'));
      // The last line is a Dockerfile's word, too.
      const own = model
        .replace(/^ENTRYPOINT.*\n/m, '')
        .replaceAll('entrypoint', name)
        .concat(`ENTRYPOINT ["/ko-app/${name}"]\n`);
      writeFileSync(join(work, dockerfile(name)), own);
    }
    for (const name of [...demoPrograms, ...further])
      change(dockerfile(name), (text) => text.replace('RUN go build', 'RUN go build -mod=vendor'));
    change(
      `${containers}/openshift-pipelines-operator-bundle/manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml`,
      (text) => text.replace(/^ *- name: IMAGE_PAC_PAC_CONTROLLER\n.*\n/gm, withFurther),
    );
    git(['-C', work, 'add', '--all']);
    git(['-C', work, 'commit', '--quiet', '--message', 'Ship all programs of Tekton Pipelines']);
    git(['-C', work, 'push', '--quiet', 'origin', 'HEAD:main']);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Name and reference of an image in the CSV, and after them those of the further ones. */
function withFurther(pair: string): string {
  const others = further.map((name) => {
    const digest = createHash('sha256').update(name).digest('hex');
    return pair
      .replace('IMAGE_PAC_PAC_CONTROLLER', variableOf(name))
      .replace(
        /openshift-pipelines-pipelines-as-code-controller@sha256:\w+/,
        `openshift-pipelines-${name}@sha256:${digest}`,
      );
  });
  return [pair, ...others].join('');
}

function variableOf(name: string): string {
  return `IMAGE_PIPELINES_FURTHER_${name.toUpperCase()}`;
}

function describeAll(text: string): string {
  const product = parse(text);
  const pipeline = product.components['tektoncd/pipeline'];
  delete pipeline.patches;
  delete pipeline.payload.keep;
  for (const name of further)
    product.images[`openshift-pipelines-${name}`] = {
      context: `${containers}/openshift-pipelines-${name}`,
      of: ['tektoncd/pipeline'],
      go: `github.com/tektoncd/pipeline/cmd/${name}`,
      csv: [variableOf(name)],
    };
  return stringify(product);
}

function git(args: readonly string[]): string {
  const who = { NAME: 'Bench', EMAIL: 'bench@example.com' };
  const env = Object.entries(who).flatMap(([name, value]) =>
    ['AUTHOR', 'COMMITTER'].map((role) => [`GIT_${role}_${name}`, value]),
  );
  const options = {
    encoding: 'utf8',
    env: { ...process.env, ...Object.fromEntries(env) },
  } as const;
  return execFileSync('git', args, options).trim();
}
