import { demoBuild } from './demo-build.ts';
import { openLocalRig } from './scripted-engine.ts';

/** A service in miniature: runs a build whose second step waits, and says when that step runs. */
const [folder = ''] = process.argv.slice(2);
const rig = await openLocalRig(folder);
const build = demoBuild();
await rig.script(build.lock.name, [
  { id: 'image/controller' },
  { id: 'bundle', needs: ['image/controller'], does: 'wait' },
]);
await rig.engine.submit(build);
for await (const event of rig.engine.events(build.tag, undefined, new AbortController().signal)) {
  if (event.kind === 'step-started' && event.step === 'bundle') process.stdout.write('running\n');
}
