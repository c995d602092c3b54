import { numberedUnits, type Units } from '../plan/plan-units.ts';
import { taskResults } from './task-input.ts';

/** What `prepare` tells Tekton, as the text of each result: where the plan is, and which tasks follow. */
export function prepareResults(plan: string, units: Units): Readonly<Record<string, string>> {
  const images = numberedUnits(units);
  return {
    [taskResults.plan]: plan,
    // Tekton takes an array without elements for none at all.
    [taskResults.units]: JSON.stringify(images.length > 0 ? images : ['none']),
    [taskResults.images]: images.length > 0 ? 'yes' : 'no',
    [taskResults.payload]: 'payload' in units ? 'yes' : 'no',
    [taskResults.manifests]: 'manifests' in units ? 'yes' : 'no',
  };
}
