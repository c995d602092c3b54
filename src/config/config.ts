import { z } from 'zod';
import { Tekton } from './tekton.ts';

/**
 * The configuration of a machine or service: everything that a product file must not say.
 * `docs/reference/configuration.md` is generated from it.
 */

const secret = z.union([
  z.strictObject({ file: z.string().min(1) }),
  z.strictObject({ env: z.string().min(1) }),
]);

const remote = z.strictObject({
  push: z
    .string()
    .min(1)
    .describe('Registry and path that images are pushed to: `quay.io/my-team`.'),
  pull: z.string().optional().describe('The same place as a cluster names it; default: `push`.'),
  authfile: z.string().optional().describe('containers-auth.json(5) with the push credential.'),
  'pull-secret': z
    .string()
    .optional()
    .describe('authfile of what the cluster may pull with; default: none.'),
  insecure: z.boolean().default(false).describe('Plain HTTP or an unknown certificate.'),
  default: z.boolean().default(false).describe('The remote of a request that names none.'),
});

const sandbox = z
  .strictObject({
    'memory-mib': z
      .number()
      .int()
      .min(32)
      .optional()
      .describe("Memory in MiB, files in memory included; default: half of the machine's."),
    processes: z
      .number()
      .int()
      .min(32)
      .optional()
      .describe(
        'Processes and threads; default: 4096, on a cluster 2048. There `podPidsLimit` of the nodes must be at least 200 higher.',
      ),
    'disk-mib': z
      .number()
      .int()
      .min(32)
      .default(20 * 1024)
      .describe(
        'Disk in MiB, each file counted as 4 KiB or more; never more than half of what is free when it begins.',
      ),
  })
  .prefault({})
  .describe('What one container build, in which code of a ref runs, may use at most.');
function gibibytes(usual: number) {
  return z.number().min(0).default(usual);
}

const credential = z.strictObject({ username: z.string(), password: secret });

const owner = z.string().regex(/^[^\s/]+(\/[^\s/]+)*$/, 'it is neither OWNER nor HOST/OWNER');

const access = z
  .strictObject({
    callers: z
      .enum(['anyone', 'kubernetes'])
      .default('anyone')
      .describe(
        'Who may use the service. `anyone`: whoever reaches it, so it listens on loopback only. `kubernetes`: whoever sends a bearer token that the cluster knows (TokenReview), for what they may do to `pipelineruns.tekton.dev` in `namespace` (SubjectAccessReview); `/healthz`, `/readyz`, `/metrics` and `/openapi.json` are open to all.',
      ),
    namespace: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Namespace whose rights count, and that approvals lie in; default: that of the builds (`tekton.namespace`), else the service's own.",
      ),
    audiences: z
      .array(z.string().min(1))
      .default([])
      .describe(
        "Audiences that a token may be made for (`kubectl create token NAME --audience tributary`); default: those of the cluster's API.",
      ),
    'requests-per-minute': z
      .number()
      .int()
      .min(1)
      .default(600)
      .describe('Requests of one identity to one replica; what is more is refused with 429.'),
    trust: z
      .strictObject({
        demand: z
          .enum(['approved', 'allowed', 'none'])
          .optional()
          .describe(
            'What every ref of a build must have at least. `approved`: somebody vouches for exactly its commit (`tributary approve`). `allowed`: that, or it comes from a repository of one of `owners`. `none`: nothing. Default: `allowed` with the callers of a cluster; with `anyone`, `none`, because whoever reaches a service on a laptop could run the code without it.',
          ),
        owners: z
          .array(owner)
          .default([])
          .describe(
            'Owners of repositories whose code is built without approval: `tektoncd` (on GitHub), `gitlab.com/group`. Where a pull request comes from is asked of its forge, which has to be in `forges`.',
          ),
      })
      .prefault({}),
  })
  .prefault({})
  .describe('Who may use the service, and which code it builds for them.');

