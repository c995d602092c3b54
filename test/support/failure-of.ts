import { type Failure, FailureError } from '../../src/builds/failure.ts';

/** The first failure that some work ends with; what is none is thrown, and so is that there is none. */
export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof FailureError) return error.failures[0];
    throw error;
  }
  throw new Error('no failure');
}
