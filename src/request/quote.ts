/** Text of a stranger, safe to show on a terminal or page: short, in quotes, invisible characters as `\u{…}`. */
export function quote(text: string, limit = 100): string {
  const shown = [...text.toWellFormed()];
  const cut = shown.length > limit ? `${shown.slice(0, limit).join('')}…` : shown.join('');
  return `"${cut.replace(/["\\]/g, '\\$&').replace(invisible, escaped)}"`;
}

/**
 * Characters that a reader does not see or that turn the text around: controls, line and paragraph
 * separators, bidirectional marks, zero-width and other format characters, unassigned ones, and
 * fillers that render as nothing.
 */
export const invisible =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u{115f}\u{1160}\u{3164}\u{ffa0}\u{034f}\u{fe00}-\u{fe0f}]/gu;

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
