import type { RefReading } from '../builds/build.ts';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { parseCommitSha } from '../plan/names.ts';
import { parseRef, renderRef } from '../request/ref.ts';
import { repositoryAt } from '../request/repository.ts';
import { pointerTo } from '../request/shape-problems.ts';
import type { Approvals } from './approvals.ts';

/**
 * How much is known of a ref's code: `approved`, somebody vouches for exactly this commit; `allowed`, it comes from a
 * repository whose owner is listed; else `none`.
 */
export type Trust = 'approved' | 'allowed' | 'none';

/** From the least to the most. */
const order = ['none', 'allowed', 'approved'] as const;

/** What trust is decided with. */
export interface TrustParts {
  /** The least that a build may have. */
  readonly demand: Trust;
  /** `github.com/tektoncd`: owners whose repositories are allowed, as {@link ownerName} writes them. */
  readonly owners: ReadonlySet<string>;
  readonly approvals: Pick<Approvals, 'find'>;
  /** `HOST/OWNER` of the repository that a ref's code comes from; undefined where that cannot be told. */
  ownerOf(reading: RefReading): Promise<string | undefined>;
}

/**
 * Whether the refs of a build may be built: `read` as in Build.components. What the product pins is no ref: it is the
 * product's own. Tells all refs that are not trusted enough, each with the command that approves it.
 */
export async function demandTrust(
  read: Readonly<Record<string, RefReading>>,
  parts: TrustParts,
): Promise<Outcome<Trust>> {
  if (parts.demand === 'none') return ok('none');
  const known = await Promise.all(
    Object.entries(read).map(async ([component, reading]) => {
      const { trust, owner } = await trustOf(reading, parts);
      const enough = order.indexOf(trust) >= order.indexOf(parts.demand);
      return { trust, failure: enough ? undefined : notApproved(component, reading, owner, parts) };
    }),
  );
  const [first, ...rest] = known.flatMap(({ failure }) => failure ?? []);
  return first === undefined
    ? ok(leastTrust(known.map(({ trust }) => trust)))
    : failed(first, ...rest);
}

/** The least of several; of none, the product is built as it is. */
function leastTrust(all: readonly Trust[]): Trust {
  return order.find((trust) => all.includes(trust)) ?? 'approved';
}

interface Known {
  readonly trust: Trust;
  readonly owner?: string | undefined;
}

async function trustOf(reading: RefReading, parts: TrustParts): Promise<Known> {
  const commit = parseCommitSha(reading.commit);
  if (commit !== undefined && (await parts.approvals.find(commit)) !== undefined)
    return { trust: 'approved' };
  // Nobody has to be asked where it makes no difference.
  if (parts.demand === 'approved' || parts.owners.size === 0) return { trust: 'none' };
  const owner = await parts.ownerOf(reading);
  return { trust: owner !== undefined && parts.owners.has(owner) ? 'allowed' : 'none', owner };
}

function notApproved(
  component: string,
  reading: RefReading,
  owner: string | undefined,
  { demand, owners }: TrustParts,
): Failure {
  const parsed = parseRef(reading.ref);
  const ref = parsed.ok ? renderRef(parsed.value) : reading.ref;
  const { commit } = reading;
  const from =
    demand === 'approved' || owners.size === 0
      ? ''
      : owner === undefined
        ? ', and which repository it comes from is not known'
        : `, and ${owner} is not among the owners whose code is built without`;
  return {
    reason: 'not-approved',
    detail: `${component}: nobody has approved the commit ${commit} of ${ref}${from}.`,
    hint: `Let somebody who may approve look at exactly this commit, and type: tributary approve ${approvable(ref, commit)}`,
    pointer: pointerTo(component === 'product' ? ['product'] : ['components', component]),
    about: { component, commit },
  };
}

/** What `tributary approve` takes, as a shell takes it: the name of a branch may be `$(…)`, and people paste this. */
function approvable(ref: string, commit: string): string {
  const text = ref.endsWith(`@${commit}`) ? ref : `${ref}@${commit}`;
  return /^[\w./:@#%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** An owner as the configuration names it (`tektoncd`, `gitlab.com/group/below`) → `HOST/OWNER`. */
export function ownerName(text: string): string {
  const name = /^[^/]*[.:][^/]*\//.test(text) ? text : `github.com/${text}`;
  const [host = '', ...path] = name.split('/');
  // Public forges do not tell upper case from lower case.
  const owner = repositoryAt('https', host.toLowerCase(), path.join('/'));
  return `${owner.host}/${owner.path}`;
}
