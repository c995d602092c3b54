import { makeLocalRig } from '../../../test/support/scripted-engine.ts';
import { engineContract } from '../engine.contract.ts';

engineContract('local', () => makeLocalRig());
