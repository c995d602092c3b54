import { demoBuild } from './demo-build.ts';
import { openLocalRig } from './scripted-engine.ts';

/** A service in miniature: runs a build as it was scripted, from wherever it is, to its end. */
const [folder = ''] = process.argv.slice(2);
const rig = await openLocalRig(folder);
const build = demoBuild();
await rig.engine.submit(build);
process.stdout.write('running\n');
for await (const _ of rig.engine.events(build.tag, new AbortController().signal));
await rig.close();
