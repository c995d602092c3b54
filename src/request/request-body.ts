import { z } from 'zod';

/**
 * The body of `POST /api/builds` and `POST /api/plan`, for OpenAPI and for whoever writes one. What a
 * schema cannot say (that a ref can be read, that a name is unused twice) is in parse-request.ts.
 */

/** Most components in one request. */
export const maximalComponents = 20;
/** Longest name of a build. */
export const maximalName = 50;

const refText = z
  .string()
  .describe('A pull request, branch, tag or commit, in any spelling of docs/reference/refs.md.')
  .meta({
    minLength: 1,
    maxLength: 500,
    examples: [
      'tektoncd/pipeline#4638',
      'https://github.com/tektoncd/pipeline/pull/4638',
      'vdemeester/tektoncd-operator@shiny',
    ],
  });

const refObject = z
  .strictObject({
    ref: refText,
    as: z
      .enum(['auto', 'merge', 'pick', 'head'])
      .optional()
      .describe(
        'How it becomes code: `merge`, the head merged into its base branch; `pick`, its own commits on top of what the product pins; `head`, the head alone; `auto` (default): `merge` where its base is the branch that the release tracks, else `pick`; a branch, tag or commit is `head`.',
      ),
    base: z
      .string()
      .optional()
      .describe('The base branch of the pull request, where it is not to be found out.')
      .meta({ examples: ['main'] }),
  })
  .meta({ examples: [{ ref: 'tektoncd/pipeline#4638', as: 'pick', base: 'main' }] });

const ref = z.union([refText, refObject]).meta({ id: 'Ref' });

const policy = z.union([
  z.literal('none'),
  z.strictObject({
    skip: z
      .array(z.string().min(1))
      .min(1)
      .describe('File names of the patches that are left out.'),
  }),
]);

const targets = z.union([z.string().min(1), z.array(z.string().min(1))]);

/** See the file's comment. */
export const RequestBody = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
      .max(maximalName)
      .describe('What the build is called (DNS-1123); its tag is this name and a hash.'),
    components: z
      .record(z.string(), ref)
      .optional()
      .describe(
        'Component (or an alias of it) → ref; `{}`: the product as it is. Not needed where `product` is given.',
      )
      .meta({ maxProperties: maximalComponents }),
    release: z
      .string()
      .min(1)
      .optional()
      .describe('Release of the product; default: its default release.'),
    product: ref.optional().describe('A change of the productization repository.'),
    patches: z
      .record(z.string(), policy)
      .optional()
      .describe('Component → downstream patches that are left out: `none` applies none of them.'),
    strategy: z
      .enum(['images', 'makefile'])
      .optional()
      .describe(
        "How it is built: `images`, each by itself and in the sandbox; `makefile`, by the product's own Makefile, which runs the code of the refs unconfined (where the configuration allows it). Default: `images`, or `makefile` for a product that describes no images.",
      ),
    remote: z
      .string()
      .min(1)
      .optional()
      .describe('Configured remote that the images go to; default: the default remote.'),
    notify: targets.optional().describe('Configured targets that are told of start and end.'),
    rebuild: z
      .boolean()
      .optional()
      .describe('Build everything again; what was there before is only compared. Default: false.'),
  })
  .meta({
    id: 'Request',
    examples: [
      { name: 'test-my-thing', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' } },
      {
        name: 'test-my-thing',
        components: {
          'tektoncd/pipeline': 'tektoncd/pipeline#4638',
          'tektoncd/operator': 'vdemeester/tektoncd-operator@shiny',
          'openshift-pipelines/pipelines-as-code':
            'https://github.com/openshift-pipelines/pipelines-as-code/pull/25',
        },
      },
    ],
  });
export type RequestBody = z.infer<typeof RequestBody>;
