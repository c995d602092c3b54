import { type Document, LineCounter, parseAllDocuments, Scalar, visit } from 'yaml';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { nearest } from '../request/nearest.ts';

/** Go import path → the image reference that replaces `ko://PATH`. */
export type Images = Readonly<Record<string, string>>;

/**
 * The text with every string scalar that starts with `ko://` (the whole of it, trimmed) replaced by its
 * image, as `ko resolve` does: values, list items and keys, in any quoting. Look-alikes such as
 * `--flag=ko://…`, and comments, stay. Everything else stays byte for byte, for only those scalars are
 * cut out and replaced. `file` names the text in failures.
 */
export function substituteReferences(file: string, text: string, images: Images): Outcome<string> {
  if (text.length > maximalLength) return failed(unreadable(file, 'it is larger than 16 MiB'));
  if (/^%TAG\b/m.test(text)) return failed(unreadable(file, 'it has a %TAG directive'));
  const lines = new LineCounter();
  const documents = parse(file, text, lines);
  if (!documents.ok) return documents;

  const failures: Failure[] = [];
  let result = '';
  let done = 0;
  for (const scalar of documents.value.flatMap(references)) {
    const [start, end] = scalar.range;
    const path = scalar.value.trim().slice(scheme.length);
    const image = Object.hasOwn(images, path) ? images[path] : undefined;
    if (image === undefined) {
      failures.push(unresolved(file, lines.linePos(start).line, path, Object.keys(images)));
    } else {
      result += text.slice(done, start) + inStyleOf(scalar, image);
      done = end;
    }
  }
  const [first, ...rest] = failures;
  return first === undefined ? ok(result + text.slice(done)) : failed(first, ...rest);
}

const scheme = 'ko://';
const maximalLength = 16 * 1024 * 1024;

type Located = Scalar<string> & { range: [number, number, number] };

function parse(file: string, text: string, lines: LineCounter): Outcome<Document[]> {
  try {
    // Every scalar a string, nothing expanded: what a value means is not our business here.
    const documents = parseAllDocuments(text, {
      schema: 'failsafe',
      uniqueKeys: false,
      strict: false,
      lineCounter: lines,
      logLevel: 'silent',
    });
    const errors = documents.flatMap((document) => document.errors);
    const [first] = errors;
    if (first !== undefined) {
      // The message goes on with an excerpt: its first line is enough beside file and line.
      const problem = first.message.split('\n')[0] ?? '';
      return failed(unreadable(file, `it is not YAML: ${problem.replace(/:$/, '')}`));
    }
    return ok(documents as Document[]);
  } catch (error) {
    // The parser is recursive: a text of a hundred thousand brackets exhausts the stack.
    if (error instanceof RangeError) return failed(unreadable(file, 'it is nested too deeply'));
    throw error;
  }
}

/** The reference scalars of a document, in the order of the text. */
function references(document: Document): Located[] {
  const found: Located[] = [];
  visit(document, {
    Scalar(_, node) {
      if (isReference(node)) found.push(node);
    },
  });
  return found.sort((a, b) => a.range[0] - b.range[0]);
}

function isReference(node: Scalar): node is Located {
  return (
    typeof node.value === 'string' &&
    node.value.startsWith(scheme) &&
    (node.tag === undefined || node.tag === '!' || node.tag === 'tag:yaml.org,2002:str') &&
    Array.isArray(node.range)
  );
}

function inStyleOf(scalar: Scalar, image: string): string {
  // Such a text means itself unquoted, also between the brackets of a flow collection.
  if (!/^[A-Za-z0-9][-A-Za-z0-9._:/@]*$/.test(image) || image.endsWith(':')) {
    throw new Error(`not an image reference: ${image}`);
  }
  if (scalar.type === Scalar.QUOTE_SINGLE) return `'${image}'`;
  if (scalar.type === Scalar.QUOTE_DOUBLE) return `"${image}"`;
  const isBlock = scalar.type === Scalar.BLOCK_LITERAL || scalar.type === Scalar.BLOCK_FOLDED;
  return isBlock ? `${image}\n` : image;
}

function unresolved(file: string, line: number, path: string, known: readonly string[]): Failure {
  const near = nearest(path, known);
  return {
    reason: 'unresolved-image-reference',
    detail: `${file}:${line}: no image of the product is ko://${path}.`,
    hint:
      near.length > 0
        ? `Did the ref mean ${near.map((one) => `ko://${one}`).join(' or ')}? A new program needs an image with \`go: ${path}\` in product.yaml.`
        : `A new program needs an image with \`go: ${path}\` in product.yaml.`,
    about: { file, line, reference: `ko://${path}`, nearest: near },
  };
}

function unreadable(file: string, why: string): Failure {
  return {
    reason: 'bad-payload',
    detail: `${file} cannot be rendered: ${why}.`,
    hint: 'Mend the file in the ref; `ko resolve` refuses it too.',
    about: { file },
  };
}
