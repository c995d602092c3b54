/** What stands in the place of a secret. */
const mark = '***';

/**
 * What an outside program said, without secrets: without these values, as they are, in base64 and percent-encoded, and
 * without user name and password of any URL. A server that is asked can say anything, also what it was sent.
 */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  // Very short ones would take out half of the text, and are known to whoever guesses.
  const values = secrets.filter((secret) => secret.length > 3).flatMap(formsOf);
  const longestFirst = [...new Set(values)].sort((a, b) => b.length - a.length);
  return (
    longestFirst
      .reduce((rest, value) => rest.replaceAll(value, mark), text)
      // Looked for from `://` on: what comes before may be a megabyte that looks like the name of a scheme.
      .replaceAll(/(?<=:\/\/)[^\s/@"'`<>]*@/g, `${mark}@`)
  );
}

function formsOf(secret: string): string[] {
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')];
}
