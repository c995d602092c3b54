import { z } from 'zod';
import { type Reason, reasons } from '../builds/failure.ts';

/**
 * Everything that the service answers, as schemas: OpenAPI, `--json` of the CLI and clients come from
 * them. The types of src/builds/ are what the service works with; schema.test.ts keeps both equal.
 */

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const time = z.iso.datetime().describe('RFC 3339, UTC.');

const reason = z
  .enum(Object.keys(reasons) as [Reason, ...Reason[]])
  .describe('What kind of failure it is.')
  .meta({ id: 'Reason' });

export const BuildState = z
  .enum(['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'])
  .describe('`expired`: the images are gone.')
  .meta({ id: 'BuildState' });

export const Failure = z
  .object({
    reason,
    detail: z.string().describe('What happened, to what.'),
    hint: z.string().describe('What to do next.'),
    pointer: z
      .string()
      .exactOptional()
      .describe('Where in the request: a JSON pointer (RFC 6901).'),
    about: z
      .record(z.string(), z.union([z.string(), z.number(), list(z.string())]))
      .exactOptional()
      .describe('The component, patch, image, files … concerned.'),
  })
  .meta({ id: 'Failure' });

export const Problem = z
  .object({
    type: z.string().describe('URI of the reason, `urn:tributary:<reason>`.'),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().describe('What happened, to what.'),
    instance: z.string().describe('The path that was asked for.'),
    reason,
    hint: z.string().describe('What to do next.'),
    problems: list(Failure).describe(
      'Everything that is wrong, the first of them being told above.',
    ),
  })
  .describe('RFC 9457, `application/problem+json`.')
  .meta({
    id: 'Problem',
    example: {
      type: 'urn:tributary:unknown-component',
      title: 'No such component',
      status: 422,
      detail: 'The product has no component tektoncd/pipelin.',
      instance: '/api/builds',
      reason: 'unknown-component',
      hint: 'Did you mean tektoncd/pipeline?',
      problems: [
        {
          reason: 'unknown-component',
          detail: 'The product has no component tektoncd/pipelin.',
          hint: 'Did you mean tektoncd/pipeline?',
          pointer: '/components/tektoncd~1pipelin',
        },
      ],
    },
  });

export const RefReading = z
  .object({
    ref: z.string().describe('The ref as written.'),
    as: z.enum(['merge', 'pick', 'head']),
    commit: z.string().describe('Commit that the ref names.'),
    url: z.string(),
    base: z
      .object({
        branch: z.string(),
        commit: z.string(),
        found: z.string().describe('How the base branch was found.'),
      })
      .optional()
      .describe("A pull request's base branch."),
    why: z.string().describe('Why merge, pick or head: one sentence.'),
  })
  .meta({ id: 'RefReading' });

const readings = z.record(z.string(), RefReading).describe('How each ref was read, by component.');

const plannedStep = {
  id: z
    .string()
    .describe('`<kind>` or `<kind>/<what>`, such as `image/openshift-pipelines-controller`.'),
  kind: z.enum([
    ...['prepare', 'payload', 'image', 'operator-payload', 'manifests'],
    ...['makefile', 'bundle', 'index', 'verify', 'report'],
  ] as const),
  needs: list(z.string()).describe('Steps that it waits for.'),
  weight: z.number().describe('Rough seconds when nothing is reused.'),
};

export const PlannedStep = z.object(plannedStep).meta({ id: 'PlannedStep' });

export const StepStatus = z
  .object({
    ...plannedStep,
    state: z.enum(['waiting', 'running', 'succeeded', 'reused', 'failed', 'skipped']),
    startedAt: time.optional(),
    finishedAt: time.optional(),
    progress: z.string().optional().describe('The last line of progress while it runs.'),
    retries: z
      .number()
      .int()
      .optional()
      .describe('How often it asked a registry or git server again that was in trouble.'),
    failures: list(Failure).optional(),
  })
  .meta({ id: 'StepStatus' });

export const BuiltImage = z
  .object({
    name: z.string(),
    image: z.string().describe('`REMOTE/name:TAG`.'),
    digest: digest.nullable(),
    reused: z.boolean(),
  })
  .meta({ id: 'BuiltImage' });

