import type { Diagnosis } from '../api/answers.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { ReadProduct } from '../config/read-product.ts';

/** One thing that was looked at. */
export type Check = Diagnosis['checks'][number];

/** A product and the file it was read from. */
export interface FoundProduct extends ReadProduct {
  readonly file: string;
}

/** What `tributary doctor` looks at. Whatever throws FailureError is a check that failed. */
export interface Examination {
  configuration(): Promise<LoadedConfiguration>;
  /** The product file and what is in it; undefined where none is named. */
  product(configuration: LoadedConfiguration | undefined): Promise<FoundProduct | undefined>;
  /** Where a product file was named: its repository and all that it pins, for every release. */
  releases(configuration: LoadedConfiguration, product: FoundProduct): Promise<readonly Check[]>;
  /** Programs, kernel, disk. */
  machine(configuration: LoadedConfiguration | undefined): Promise<readonly Check[]>;
  state(configuration: LoadedConfiguration): Promise<readonly Check[]>;
  registries(configuration: LoadedConfiguration): Promise<readonly Check[]>;
}
