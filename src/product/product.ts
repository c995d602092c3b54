import { z } from 'zod';
import {
  type ComponentName,
  type ImageName,
  parseComponentName,
  parseImageName,
} from '../plan/names.ts';

/**
 * product.yaml: what a product's repository does not say by itself. It holds nothing of a machine.
 * `docs/reference/product.md` is generated from these schemas: `.describe()` is what people read.
 */

const componentName = z
  .string()
  .refine((value) => parseComponentName(value) !== undefined, 'must be owner/repo')
  .transform((value) => value as ComponentName);

const imageName = z
  .string()
  .refine((value) => parseImageName(value) !== undefined, 'must be one lower-case path segment')
  .transform((value) => value as ImageName);

/** A relative path inside a repository: no leading slash, no `..`, no empty segment. */
const innerPath = z
  .string()
  .min(1)
  .max(500)
  .refine(
    (value) =>
      value === '.' ||
      (!value.startsWith('/') &&
        value.split('/').every((part) => part !== '' && part !== '.' && part !== '..')),
    'must be a relative path inside the repository',
  );

const semver = z.string().regex(/^\d+\.\d+\.\d+$/, 'must be MAJOR.MINOR.PATCH');

const envName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be an environment variable name');

const release = z.strictObject({
  branch: z.string().min(1).describe('Branch of the productization repository.'),
  version: semver.describe('Version of the released operator that builds are based on.'),
  channels: z
    .array(z.string().min(1))
    .min(1)
    .describe('OLM channels of the bundle; the first is the default.'),
  default: z.boolean().default(false).describe('The release of a request that names none.'),
});

const patches = z.strictObject({
  dir: innerPath.describe(
    'Folder of `*.patch` files in the productization repository, applied in lexical order.',
  ),
  'applied-by': z
    .enum(['tributary', 'dockerfile'])
    .describe(
      'Who applies them: `tributary` (the build context then has none) or the `dockerfile` (the context gets `patches/` with what is left to apply).',
    ),
  image: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Base image, as in a FROM line, in which the scripts of the folder (`*.sh`) run, in order among the patches: each by `/bin/sh` in a copy of the source, with no network. Only where `tributary` applies; default: scripts are no patches.',
    ),
});

const input = z.strictObject({
  path: innerPath.describe('File or folder in the component.'),
  recursive: z.boolean().default(false).describe("Also folders below it (ko's `-R`)."),
});

const into = z
  .string()
  .refine(
    (value) => !value.startsWith('/') && !value.split('/').includes('..'),
    'must be a path inside kodata',
  )
  .describe(
    'File (or, for `copy`, folder) in kodata; `{version}` is the version folder of this build.',
  );

const keep = z
  .array(z.string())
  .default([])
  .describe('Globs of kodata files that stay although they lie in the folder that is replaced.');

const markers = z
  .array(z.string())
  .default([])
  .describe('Texts with "devel" that stand for the version; "devel" in them is replaced by it.');

const payload = z.discriminatedUnion('render', [
  z
    .strictObject({
      render: z
        .literal('ko')
        .describe('How the payload is made: `ko`, `kustomize`, `command` or `copy`.'),
      inputs: z.array(input).min(1),
      markers,
      into,
      keep,
    })
    .describe("Walk the inputs in ko's order and replace `ko://` references."),
  z
    .strictObject({
      render: z.literal('kustomize'),
      path: innerPath.describe('Folder with a kustomization.yaml.'),
      markers,
      into,
      keep,
    })
    .describe(
      '`kustomize build PATH`, then replace `ko://` references. No plugins, Helm or remote bases.',
    ),
  z
    .strictObject({
      render: z.literal('command'),
      run: z
        .array(z.string())
        .min(1)
        .describe(
          'Program and arguments, run in the component with no network; what it prints is the payload.',
        ),
      image: z.string().describe('Base image that it runs in, as in a FROM line.'),
      env: z
        .record(envName, z.string())
        .default({})
        .describe('Environment; `{version}` is replaced.'),
      markers,
      into,
      keep,
    })
    .describe(
      'A command of the component prints the payload. It is code of the ref: it runs in the sandbox.',
    ),
  z
    .strictObject({
      render: z.literal('copy'),
      inputs: z.array(input).min(1),
      into: into.default('.'),
      keep,
    })
    .describe(
      'Copy files and folders as they are (the operator: its own kodata, below everything else).',
    ),
]);

const generatedBundle = z.strictObject({
  run: z
    .array(z.string())
    .min(1)
    .describe(
      'Program and arguments that generate the bundle, run in the component with no network.',
    ),
  image: z.string().describe('Base image that it runs in.'),
  env: z.record(envName, z.string()).default({}),
  output: innerPath.default('bundle').describe('Folder it leaves, with `manifests/`.'),
  when: z
    .literal('operator ref')
    .default('operator ref')
    .describe('Only where a request names this component.'),
});