export const Inclusion = z
  .object({
    component: z.string(),
    place: z.string().describe('`image/<name>`, `payload`, `manifests` or `makefile`.'),
    commit: z.string(),
    tree: z.string(),
    requested: z.boolean(),
    outcome: z
      .enum(['included', 'not-from-your-ref', 'source-not-provable'])
      .describe(
        "`included`: proven. `not-from-your-ref`: the place carries the component another way. `source-not-provable`: the product's Makefile was given the source, and what it made of it is believed.",
      ),
    proof: z.string().describe('How it was proven.'),
  })
  .meta({ id: 'Inclusion' });

export const Unpullable = z
  .object({
    image: z.string(),
    how: z.enum(['anonymously', 'with the pull secret', 'at all']),
    remedy: z.string(),
  })
  .describe('An image of the bundle that a cluster could not pull.')
  .meta({ id: 'Unpullable' });

export const PatchReport = z
  .object({
    component: z.string(),
    patch: z.string(),
    outcome: z.enum(['applied', 'contained', 'bypassed']),
    by: z.enum(['tributary', 'dockerfile']),
  })
  .meta({ id: 'PatchReport' });

const pushed = z.object({ image: z.string(), digest: digest.nullable() });

const failureOfBuild = Failure.extend({
  owner: z
    .string()
    .describe(
      'Whose failure it is: request, ref, patch, product, credentials, infrastructure or tributary.',
    ),
  step: z.string().nullable(),
}).meta({ id: 'BuildFailure' });

export const Links = z
  .object({
    self: z.string(),
    events: z.string().describe('Server-sent events.'),
    log: z.string().describe('`{step}` stands for the id of a step.'),
    install: z.string(),
    cancel: z.string().describe('POST.'),
    rerun: z.string().describe('POST.'),
    bundle: z
      .string()
      .describe('Image reference of the bundle: `operator-sdk run bundle` takes it.'),
    index: z.string().describe('Image reference of the catalog.'),
    images: z.record(z.string(), z.string()).describe('Image name → reference.'),
  })
  .meta({ id: 'Links' });

const buildFields = {
  tag: z.string(),
  pipelinerun: z.string(),
  name: z.string(),
  state: BuildState,
  attempt: z.number().int().describe('1 for the first run of a tag.'),
  release: z.string(),
  requester: z.string(),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  queuePosition: z.number().int().nullable().describe('1 is next; null when it is not queued.'),
  components: readings,
  steps: list(StepStatus),
  images: list(BuiltImage),
  bundle: pushed,
  index: pushed,
  inclusion: list(Inclusion).describe(
    'Where each component is in the bundle, and how that was proven.',
  ),
  unpullable: list(Unpullable),
  patches: list(PatchReport),
  failure: failureOfBuild.nullable().describe('Null unless `state` is `failed`.'),
};

export const Build = z
  .object({
    ...buildFields,
    links: Links.exactOptional().describe('Only where a service answers.'),
  })
  .describe('A build: the same in HTTP and CLI.')
  .meta({ id: 'Build' });

export const BuildPage = z
  .object({
    builds: list(Build).describe('Newest first.'),
    next: z.string().nullable().describe('`after` of the next page; null on the last.'),
    incomplete: Failure.exactOptional().describe(
      'Why builds may be missing on this page: on a cluster, builds whose runs were removed are known to the registry alone, which does not answer now.',
    ),
  })
  .meta({ id: 'BuildPage' });

export const Submitted = z
  .object({
    tag: buildFields.tag,
    pipelinerun: buildFields.pipelinerun,
    outcome: z
      .enum(['created', 'known', 'restarted'])
      .describe('`known`: the same was asked before. `restarted`: a further attempt began.'),
    state: BuildState,
    attempt: buildFields.attempt,
    release: buildFields.release,
    queuePosition: buildFields.queuePosition,
    components: readings,
    failure: buildFields.failure,
    links: Links.exactOptional(),
  })
  .describe('The answer to a request.')
  .meta({ id: 'Submitted' });

const event = <Kind extends string, Shape extends z.ZodRawShape>(kind: Kind, shape: Shape) =>
  z.object({
    id: z.string().describe('`<attempt>/<step or build>/<transition>`.'),
    at: time,
    attempt: buildFields.attempt,
    kind: z.literal(kind),
    ...shape,
  });

const step = z.string();
const stepOutput = z
  .looseObject({ kind: z.string(), digest: digest.optional(), reused: z.boolean().optional() })
  .nullable();

