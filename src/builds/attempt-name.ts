/** The name of an attempt's run: that of the first attempt, with `-r2`, `-r3`, … for later ones. */
export function attemptName(pipelinerun: string, attempt: number): string {
  return attempt === 1 ? pipelinerun : `${pipelinerun}-r${attempt}`;
}
