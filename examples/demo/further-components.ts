import { createHash } from 'node:crypto';
import type { FileSet } from '../repositories/file-set.ts';

/** A component whose images the product ships, and that contributes nothing to the operator's payload. */
export interface FurtherComponent {
  /** `owner/repo`. */
  readonly name: string;
  readonly tag: string;
  /** Programs; each becomes an image. */
  readonly programs: readonly string[];
}

/**
 * What a real product has more of than the small demo: components that a pull request does not touch. With them it has 22 images of ten
 * components, two thirds of what OpenShift Pipelines ships, so that a pull request changes a part of the product that is as small as a real one's.
 */
export const furtherComponents: readonly FurtherComponent[] = [
  { name: 'tektoncd/chains', tag: 'v0.25.0', programs: ['chains-controller'] },
  {
    ...{ name: 'tektoncd/results', tag: 'v0.14.0' },
    programs: ['results-api', 'results-watcher', 'results-retention-policy-agent'],
  },
  { name: 'tektoncd/hub', tag: 'v1.21.0', programs: ['hub-api', 'hub-db-migration', 'hub-ui'] },
  { name: 'tektoncd/pruner', tag: 'v0.2.0', programs: ['pruner-controller', 'pruner-webhook'] },
  { name: 'tektoncd/cli', tag: 'v0.41.0', programs: ['tkn', 'serve-tkn-cli'] },
  {
    ...{ name: 'openshift-pipelines/manual-approval-gate', tag: 'v0.6.0' },
    programs: ['manual-approval-gate-controller', 'manual-approval-gate-webhook'],
  },
];

/** The component's repository. */
export function furtherFiles({ name, programs }: FurtherComponent, server: string): FileSet {
  const files: Record<string, string> = {
    'README.md': `# ${name} (demo)\n\nStands for a component that the operator ships and that nobody changes today.\n`,
    'go.mod': `module github.com/${name}\n\ngo 1.22\n`,
    'pkg/server/server.go': server,
  };
  for (const program of programs) files[`cmd/${program}/main.go`] = main(name, program);
  return asFileSet(files);
}

/** The productization repository with the further components: their pins, Dockerfiles, make targets, and their images in the CSV. */
export function withFurtherDistgit(files: FileSet): FileSet {
  return changed(files, {
    'upstream_sources.yaml': (text) => text + furtherComponents.map(pin).join(''),
    Makefile: (text) =>
      text
        .replace(/(\noperator_IMAGES = )/, `\n${furtherComponents.map(makeImages).join('\n')}$1`)
        .replace(
          /^(COMPONENT_NAMES = .*) operator$/m,
          `$1 ${furtherComponents.map(shortName).join(' ')} operator`,
        ),
    [csv]: (text) =>
      text.replace(lastOfOthers, (pair) => pair + furtherImages.map(asPair(pair)).join('')),
    ...Object.fromEntries(
      furtherImages.map(({ program, image }) => [
        `distgit/containers/${image}/Dockerfile`,
        () => dockerfile(program, image),
      ]),
    ),
  });
}

/** The operator with the further images in the list that its bundle is generated from. */
export function withFurtherList(files: FileSet): FileSet {
  return changed(files, {
    'config/images.list': (text) =>
      text.replace(
        /^IMAGE_/m,
        `${furtherImages.map(({ variable, image }) => `${variable} ${image}\n`).join('')}IMAGE_`,
      ),
  });
}

/** product.yaml with the further components and images. */
export function withFurtherProduct(text: string): string {
  const components = furtherComponents
    .map(({ name }) => `  ${name}:\n    tracks: {nightly: main, "1.6": main}\n\n`)
    .join('');
  const images = furtherImages
    .map(
      ({ component, program, image, variable }) =>
        `  ${image}:\n    context: distgit/containers/${image}\n    of: [${component}]\n` +
        `    go: github.com/${component}/cmd/${program}\n    csv: [${variable}]\n`,
    )
    .join('');
  return text
    .replace(/^ {2}tektoncd\/operator:$/m, `${components}$&`)
    .replace(/^ {2}openshift-pipelines-operator:$/m, `${images}$&`);
}

const furtherImages = furtherComponents.flatMap(({ name, programs }) =>
  programs.map((program) => ({
    component: name,
    program,
    image: `openshift-pipelines-${program}`,
    variable: `IMAGE_${program.toUpperCase().replaceAll('-', '_')}`,
  })),
);

const csv =
  'distgit/containers/openshift-pipelines-operator-bundle/manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml';

/** Name and reference of the image after which the further ones stand, wherever the CSV names it. */
const lastOfOthers = /^ *- name: IMAGE_PAC_PAC_CONTROLLER\n.*\n/gm;

function asPair(pair: string) {
  return ({ variable, image }: (typeof furtherImages)[number]) => {
    const digest = createHash('sha256').update(image).digest('hex');
    return pair
      .replace('IMAGE_PAC_PAC_CONTROLLER', variable)
      .replace(
        /openshift-pipelines-pipelines-as-code-controller@sha256:\w+/,
        `${image}@sha256:${digest}`,
      );
  };
}

function shortName({ name }: FurtherComponent): string {
  return name.slice(name.indexOf('/') + 1);
}

function pin({ name }: FurtherComponent): string {
  return `  - url: https://github.com/${name}\n    branch: main\n    commit: '<${name} main>'\n`;
}

function makeImages(component: FurtherComponent): string {
  const images = component.programs.map((program) => `openshift-pipelines-${program}`);
  return `${shortName(component)}_IMAGES = ${images.join(' ')}`;
}

function main(name: string, program: string): string {
  return `// Command ${program} is a program of ${name}.
package main

import (
	"flag"
	"net/http"

	"github.com/${name}/pkg/server"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	flag.Parse()

	mux := http.NewServeMux()
	mux.Handle("/", server.Text(func() string { return "${program} is ready." }))
	server.Run(*listen, mux)
}
`;
}

function dockerfile(program: string, image: string): string {
  return `FROM registry.example.com/base/go-toolset:1 AS builder
ARG REMOTE_SOURCE=remote-source
ARG REMOTE_SOURCE_DIR=/remote-source
COPY $REMOTE_SOURCE $REMOTE_SOURCE_DIR
WORKDIR $REMOTE_SOURCE_DIR/app
RUN go build -ldflags='-s -w' -o /tmp/${program} ./cmd/${program}

FROM registry.example.com/base/runtime:1
COPY --from=builder /tmp/${program} /ko-app/${program}
LABEL name="openshift-pipelines/${image}"
USER 65532
ENTRYPOINT ["/ko-app/${program}"]
`;
}

/** The files with some of them changed or added; one that is changed in no way is a mistake. */
function changed(
  files: FileSet,
  changes: Readonly<Record<string, (text: string) => string>>,
): FileSet {
  const result = new Map(files);
  for (const [path, change] of Object.entries(changes)) {
    const before = result.get(path)?.content ?? '';
    const content = change(before);
    if (content === before) throw new Error(`${path} has no place for further components.`);
    result.set(path, { content, executable: false });
  }
  return new Map([...result].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function asFileSet(files: Readonly<Record<string, string>>): FileSet {
  return new Map(
    Object.entries(files)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, content]) => [path, { content, executable: false }]),
  );
}
