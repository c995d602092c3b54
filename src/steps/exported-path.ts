/** Path of the repository that serves a component's commit, below the folder of the build and the service's URL. */
export function exportedPath(component: string): string {
  return `${component}.git`;
}