export const BuildEvent = z
  .discriminatedUnion('kind', [
    event('queued', {}),
    event('started', {}),
    event('planned', { steps: list(PlannedStep), patches: list(PatchReport) }),
    event('step-started', { step }),
    event('step-progress', { step, text: z.string() }),
    event('step-retrying', {
      step,
      what: z.string().describe('Who does not answer as it should: `registry 127.0.0.1:5000`.'),
      why: z.string(),
      retry: z.number().int().describe('1 is the first further try.'),
      seconds: z.number().describe('Until that try.'),
    }),
    event('step-finished', { step, output: stepOutput }),
    event('step-failed', { step, failures: list(Failure) }),
    event('step-skipped', { step }),
    event('cancel-requested', {}),
    event('succeeded', {}),
    event('failed', { failures: list(Failure) }),
    event('cancelled', {}),
    event('expired', {}),
  ])
  .meta({ id: 'BuildEvent' });

export const PlanAnswer = z
  .object({
    tag: buildFields.tag,
    release: buildFields.release,
    operatorVersion: z.string(),
    components: readings,
    patches: list(PatchReport),
    steps: list(
      PlannedStep.extend({
        key: z.string().nullable().describe('Null where it depends on what earlier steps make.'),
        hit: z
          .boolean()
          .nullable()
          .describe('Whether it is there already; null where the key is not known yet.'),
      }),
    ),
  })
  .describe('What a build of the same request would do.')
  .meta({ id: 'PlanAnswer' });

export const Components = z
  .object({
    product: z.string(),
    releases: list(
      z.object({ name: z.string(), branch: z.string(), version: z.string(), default: z.boolean() }),
    ),
    components: list(
      z.object({
        name: z.string(),
        repository: z.string().exactOptional().describe('Git URL, where the product file says it.'),
        aliases: list(z.string()),
        images: list(z.string()).describe('Images made of it.'),
        payload: z.boolean().describe('Whether it contributes manifests to the operator.'),
        tracks: z.record(z.string(), z.string()).describe('Release → upstream branch.'),
      }),
    ),
    remotes: list(z.object({ name: z.string(), push: z.string(), default: z.boolean() })),
    notify: list(z.string()).describe('Names of configured notify targets.'),
  })
  .meta({ id: 'Components' });

export const Install = z
  .object({
    tag: buildFields.tag,
    run: z.string().describe('Installs the bundle.'),
    upgrade: z.string().describe('Upgrades what `run` installed to this build.'),
    cleanup: z.string().describe('Removes what `run` installed.'),
    catalogSource: z.string().describe('YAML, to install by OLM from the index.'),
    subscription: z.string().describe('YAML.'),
    remove: z.string().describe('Removes what the Subscription installed.'),
    warnings: list(z.string()),
  })
  .describe('Commands that install and remove a build.')
  .meta({ id: 'Install' });

export const Readiness = z
  .object({
    ready: z.boolean(),
    checks: list(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  })
  .meta({ id: 'Readiness' });

export const Rerun = z
  .strictObject({
    rebuild: z.boolean().optional().describe('Use nothing that was built before, but compare.'),
  })
  .optional()
  .meta({ id: 'Rerun' });

export const ApprovalBody = z
  .strictObject({
    ref: z
      .string()
      .min(1)
      .max(500)
      .describe('The ref under which it was looked at, for people.')
      .meta({ examples: ['tektoncd/pipeline#4638'] }),
    commit: z
      .string()
      .regex(/^[0-9a-fA-F]{40}$/)
      .describe('The whole SHA of the commit that is approved.'),
  })
  .meta({ id: 'ApprovalRequest' });

const approval = {
  commit: z.string().describe('Exactly this one is approved.'),
  ref: z.string().describe('The ref under which it was looked at.'),
  by: z.string(),
  at: time,
};

export const Approval = z.object(approval).meta({ id: 'Approval' });

export const Approved = z
  .object({
    ...approval,
    outcome: z.enum(['created', 'known']).describe('`known`: it was approved before, as told.'),
  })
  .meta({ id: 'Approved' });

export const ApprovalList = z.object({ approvals: list(Approval) }).meta({ id: 'ApprovalList' });

const check = z.object({
  name: z.string(),
  ok: z.boolean(),
  detail: z.string(),
  hint: z.string().nullable().describe('How to mend it; null where all is well.'),
});

export const Diagnosis = z
  .object({ ok: z.boolean(), checks: list(check) })
  .describe('What `tributary doctor --json` prints.')
  .meta({ id: 'Diagnosis' });
