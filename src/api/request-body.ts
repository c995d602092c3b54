import { z } from 'zod';

/**
 * The body of a request, for OpenAPI. src/request/ parses it: its problems are told in the words of
 * people, and every spelling of a ref is known there.
 */

const ref = z.union([
  z.string(),
  z.object({
    ref: z.string(),
    as: z.enum(['auto', 'merge', 'pick', 'head']).optional(),
    base: z.string().optional().describe("The pull request's base branch, where it is not found by itself."),
  }),
]).describe('A pull request, branch, tag or commit: `tektoncd/pipeline#4638`, `owner/repo@sha`, a URL …').meta({ id: 'Ref' });

export const RequestBody = z
  .object({
    name: z.string().max(50).describe('DNS-1123 label.'),
    components: z.record(z.string(), ref).describe('Component → ref; at most 20.'),
    release: z.string().optional().describe('A release of the product; default: its default release.'),
    product: ref.optional().describe('A change of the productization repository.'),
    patches: z
      .record(z.string(), z.union([z.literal('none'), z.object({ skip: z.array(z.string()) })]))
      .optional()
      .describe('Component → downstream patches to leave out.'),
    remote: z.string().optional().describe('Name of a configured remote.'),
    notify: z.array(z.string()).optional().describe('Names of configured notify targets.'),
    rebuild: z.boolean().optional().describe('Use nothing that was built before, but compare.'),
  })
  .meta({
    id: 'Request',
    examples: [
      { name: 'test-my-thing', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' } },
      {
        name: 'test-my-thing',
        components: {
          'tektoncd/pipeline': 'tektoncd/pipeline#4638',
          'tektoncd/operator': 'vdemeester/tektoncd-operator@shiny',
          'openshift-pipelines/pipelines-as-code': 'https://github.com/openshift-pipelines/pipelines-as-code/pull/25',
        },
      },
    ],
  });

export const RerunBody = z
  .strictObject({ rebuild: z.boolean().optional() })
  .optional()
  .meta({ id: 'Rerun' });