export const Configuration = z.strictObject({
  state: z
    .string()
    .optional()
    .describe(
      'Folder for the database, mirrors, logs and image storage. Default: `$XDG_STATE_HOME/tributary`.',
    ),
  engine: z
    .enum(['local', 'tekton'])
    .default('local')
    .describe('What runs builds: this machine, or a cluster as PipelineRuns.'),
  tekton: Tekton.optional().describe('How builds run on a cluster; `engine: tekton` needs it.'),
  listen: z
    .string()
    .regex(/^[^\s]+:\d+$/)
    .default('127.0.0.1:8080')
    .describe(
      'Address and port of the service; loopback only, unless `access.callers` are those of a cluster.',
    ),
  url: z
    .url()
    .optional()
    .describe('How others reach the service, for links; default: from `listen`.'),
  urls: z
    .record(z.string(), z.string())
    .default({})
    .describe('Rewrites of git URLs, prefix → prefix (git `url.<base>.insteadOf`).'),
  mirrors: z
    .record(z.string(), z.string())
    .default({})
    .describe('Where base images are reachable: registry prefix → prefix.'),
  hosts: z
    .array(z.string())
    .default(['github.com', 'gitlab.com'])
    .describe('Git hosts that refs may name, besides those of the product.'),
  git: z
    .strictObject({
      credentials: z
        .record(z.string(), credential)
        .default({})
        .describe('Host → credential for private repositories.'),
      ca: z.string().optional().describe('File of further certificate authorities.'),
    })
    .default({ credentials: {} }),
  forges: z
    .record(z.string(), z.strictObject({ api: z.url(), token: secret }))
    .default({})
    .describe('Host → API of the forge, asked for the base branch of a pull request.'),
  registries: z
    .record(
      z.string(),
      z.strictObject({
        insecure: z
          .boolean()
          .optional()
          .describe('Plain HTTP or an unknown certificate; without it: on loopback alone.'),
      }),
    )
    .default({})
    .describe('Further registries (bases, mirrors) and how to reach them.'),
  authfile: z.string().optional().describe('containers-auth.json(5) to pull base images with.'),
  remotes: z.record(z.string(), remote).describe('Named places that builds are pushed to.'),
  access,
  platforms: z
    .array(z.literal('linux/amd64').or(z.literal('linux/arm64')))
    .length(1)
    .optional()
    .describe("Platform to build; default: the machine's own."),
  network: z.array(z.string()).default([]).describe('Images whose build may use the network.'),
  'allow-unconfined': z
    .boolean()
    .default(false)
    .describe(
      'Whether requests may ask for `"strategy": "makefile"`: code of any ref then runs with all rights of the service, on its network and with the push credential of the remote.',
    ),
  notify: z
    .record(
      z.string(),
      z.strictObject({
        url: z.url(),
        secret: secret.describe('Key of the HMAC-SHA256 signature in `X-Tributary-Signature-256`.'),
        on: z.array(z.enum(['started', 'finished'])).default(['started', 'finished']),
      }),
    )
    .default({})
    .describe('Named targets that are told of start and end.'),
  limits: z
    .strictObject({
      builds: z.number().int().min(1).default(2).describe('Builds at once; others queue.'),
      steps: z
        .number()
        .int()
        .min(1)
        .optional()
        .describe(
          'Step processes at once; on a cluster, pods that images of one group are shared among where they need not wait for each other. Default: the number of cores, there those that `prepare` sees.',
        ),
      'step-minutes': z
        .number()
        .min(0.1)
        .default(60)
        .describe('A step that takes longer is ended.'),
      'retry-seconds': z
        .number()
        .min(0)
        .default(120)
        .describe('How long a step keeps asking a registry or git server that is in trouble.'),
      'silence-seconds': z
        .number()
        .min(1)
        .default(30)
        .describe(
          'A registry or git server that sends and takes nothing for so long, while a step waits for it, counts as gone.',
        ),
      'answer-seconds': z
        .number()
        .min(1)
        .default(30)
        .describe('A request is answered within this time, also where git servers do not answer.'),
      'log-mib': z
        .number()
        .min(0.1)
        .default(16)
        .describe('Log of a step in MiB; of a longer one the beginning and the end are kept.'),
      sandbox,
      'fetch-mib': z
        .number()
        .int()
        .min(1)
        .default(4096)
        .describe('What one fetch from a git server may bring, in MiB; a larger one is ended.'),
      'git-memory-mib': z
        .number()
        .int()
        .min(64)
        .default(2048)
        .describe('Memory that one git process may take while a git server sends to it, in MiB.'),
      'keep-days': z
        .number()
        .min(1)
        .default(14)
        .describe(
          'Finished builds stay that long, counted in days on which Tributary ran; on a cluster their runs do, and their records longer.',
        ),
      'bases-gib': gibibytes(20).describe(
        'Disk space of base images, in GiB; beyond it, what was used longest ago goes, and nothing that a build uses.',
      ),
      'mirrors-gib': gibibytes(20).describe('The same for git mirrors.'),
      'histories-gib': gibibytes(20).describe(
        'The same for whole histories of repositories; those that the sources of a kept build are served from stay.',
      ),
      'seeds-gib': gibibytes(10).describe('The same for seeds of compile caches.'),
    })
    .prefault({}),
  tools: z
    .strictObject({
      kustomize: z.string().default('kustomize'),
      runtime: z.string().default('runc'),
    })
    .prefault({}),
});
export type Configuration = z.infer<typeof Configuration>;
