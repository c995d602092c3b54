import { engineContract } from '../../src/engine/engine.contract.ts';
import { testCluster } from '../support/cluster.ts';
import { makeTektonRig } from '../support/tekton-rig.ts';

engineContract('tekton', () => makeTektonRig(testCluster()), {
  timeout: 240_000,
  atOnce: true,
});
