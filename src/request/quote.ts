/** Text of a stranger, safe to show on a terminal or page: short, in quotes, invisible characters as `\u{…}`. */
export function quote(text: string, limit = 100): string {
  const shown = [...text.toWellFormed()];
  const cut = shown.length > limit ? `${shown.slice(0, limit).join('')}…` : shown.join('');
  return `"${visible(cut.replace(/["\\]/g, '\\$&'))}"`;
}

/** The text with invisible characters as `\u{…}`. */
export function visible(text: string): string {
  return text.replace(invisible, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/**
 * Characters that a reader does not see or that turn the text around: controls, line and paragraph
 * separators, bidirectional marks, zero-width and other format characters, unassigned ones, and
 * fillers that render as nothing.
 */
export const invisible = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
