import { quote } from './quote.ts';

const deepest = 100;

/**
 * What is wrong with a text that JSON.parse takes, which would keep the last of two values of one key, parts of characters, and
 * levels enough to exhaust the stack of whoever walks over them.
 */
export function jsonProblem(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/gs)) {
    const problem =
      text === undefined
        ? bracketProblem(token, open)
        : stringProblem(JSON.parse(text), colon === undefined ? undefined : open.at(-1));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** `open`: for each bracket that is open, the keys until now, where it is one of an object. */
function bracketProblem(token: string, open: (Set<string> | undefined)[]): string | undefined {
  if (token === '}' || token === ']') open.pop();
  else open.push(token === '{' ? new Set() : undefined);
  return open.length > deepest ? `is nested more than ${deepest} levels deep` : undefined;
}

/** `keys`: those of its object before it, where it is one. */
function stringProblem(text: string, keys: Set<string> | undefined): string | undefined {
  if (!text.isWellFormed()) return `holds half a character: ${quote(text, 30)}`;
  if (keys?.has(text)) return `has the key ${quote(text)} twice in one object`;
  keys?.add(text);
  return undefined;
}
