import { type Document, Scalar, visit } from 'yaml';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { parseDocuments } from '../plan/yaml-documents.ts';
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
  if (/^%TAG\b/m.test(text)) return failed(unreadable(file, 'it has a %TAG directive'));
  // Every scalar a string, nothing expanded: what a value means is not our business here.
  const parsed = parseDocuments(text, {
    ...{ schema: 'failsafe', strict: false, duplicates: 'left alone', longest: 16 * 2 ** 20 },
  });
  if (!parsed.ok) {
    const [{ line, text: why }] = parsed.failures;
    return failed(unreadable(`${file}:${line}`, why));
  }
  const { documents, lines } = parsed.value;

  const failures: Failure[] = [];
  let result = '';
  let done = 0;
  for (const scalar of documents.flatMap(references)) {
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

type Located = Scalar<string> & { range: [number, number, number] };

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
