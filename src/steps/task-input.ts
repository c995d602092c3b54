import { z } from 'zod';
import type { AskedBuild } from '../builds/build.ts';
import { FailureError } from '../builds/failure.ts';
import type { Lock } from '../plan/lock.ts';
import { parseTag, type Tag } from '../plan/names.ts';
import { lockDigest, tagFor, tagHex } from '../plan/tag.ts';

/**
 * What the containers of a task are told, by environment: nothing that a person wrote is ever part of a script. An engine writes these
 * variables, `tributary task PHASE` reads them.
 */
export const taskVariables = {
  /** The configuration file. */
  config: 'TRIBUTARY_CONFIG',
  /** product.yaml; default: beside the configuration. */
  product: 'TRIBUTARY_PRODUCT',
  /** UID of the PipelineRun: what the tasks of a run leave for each other is named by it. */
  run: 'TRIBUTARY_RUN',
  tag: 'TRIBUTARY_TAG',
  /** As JSON. */
  lock: 'TRIBUTARY_LOCK',
  /** Result `plan` of `prepare`, a reference by digest: for `fetch`, `run`, `push` and `assemble`. */
  plan: 'TRIBUTARY_PLAN',
  /** `payload`, `manifests`, `000`, `001`, …: for `fetch`, `run` and `push`. */
  unit: 'TRIBUTARY_UNIT',
  /** `true`: hits are not used, but compared. */
  rebuild: 'TRIBUTARY_REBUILD',
  /** The build as asked ({@link ReportedBuild}) as JSON: for `report`. */
  build: 'TRIBUTARY_BUILD',
  /** How the tasks before ended, as Tekton says: `prepare=Succeeded images=StepOOM assemble= …`; of several of a kind, the first that failed. For `report`. */
  reasons: 'TRIBUTARY_REASONS',
  /** Folder where the push secret is mounted, instead of {@link usualPushSecret}: for `push`. */
  pushSecret: 'TRIBUTARY_PUSH_SECRET',
  /** Folder of result files; only `prepare`, `push` and `assemble` write there. Default: /tekton/results. */
  results: 'TRIBUTARY_RESULTS',
  /** Folder that the containers of a unit share; default: /pod. `in/` is written by `fetch`, `out/` by `run`. */
  pod: 'TRIBUTARY_POD',
} as const;

/** Where the push secret is mounted, as configurations name it. */
export const usualPushSecret = '/etc/tributary-push';

/**
 * What containers that unpack images begin with: root of a user namespace whose ids are those of the container but its root, each one less. Nothing in
 * it is root outside, so that the kernel counts its processes (setrlimit(2) exempts root's). In `/etc/subuid` and `/etc/subgid`: `root:1:65535`.
 */
export const inOwnNamespace: readonly string[] = [
  ...['unshare', '--user', '--map-users', '1,0,65535', '--map-groups', '1,0,65535'],
  ...['--setuid', '0', '--setgid', '0', '--'],
];

/** To make that namespace. */
const capabilities = ['SETUID', 'SETGID'] as const;

/**
 * What each container of a task does; whether its word counts that a step is finished (`verdicts`); what its program is started by; and the capabilities without which it cannot: they are added to none. `push` runs also where `fetch` or
 * `run` failed (`onError: continue`), and tells of it. None needs a service account token.
 */
export const taskPhases = {
  /** From the lock to the plan. Git credentials, push secret; no code of a ref. */
  prepare: { verdicts: true, capabilities: [], startedBy: [] },
  /** Brings what the unit reads. Pull credential; base images are unpacked, with their owners. */
  fetch: { verdicts: false, capabilities, startedBy: inOwnNamespace },
  /** Makes it. Code of refs, in the sandbox: no credential, no network needed. */
  run: { verdicts: false, capabilities, startedBy: inOwnNamespace },
  /** Checks and pushes what was made. Push secret. */
  push: { verdicts: true, capabilities: [], startedBy: [] },
  /** Everything that needs the images. Push secret; no code of a ref. */
  assemble: { verdicts: true, capabilities: [], startedBy: [] },
  /** The record. Push secret. */
  report: { verdicts: true, capabilities: [], startedBy: [] },
} as const;

