import type { PlanAnswer } from '../../api/answers.ts';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';

/** A plan for people: how refs were read, patches, each step with hit or miss. */
export function renderPlan(plan: PlanAnswer, style: Style): string {
  const readings = Object.entries(plan.components).map(
    ([component, { ref, as, commit, why }]) =>
      `  ${component}: ${ref} is ${commit.slice(0, 12)}, ${as}. ${why}\n`,
  );
  const patches = plan.patches.map(({ component, patch, outcome }) => [
    `  ${component}`,
    patch,
    outcome,
  ]);
  const steps = plan.steps.map(({ id, key, hit }) => [
    `  ${id}`,
    hit === null
      ? 'follows from what is made before'
      : hit
        ? style.green('reuse')
        : style.yellow('build'),
    key?.slice(0, 12) ?? '',
  ]);
  const count = (wanted: boolean | null) => plan.steps.filter(({ hit }) => hit === wanted).length;
  return [
    `${style.bold(plan.tag)}  release ${plan.release}, operator ${plan.operatorVersion}\n`,
    ...(readings.length > 0 ? ['Refs\n', ...readings] : []),
    ...(patches.length > 0 ? [`Patches\n${renderTable(patches)}`] : []),
    `Steps\n${renderTable(steps)}`,
    `${count(true)} to reuse, ${count(false)} to build, ${count(null)} that follow from them.\n`,
  ].join('');
}
