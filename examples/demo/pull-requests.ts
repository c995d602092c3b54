/** Commits made by the `*.patch` files of a folder, in lexical order. */
interface Patched {
  readonly repository: string;
  /** Where the author began. */
  readonly from: string;
  /** Folder of the patches, beside this file. */
  readonly patches: string;
}

/** A branch of a fork. */
export interface PatchedBranch extends Patched {
  readonly branch: string;
}

/** A pull request. README.md says what each of them is good for. */
export interface PullRequest extends Patched {
  readonly number: number;
  /** The branch it is opened against. */
  readonly base: string;
  /** Whether it merges into its base as that stands now. */
  readonly merges: boolean;
}

/** The branches that the forks have for themselves. */
export const patchedBranches: readonly PatchedBranch[] = [
  {
    repository: 'vdemeester/tektoncd-pipeline',
    branch: '4636-no-override-on-propagation',
    from: 'v0.69.0',
    patches: 'branches/tektoncd-pipeline-4636',
  },
  {
    repository: 'vdemeester/tektoncd-operator',
    branch: 'shiny',
    from: 'v0.80.0',
    patches: 'branches/tektoncd-operator-shiny',
  },
];

/** Every pull request of the demo. */
export const pullRequests: readonly PullRequest[] = [
  pull('tektoncd/pipeline', 4638, 'v0.69.0'),
  pull('tektoncd/pipeline', 4701, 'v0.69.0', { merges: false }),
  pull('tektoncd/pipeline', 4702, 'v0.69.0'),
  pull('tektoncd/pipeline', 4703, 'main~1'),
  pull('tektoncd/pipeline', 4704, 'main~1'),
  pull('tektoncd/pipeline', 4705, 'v0.68.1', { base: 'release-v0.68.x' }),
  pull('tektoncd/pipeline', 4706, 'v0.69.0'),
  pull('tektoncd/pipeline', 4707, 'main~1'),
  pull('tektoncd/triggers', 1301, 'v0.31.0'),
  pull('tektoncd/triggers', 1302, 'v0.31.0'),
  pull('openshift-pipelines/pipelines-as-code', 25, 'v0.41.0'),
  pull('tektoncd/operator', 1400, 'v0.80.0'),
  pull('openshift-pipelines/productization', 7, '1.7.0'),
];

function pull(
  repository: string,
  number: number,
  from: string,
  { base = 'main', merges = true }: { base?: string; merges?: boolean } = {},
): PullRequest {
  const patches = `pull-requests/${repository.replace('/', '-')}-${number}`;
  return { repository, number, from, base, merges, patches };
}
