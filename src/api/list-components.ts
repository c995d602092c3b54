import type { Configuration } from '../config/config.ts';
import type { ComponentName } from '../plan/names.ts';
import type { Product } from '../product/product.ts';
import type { Components } from './answers.ts';

/** What can be asked for: components, releases, remotes, notify targets. No secret, no machine path. */
export function listComponents(product: Product, configuration: Configuration): Components {
  return {
    product: product.product,
    releases: Object.entries(product.releases).map(([name, release]) => ({
      name,
      branch: release.branch,
      version: release.version,
      default: release.default,
    })),
    components: Object.entries(product.components).map(([name, component]) => ({
      name,
      ...(component.repository === undefined ? {} : { repository: component.repository }),
      aliases: component.aliases,
      images: imagesOf(name as ComponentName, product),
      payload: component.payload !== undefined,
      tracks: component.tracks,
    })),
    remotes: Object.entries(configuration.remotes).map(([name, remote]) => ({
      name,
      push: remote.push,
      default: remote.default,
    })),
    notify: Object.keys(configuration.notify),
  };
}

function imagesOf(component: ComponentName, product: Product): string[] {
  return Object.entries(product.images)
    .filter(([, image]) => image.of.includes(component))
    .map(([name]) => name);
}