const component = z.strictObject({
  repository: z
    .url()
    .optional()
    .describe('Git URL; default: the `url` of its entry in upstream_sources.yaml.'),
  aliases: z.array(componentName).default([]).describe('Other names it has or had.'),
  tracks: z
    .record(z.string(), z.string())
    .default({})
    .describe('Release → the upstream branch it tracks; default: the `branch` of its entry.'),
  patches: patches.optional().describe('Downstream patches of this component.'),
  payload: payload
    .optional()
    .describe('The manifests that it contributes to the operator; default: none.'),
  bundle: generatedBundle
    .optional()
    .describe('How CSV, CRDs and RBAC are generated from its tree (the operator).'),
});

const csvPlace = z.strictObject({
  env: z
    .array(envName)
    .default([])
    .describe('Environment variables and relatedImages of these names.'),
  deployment: z.string().optional().describe('Only containers of this deployment; default: any.'),
  containers: z.array(z.string()).default([]).describe('Containers whose image it is; `*` is all.'),
  related: z.array(z.string()).default([]).describe('Further names in relatedImages.'),
});

const cacheFolder = z
  .string()
  .max(200)
  .regex(
    /^(?!\/(proc|sys|dev)(\/|$))(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/,
    'must be an absolute path of plain names, outside /proc, /sys and /dev',
  );

const image = z.strictObject({
  context: innerPath.describe('Folder of the productization repository that holds the Dockerfile.'),
  dockerfile: innerPath.default('Dockerfile').describe('Below the context folder.'),
  of: z.array(componentName).min(1).describe('Components whose sources it is built from.'),
  go: z.string().optional().describe('Go import path of its program: what `ko://` calls it.'),
  csv: z
    .union([z.array(envName), csvPlace])
    .default([])
    .transform((value) => (Array.isArray(value) ? csvPlace.parse({ env: value }) : value))
    .describe('Where the CSV names it: a list of environment variables, or containers and more.'),
  kodata: z
    .string()
    .regex(/^\/[^\0]*[^/\0]$/, 'must be an absolute path')
    .optional()
    .describe('This image carries the payload, in this folder.'),
  network: z
    .boolean()
    .default(false)
    .describe('Its build needs the network (the configuration must allow it too).'),
  args: z.record(envName, z.string()).default({}).describe('Build arguments.'),
});

const makefile = z.strictObject({
  targets: z
    .array(z.string().regex(/^[A-Za-z0-9_][\w./%+@-]*$/, 'must be the name of a target'))
    .min(1)
    .describe(
      'Targets that build and push everything, run in this order with `REMOTE` and `TAG` set.',
    ),
  variables: z
    .record(envName, z.string().regex(/^[^\n\0]*$/, 'must be one line'))
    .default({})
    .describe(
      'Further variables of make. `{components}` is replaced by the path of a components file that names the files of the payload.',
    ),
});

/** What a product is: components, images, where payload and bundle come from. Source: docs/reference/product.md. */
export const Product = z.strictObject({
  product: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .describe('Name of the product.'),
  layout: z.literal('distgit').describe('How its repository is laid out.'),
  repository: z
    .url()
    .describe('Productization repository: `upstream_sources.yaml`, `distgit/`, `patches/`.'),
  releases: z.record(z.string(), release).describe('Streams of the product.'),
  components: z
    .record(componentName, component)
    .describe('Upstream repositories, named as in upstream_sources.yaml.'),
  images: z
    .record(imageName, image)
    .default({})
    .describe(
      'Every image that is built, by its name in the remote. A product without any is built by its Makefile alone.',
    ),
  cache: z
    .array(cacheFolder)
    .default([])
    .describe(
      'Folders in build containers where compilers keep what they made, such as GOCACHE of the Go image: images of one component share them, and later builds begin with them.',
    ),
  external: z
    .array(z.string())
    .default([])
    .describe('Globs of image references that the CSV names and that stay as they are.'),
  bundle: z.strictObject({
    image: imageName,
    package: z.string().min(1).describe('OLM package.'),
    from: innerPath.describe('Folder with `manifests/` and `metadata/annotations.yaml`.'),
  }),
  index: z.strictObject({
    image: imageName,
    serve: z
      .enum(['opm', 'data'])
      .describe(
        '`opm`: on an opm base, serves by itself. `data`: catalog files only (extractContent).',
      ),
    base: z.string().optional().describe('The opm base image.'),
  }),
  makefile: makefile
    .optional()
    .describe("The product's own targets, for requests with the strategy `makefile`."),
  verify: z
    .strictObject({
      revision: z
        .array(z.string().regex(/^file:\/.+/, 'must be file:/PATH'))
        .default([])
        .describe(
          'What an image build leaves behind that names its commit: `file:/PATH` in the image.',
        ),
    })
    .default({ revision: [] }),
});
export type Product = z.infer<typeof Product>;
export type Component = Product['components'][ComponentName];
export type Payload = NonNullable<Component['payload']>;
export type ProductImage = Product['images'][ImageName];
