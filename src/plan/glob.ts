/**
 * Whether a path matches a glob: `*` and `?` stay within a segment, `**` does not, `[abc]` is one of
 * these letters, `{a,b}` one of these texts. A dot at the beginning is nothing special.
 */
export function matchesGlob(path: string, glob: string): boolean {
  return alternatives(glob).some((one) => new RegExp(`^${asPattern(one)}$`).test(path));
}

/** `a{b,c}d` → `abd`, `acd`; no more than a hundred, so that a file cannot make it a bomb. */
function alternatives(glob: string): string[] {
  const done: string[] = [];
  const pending = [glob];
  while (pending.length > 0 && done.length + pending.length <= 100) {
    const next = pending.shift() as string;
    const [whole, inner] = /\{([^{}]*)\}/.exec(next) ?? [];
    if (whole === undefined || inner === undefined) done.push(next);
    else pending.push(...inner.split(',').map((one) => next.replace(whole, () => one)));
  }
  return done;
}

function asPattern(glob: string): string {
  return glob.replaceAll(/\*\*\/|\*\*|\*|\?|\[!?[^\][]+\]|[^*?[]|\[/g, (token) => {
    if (token === '**/') return '(?:[^/]+/)*';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    if (token === '?') return '[^/]';
    if (token.length > 1 && token.startsWith('[')) {
      return token.replaceAll('\\', '\\\\').replace(/^\[!/, '[^/');
    }
    return token.replace(/[.+^$()|[\]{}\\/]/, '\\$&');
  });
}
