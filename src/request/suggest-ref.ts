import { invisible } from './quote.ts';

/**
 * What to write instead of a text that is no ref: the first small repair of it that can be read.
 * `canonical` gives the canonical text of a ref, or undefined where it is none.
 */
export function suggestRef(
  text: string,
  component: string | undefined,
  canonical: (text: string) => string | undefined,
): string {
  const repaired = repairs(text.slice(0, 1000), component)
    .map(canonical)
    .find((candidate) => candidate !== undefined);
  if (repaired !== undefined) return `Did you mean ${repaired}?`;
  const name = component ?? 'tektoncd/pipeline';
  return `Write a pull request (${name}#4638), a branch (${name}#main), a commit (${name}@COMMIT) or the URL of one.`;
}

function repairs(text: string, component: string | undefined): string[] {
  const clean = text.replace(invisible, '').trim();
  const bare = clean.replace(/^-+/, '').replaceAll('\\', '/');
  const atComponent = component === undefined ? [] : [`${component}#${bare.replace(/^[#@!]/, '')}`];
  return [
    clean,
    bare,
    bare.replace(/^([^\s#@]+\/[^\s#@]+)\s+(\S+)$/, '$1#$2'),
    bare.replace(/\s+/g, '-'),
    bare.replace(/\s+/g, ''),
    bare.replace(/[/.]+$/, ''),
    bare.replace(/^([^/:#@]+\/[^/:#@]+)[:!]/, '$1#'),
    bare.replace(/(\.\.|@\{|[~^:?*[]).*$/, ''),
    bare.replace(/#0+(\d+)$/, '#$1'),
    ...(/^[\w.-]+\/[\w.-]+\/\w/.test(bare) ? [`https://github.com/${bare}`] : []),
    ...(/^([#@!]|\d+$)/.test(bare) ? atComponent : []),
  ].filter((candidate) => candidate !== text);
}
