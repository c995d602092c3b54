import type { Change } from '../repositories/file-set.ts';

/** One commit of a history. */
export interface Commit extends Change {
  readonly subject: string;
  readonly tag?: string;
}

/** The history of one repository; its newest commit on main is `folder` as it lies here. */
export type History =
  | {
      readonly name: string;
      readonly folder: string;
      readonly forkOf?: undefined;
      /** main, oldest first; each says what it changed. */
      readonly commits: readonly Commit[];
      /** Branches that left main at a tag, with a commit of their own. */
      readonly branches?: readonly {
        readonly branch: string;
        readonly from: string;
        readonly commit: Commit;
      }[];
    }
  | { readonly name: string; readonly forkOf: string };

/** Every repository of the demo, in the order in which they are made: the productization repository names commits of the others. */
export const histories: readonly History[] = [
  {
    name: 'tektoncd/pipeline',
    folder: 'upstream/pipeline',
    commits: [
      { subject: 'Start Tekton Pipelines', tag: 'v0.67.0' },
      {
        subject: 'Tell which commit a program was built from',
        tag: 'v0.68.0',
        adds: ['pkg/revision/revision_test.go'],
      },
      { subject: 'Deploy settings as a list', adds: ['config/config-list.yaml'] },
      {
        subject: 'Test the greeting of the controller',
        tag: 'v0.69.0',
        adds: ['cmd/controller/greeting_test.go'],
      },
      { subject: 'Test admission', adds: ['cmd/webhook/main_test.go'] },
      // The product pins the commit before this one.
      {
        subject: 'Say what cannot be resolved',
        edits: {
          'cmd/resolvers/main.go': [['"unknown resolver"', '"no resolver "+resolver']],
          'config/config-defaults.yaml': [
            ['default-timeout-minutes: "30"', 'default-timeout-minutes: "60"'],
          ],
        },
      },
    ],
    branches: [
      {
        branch: 'release-v0.68.x',
        from: 'v0.68.0',
        commit: {
          subject: 'Greet with the name of the release',
          tag: 'v0.68.1',
          edits: {
            'cmd/controller/greeting.go': [
              ['Hello from the controller of', 'Hello from the 0.68 controller of'],
            ],
          },
        },
      },
    ],
  },
  { name: 'vdemeester/tektoncd-pipeline', forkOf: 'tektoncd/pipeline' },
  {
    name: 'tektoncd/triggers',
    folder: 'upstream/triggers',
    commits: [
      { subject: 'Start Tekton Triggers', tag: 'v0.29.0' },
      { subject: 'Test the sink', tag: 'v0.30.0', adds: ['cmd/eventlistenersink/main_test.go'] },
      {
        subject: 'Say that triggers are ready',
        tag: 'v0.31.0',
        edits: { 'cmd/controller/main.go': [['"Triggers."', '"Triggers are ready."']] },
      },
      { subject: 'Keep a place for debugging', adds: ['config/development/debug.yaml'] },
    ],
    branches: [
      {
        branch: 'release-v0.30.x',
        from: 'v0.30.0',
        commit: {
          subject: 'Release 0.30',
          tag: 'v0.30.1',
          edits: { 'README.md': [['(demo)', '(demo, 0.30)']] },
        },
      },
    ],
  },
  {
    name: 'openshift-pipelines/pipelines-as-code',
    folder: 'upstream/pipelines-as-code',
    commits: [
      { subject: 'Start Pipelines as Code', tag: 'v0.40.0' },
      {
        subject: 'Test how events are met',
        tag: 'v0.41.0',
        adds: ['cmd/pipelines-as-code-controller/react_test.go'],
      },
      {
        subject: 'Say how to make a release',
        edits: {
          'README.md': [['It has a release script.', '`hack/release.sh` prints its release.']],
        },
      },
    ],
    branches: [
      {
        branch: 'release-v0.40.x',
        from: 'v0.40.0',
        commit: {
          subject: 'Release 0.40',
          tag: 'v0.40.1',
          edits: { 'README.md': [['(demo)', '(demo, 0.40)']] },
        },
      },
    ],
  },
  {
    name: 'tektoncd/operator',
    folder: 'upstream/operator',
    commits: [
      { subject: 'Start the Tekton Operator', tag: 'v0.78.0' },
      {
        subject: 'Install add-ons',
        tag: 'v0.79.0',
        adds: ['cmd/openshift/operator/kodata/tekton-addon'],
      },
      {
        subject: 'Ship Pipelines 0.69, Triggers 0.31 and Pipelines as Code 0.41',
        tag: 'v0.80.0',
        moves: [
          [
            'cmd/openshift/operator/kodata/tekton-pipeline/0.68.0',
            'cmd/openshift/operator/kodata/tekton-pipeline/0.69.0',
          ],
          [
            'cmd/openshift/operator/kodata/tekton-trigger/0.30.0',
            'cmd/openshift/operator/kodata/tekton-trigger/0.31.0',
          ],
          [
            'cmd/openshift/operator/kodata/pipelines-as-code/0.40.0',
            'cmd/openshift/operator/kodata/pipelines-as-code/0.41.0',
          ],
        ],
        edits: {
          VERSION: [['1.6.0', '1.7.0']],
          'hack/bundle.sh': [
            ['latest,pipelines-1.6', 'latest,pipelines-1.7'],
            ['PREVIOUS_VERSION:-1.5.0', 'PREVIOUS_VERSION:-1.6.0'],
          ],
          'components.yaml': [
            ['0.68.0', '0.69.0'],
            ['0.30.0', '0.31.0'],
            ['0.40.0', '0.41.0'],
          ],
          'cmd/openshift/operator/kodata/tekton-pipeline/0.69.0/00-pipelines.yaml': [
            ['v0.68.0', 'v0.69.0'],
          ],
          'cmd/openshift/operator/kodata/tekton-trigger/0.31.0/00-triggers.yaml': [
            ['v0.30.0', 'v0.31.0'],
          ],
          'cmd/openshift/operator/kodata/pipelines-as-code/0.41.0/release.yaml': [
            ['v0.40.0', 'v0.41.0'],
          ],
        },
      },
      {
        subject: 'Say where the bundle comes from',
        edits: {
          'README.md': [['the OLM bundle |', 'the OLM bundle, generated into `bundle/` |']],
        },
      },
    ],
    branches: [
      {
        branch: 'release-v0.79.x',
        from: 'v0.79.0',
        commit: {
          subject: 'Release 0.79',
          tag: 'v0.79.1',
          edits: { 'README.md': [['(demo)', '(demo, 0.79)']] },
        },
      },
    ],
  },
  { name: 'vdemeester/tektoncd-operator', forkOf: 'tektoncd/operator' },
  {
    name: 'openshift-pipelines/productization',
    folder: 'productization',
    commits: [
      { subject: 'Productize OpenShift Pipelines', tag: '1.6.0' },
      {
        subject: 'Begin 1.7',
        tag: '1.7.0',
        edits: {
          'distgit/containers/openshift-pipelines-operator-bundle/manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml':
            [
              ['1.6.0', '1.7.0'],
              [
                'replaces: openshift-pipelines-operator-rh.v1.5.0',
                'replaces: openshift-pipelines-operator-rh.v1.6.0',
              ],
            ],
          'distgit/containers/openshift-pipelines-operator-bundle/metadata/annotations.yaml': [
            ['latest,pipelines-1.6', 'latest,pipelines-1.7'],
          ],
          'distgit/containers/openshift-pipelines-operator-bundle/Dockerfile': [
            ['latest,pipelines-1.6', 'latest,pipelines-1.7'],
          ],
        },
      },
      {
        subject: 'Say how the pins move',
        edits: {
          'upstream_sources.yaml': [
            [
              '# `make sources` fetches it.',
              '# `make sources/upgrade` moves the commits to the heads of their branches.',
            ],
          ],
        },
      },
    ],
    branches: [
      {
        branch: 'pipelines-1.6',
        from: '1.6.0',
        commit: {
          subject: 'Track the release branches of upstream',
          edits: {
            'upstream_sources.yaml': [
              [
                "branch: main\n    commit: '<tektoncd/pipeline main~1>",
                "branch: release-v0.68.x\n    commit: '<tektoncd/pipeline release-v0.68.x>",
              ],
              [
                "branch: main\n    commit: '<tektoncd/triggers main>",
                "branch: release-v0.30.x\n    commit: '<tektoncd/triggers release-v0.30.x>",
              ],
              [
                'branch: main\n    commit: "<openshift-pipelines/pipelines-as-code main>',
                'branch: release-v0.40.x\n    commit: "<openshift-pipelines/pipelines-as-code release-v0.40.x>',
              ],
              [
                "branch: main\n    commit: '<tektoncd/operator main>",
                "branch: release-v0.79.x\n    commit: '<tektoncd/operator release-v0.79.x>",
              ],
            ],
            'distgit/containers/openshift-pipelines-operator-bundle/metadata/annotations.yaml': [
              ['latest,pipelines-1.6', 'pipelines-1.6'],
              ['default.v1: latest', 'default.v1: pipelines-1.6'],
            ],
            'distgit/containers/openshift-pipelines-operator-bundle/Dockerfile': [
              ['latest,pipelines-1.6', 'pipelines-1.6'],
              ['default.v1=latest', 'default.v1=pipelines-1.6'],
            ],
          },
        },
      },
    ],
  },
];

/** Repositories that have moved: newer home → the name they had, with the same content. */
export const mirrored: Readonly<Record<string, string>> = {
  'tektoncd/pipelines-as-code': 'openshift-pipelines/pipelines-as-code',
};