/** The results of tasks: of `prepare` the first five, of a unit the others where it has made an image, of `assemble` the last. */
export const taskResults = {
  /** `REMOTE/tributary@sha256:…` */
  plan: 'plan',
  /** Array of unit names with something to build; `none` alone where there is nothing. */
  units: 'units',
  /** `yes` or `no`: whether there is something to do for the tasks of the same name. */
  images: 'images',
  payload: 'payload',
  manifests: 'manifests',
  /** As Tekton Chains reads them: a task that made one image has the first two, one of several the third (`url@digest`, one a line). */
  imageUrl: 'IMAGE_URL',
  imageDigest: 'IMAGE_DIGEST',
  imageList: 'IMAGES',
} as const;

/** The build as `report` is told of it. */
export type ReportedBuild = AskedBuild & {
  readonly attempt: number;
  readonly createdAt: string;
  readonly startedAt: string;
};

/** {@link taskVariables}, read. */
export interface TaskInput {
  readonly config: string;
  readonly product: string | undefined;
  readonly run: string;
  readonly tag: Tag;
  readonly lock: Lock;
  readonly plan: string | undefined;
  readonly unit: string;
  readonly rebuild: boolean;
  readonly build: ReportedBuild | undefined;
  /** By task; '' where it never began. */
  readonly reasons: Readonly<Record<string, string>>;
  readonly pushSecret: string | undefined;
  readonly results: string;
  readonly pod: string;
}

const text = z.string().default('');
const Input = z.object({
  config: z.string().min(1),
  product: text,
  run: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
  tag: z.string().min(1),
  lock: z.string().min(1),
  plan: z
    .string()
    .regex(/^([\w.:/-]+@sha256:[0-9a-f]{64})?$/)
    .default(''),
  unit: z
    .string()
    .regex(/^(payload|manifests|\d{3})?$/)
    .default(''),
  rebuild: z.enum(['true', 'false', '']).default('false'),
  build: text,
  reasons: text,
  pushSecret: text,
  results: z.string().default('/tekton/results'),
  pod: z.string().default('/pod'),
});

/**
 * Reads the variables. They were written by our own engine: JSON has the types that it says; that tag and lock belong together is looked
 * at all the same. Throws FailureError `bad-configuration`.
 */
export function parseTaskInput(
  environment: Readonly<Record<string, string | undefined>>,
): TaskInput {
  const names = Object.entries(taskVariables) as [keyof typeof taskVariables, string][];
  const given = Object.fromEntries(names.map(([name, variable]) => [name, environment[variable]]));
  const parsed = Input.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = issue?.path[0] as keyof typeof taskVariables;
    throw unusable(taskVariables[name], issue?.message ?? '');
  }
  const { data } = parsed;
  const lock = parseJson<Lock>(taskVariables.lock, data.lock);
  const tag = parseTag(data.tag);
  if (tag === undefined || tagFor(lock.name, lockDigest(lock), tagHex(tag).length) !== tag)
    throw unusable(taskVariables.tag, 'it is not a tag of the lock');
  return {
    ...data,
    ...{ lock, tag },
    product: data.product || undefined,
    pushSecret: data.pushSecret || undefined,
    plan: data.plan || undefined,
    rebuild: data.rebuild === 'true',
    reasons: Object.fromEntries(
      [...data.reasons.matchAll(/(\w+)=(\S*)/g)].map(([, task = '', reason = '']) => [
        task,
        reason,
      ]),
    ),
    build: data.build === '' ? undefined : parseJson(taskVariables.build, data.build),
  };
}

function parseJson<Value>(variable: string, text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    throw unusable(variable, 'it is not JSON');
  }
}

function unusable(variable: string, why: string): FailureError {
  return new FailureError({
    reason: 'bad-configuration',
    detail: `The environment variable ${variable} of this task cannot be used: ${why}.`,
    hint: 'Tasks are started by the service: install the Tasks and Pipeline of the version that runs.',
    about: { variable },
  });
}
