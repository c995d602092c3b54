import { demoBuild } from '../../test/support/demo-build.ts';
import type { Build, NewBuild } from '../builds/build.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { Tag } from '../plan/names.ts';
import type { Engine } from './engine.ts';

/**
 * What a scripted step does. `wait` runs until {@link EngineRig.release} or until it is ended; `hang-once` runs until it is ended, and
 * finishes when it is begun again; `hang` never does.
 */
export type Behavior =
  | 'finish'
  | 'reuse'
  | 'fail'
  | 'fail-infrastructure'
  | 'crash'
  | 'wait'
  | 'hang-once'
  | 'hang';

export interface ScriptedStep {
  readonly id: string;
  readonly needs?: readonly string[];
  readonly group?: string;
  readonly weight?: number;
  readonly does?: Behavior;
  /** Lines that it logs. */
  readonly logs?: readonly string[];
}

/** In what engines may differ. */
export interface EngineTraits {
  /** Builds wait in a queue of the engine's own: so many run at once that the third has place 1. */
  readonly queue: boolean;
  /** Whether a step may wait for any other, or only as the stages of a run let it: images for those before them in their group. */
  readonly needs: 'any' | 'stages';
  /** How long cancelling may take. */
  readonly cancelMilliseconds: number;
  /** How many random plans are tried. */
  readonly plans: number;
}

/** An engine whose steps do as they are told. */
export interface EngineRig {
  readonly engine: Engine;
  readonly traits: EngineTraits;
  /** Steps of builds of this name, from their next attempt on; the report comes by itself. */
  script(name: string, steps: readonly ScriptedStep[], prepare?: Behavior): Promise<void>;
  /** Lets waiting steps of builds of this name finish. */
  release(name: string): Promise<void>;
  /** How often a step of builds of this name was started. */
  starts(name: string, step: string): Promise<number>;
  /** How many processes of steps are there. */
  processes(): Promise<number>;
  close(): Promise<void>;
}

/** A signal that never comes. */
export const forever: AbortSignal = new AbortController().signal;

/** What the tests of the contract do again and again. */
export interface Actions {
  /** Submits a build that nobody else has the tag of. */
  submit(build: NewBuild): Promise<Build>;
  /** All events until the build ends. */
  events(tag: Tag): Promise<BuildEvent[]>;
  /** The build once it has ended. */
  finished(tag: Tag): Promise<Build>;
  /** Waits for an event. */
  until(tag: Tag, kind: BuildEvent['kind'], step?: string): Promise<void>;
  runToEnd(steps: readonly ScriptedStep[], build?: NewBuild, prepare?: Behavior): Promise<Build>;
}

/** The actions on the rig of the test that runs. */
export function actionsOn(current: () => EngineRig): Actions {
  const actions: Actions = {
    async submit(build) {
      const submission = await current().engine.submit(build);
      if (submission.kind === 'taken') throw new Error(`${build.tag} is taken`);
      return submission.build;
    },
    async events(tag) {
      const all: BuildEvent[] = [];
      for await (const event of current().engine.events(tag, forever)) all.push(event);
      return all;
    },
    async finished(tag) {
      await actions.events(tag);
      const build = await current().engine.get(tag);
      if (build === undefined) throw new Error(`no ${tag}`);
      return build;
    },
    async until(tag, kind, step) {
      for await (const event of current().engine.events(tag, forever)) {
        if (event.kind === kind && (step === undefined || ('step' in event && event.step === step)))
          return;
      }
      throw new Error(`${tag} ended without ${kind}`);
    },
    async runToEnd(steps, build = demoBuild(), prepare = 'finish') {
      await current().script(build.lock.name, steps, prepare);
      await actions.submit(build);
      return actions.finished(build.tag);
    },
  };
  return actions;
}
