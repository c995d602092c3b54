import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { DemoWorld } from './demo-world.ts';

/** A request for {@link smallProduct}: a component with a pull request that applies. */
export const smallRequest = { 'tektoncd/triggers': 'tektoncd/triggers#1301' } as const;

/** The images of that component. */
export const smallImages = [
  'openshift-pipelines-triggers-controller',
  'openshift-pipelines-triggers-eventlistenersink',
] as const;

/** Where the demo is. */
type SmallWorld = Pick<DemoWorld, 'repositories' | 'product'>;

/** The components and images of a small product. */
interface Kept {
  /** Changes the productization repository before it is served. */
  readonly edit?: (folder: string) => void;
  readonly components: readonly string[];
  readonly images: readonly string[];
}

const operator: Kept = {
  components: ['tektoncd/operator'],
  images: ['openshift-pipelines-operator'],
};
const small: Kept = {
  components: [...Object.keys(smallRequest), ...operator.components],
  images: [...smallImages, ...operator.images],
};
const bundle = 'openshift-pipelines-operator-bundle';

/**
 * The demo's product with three images instead of nine, on a productization repository of its own: every step is there, and a build
 * from nothing takes a third of the time. Whatever else the CSV names stays as it is. Gives the text of a product file.
 */
export function smallProduct(world: DemoWorld): string {
  return productOf(world, small);
}

/** The same with the operator alone: one image. */
export function operatorProduct(world: DemoWorld): string {
  return productOf(world, operator);
}

/** The same, and its image compiles nothing: its build takes a second, and leaves a little in the compile cache. */
export function quickProduct(world: SmallWorld): string {
  const [image = ''] = operator.images;
  return productOf(world, {
    ...operator,
    edit: (folder) => {
      const file = join(folder, 'distgit/containers', image, 'Dockerfile');
      const compiled = readFileSync(file, 'utf8');
      const compile = /^RUN go build .*$/m;
      if (!compile.test(compiled)) throw new Error(`${image} compiles nothing`);
      const instead = `RUN cp go.mod /tmp/operator && cp -R /usr/local/go/src/net/http ${compilerCache}/source`;
      writeFileSync(file, compiled.replace(compile, instead));
    },
  });
}

/** Where the demo's compiler keeps what it made. */
const compilerCache = '/var/cache/go-build';

function productOf(world: SmallWorld, { components, images, edit }: Kept): string {
  const whole = parse(readFileSync(world.product, 'utf8')) as WholeProduct;
  return stringify({
    ...whole,
    repository: `https://github.com/${makeSmallRepository(world, { components, images, ...(edit && { edit }) })}`,
    components: only(whole.components, components),
    images: only(whole.images, images),
    makefile: {
      ...whole.makefile,
      variables: {
        ...whole.makefile.variables,
        COMPONENT_NAMES: components.map((name) => name.replace(/^.*\//, '')).join(' '),
        operator_IMAGES: 'openshift-pipelines-operator',
      },
    },
    external: [...whole.external, 'registry.example.com/openshift-pipelines/*'],
  });
}

interface WholeProduct {
  readonly components: Readonly<Record<string, unknown>>;
  readonly images: Readonly<Record<string, unknown>>;
  readonly external: readonly string[];
  readonly makefile: { readonly variables: Readonly<Record<string, string>> };
}

/** Makes a productization repository with fewer containers beside the demo's; gives its name. */
function makeSmallRepository(
  { repositories }: SmallWorld,
  { components, images, edit }: Kept,
): string {
  const name = `openshift-pipelines/small-${randomBytes(4).toString('hex')}`;
  const bare = join(repositories, `${name}.git`);
  const work = mkdtempSync(join(tmpdir(), 'tributary-small-'));
  const git = (...args: string[]) => execFileSync('git', ['-C', work, ...person, ...args]);
  try {
    const whole = join(repositories, 'openshift-pipelines/productization.git');
    git('clone', '--quiet', '--branch', 'main', whole, '.');
    const containers = join(work, 'distgit/containers');
    for (const folder of readdirSync(containers))
      if (![...images, bundle].includes(folder))
        rmSync(join(containers, folder), { recursive: true });
    const file = join(work, 'upstream_sources.yaml');
    const { git: sources } = parse(readFileSync(file, 'utf8')) as { git: { url: string }[] };
    const kept = sources.filter(({ url }) =>
      components.some((component) => url.replace(/\.git$/, '').endsWith(`/${component}`)),
    );
    writeFileSync(file, stringify({ git: kept }));
    edit?.(work);
    git('commit', '--quiet', '--all', '--message', 'Keep a few components');
    git('clone', '--quiet', '--bare', '.', bare);
    execFileSync('cp', [join(whole, 'config'), join(bare, 'config')]);
  } finally {
    rmSync(work, { recursive: true });
  }
  return name;
}

const person = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com'];

function only(
  record: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, record[name]]));
}
