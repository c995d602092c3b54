import type { Diagnosis } from '../api/answers.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { Product } from '../product/product.ts';

/** One thing that was looked at. */
export type Check = Diagnosis['checks'][number];

/** What `tributary doctor` looks at. Whatever throws FailureError is a check that failed. */
export interface Examination {
  configuration(): Promise<LoadedConfiguration>;
  /** The product file and what is in it; undefined where none is named. */
  product(
    configuration: LoadedConfiguration | undefined,
  ): Promise<{ readonly file: string; readonly product: Product } | undefined>;
  /** Programs, kernel, disk. */
  machine(configuration: LoadedConfiguration | undefined): Promise<readonly Check[]>;
  state(configuration: LoadedConfiguration): Promise<readonly Check[]>;
  registries(configuration: LoadedConfiguration): Promise<readonly Check[]>;
}
