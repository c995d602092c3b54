import type { CommitSha, ComponentName } from './names.ts';

/** What a Dockerfile of the distgit layout can ask about a component. */
export interface ArgumentSource {
  readonly url: string;
  readonly commit: CommitSha;
  readonly version: string;
}

/**
 * The build arguments of an image: where its sources lie in the context, what product.yaml gives, and of
 * `CI_<COMPONENT>_UPSTREAM_{COMMIT,URL,VERSION}` only what the Dockerfile declares, so that a new commit
 * with the same tree is the same image where nobody looks at the commit.
 */
export function buildArgs(
  given: Readonly<Record<string, string>>,
  sources: Readonly<Record<ComponentName, ArgumentSource>>,
  declared: ReadonlySet<string>,
): Record<string, string> {
  const names = Object.keys(sources) as ComponentName[];
  const known = names.flatMap((name) => argumentsOf(name, sources[name] as ArgumentSource));
  const wanted = known.filter(([name]) => declared.has(name));
  return Object.fromEntries(
    [...placeArguments(names.length), ...wanted, ...Object.entries(given)].sort(([a], [b]) =>
      a < b ? -1 : Number(a > b),
    ),
  );
}

function placeArguments(components: number): [string, string][] {
  return components === 1
    ? [
        ['REMOTE_SOURCE', 'remote-source'],
        ['REMOTE_SOURCE_DIR', '/remote-source'],
      ]
    : [
        ['REMOTE_SOURCES', 'remote-sources'],
        ['REMOTE_SOURCES_DIR', '/remote-sources'],
      ];
}

function argumentsOf(name: ComponentName, source: ArgumentSource): [string, string][] {
  const repo = name.slice(name.indexOf('/') + 1);
  const prefix = `CI_${repo.toUpperCase().replaceAll('-', '_')}_UPSTREAM`;
  return [
    [`${prefix}_COMMIT`, source.commit],
    [`${prefix}_URL`, source.url],
    [`${prefix}_VERSION`, source.version],
  ];
}
