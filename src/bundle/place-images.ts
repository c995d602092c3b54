import type { Failure } from '../builds/failure.ts';
import { matchesGlob } from '../plan/glob.ts';
import type { ImageName } from '../plan/names.ts';
import { describePlace, failureAt, type Locate } from '../product/place.ts';
import type { ProductImage } from '../product/product.ts';
import { didYouMean, nearest } from '../request/nearest.ts';
import { type CsvDocument, setText, textOf } from './csv-document.ts';
import { type ImagePlace, imagePlaces, isMapped, repositoryName } from './image-places.ts';

/** An image of the product, and what the CSV is to call it. */
export interface PlacedImage extends Pick<ProductImage, 'csv'> {
  /** Reference by digest, as a cluster pulls it. */
  readonly reference: string;
}
/** By the name of the image. */
export type PlacedImages = Readonly<Record<string, PlacedImage>>;

/**
 * Writes the product's images into every place of the CSV that names one and completes relatedImages;
 * returns what is wrong. An image that no rule places is known by the name of its repository, so that
 * a variable that a change adds works at once.
 */
export function placeImages(
  csv: CsvDocument,
  images: PlacedImages,
  external: readonly string[],
  locate: Locate,
): Failure[] {
  const names = Object.keys(images) as ImageName[];
  const mapped = new Set(names.flatMap((name) => images[name]?.csv.env ?? []));
  const places = imagePlaces(csv, mapped);
  const problems = names.flatMap((name) => missingPlaces(name, images, places, csv, locate));
  for (const place of places) {
    const owners = names.filter((name) => isMapped(place, images[name] as PlacedImage));
    const [owner, other] = owners;
    if (other !== undefined) problems.push(claimedTwice(place, owners, locate));
    else if (owner !== undefined) place.write?.((images[owner] as PlacedImage).reference);
    else if (!isExternal(place, external)) {
      const known = images[repositoryName(place.reference) as ImageName];
      if (known !== undefined && place.write !== undefined) place.write(known.reference);
      else problems.push(unknownImage(place, names));
    }
  }
  if (problems.length === 0) completeRelatedImages(csv, mapped);
  return problems;
}

/** Globs match the reference, or the name of its variable. */
function isExternal(place: ImagePlace, external: readonly string[]): boolean {
  return external.some((glob) => glob === place.name || matchesGlob(place.reference, glob));
}

/** What product.yaml says of an image and the CSV does not have. */
function missingPlaces(
  image: ImageName,
  images: PlacedImages,
  places: readonly ImagePlace[],
  document: CsvDocument,
  locate: Locate,
): Failure[] {
  const { csv } = images[image] as PlacedImage;
  const named = (kind: ImagePlace['kind']) => places.filter((place) => place.kind === kind);
  const inDeployment = named('container').filter(
    ({ container }) => csv.deployment === undefined || container?.deployment === csv.deployment,
  );
  if (csv.deployment !== undefined && !document.deployments().includes(csv.deployment)) {
    return [missing(image, 'deployment', csv.deployment, document.deployments(), locate)];
  }
  const wanted = [
    ...csv.env.map((name) => ['environment variable', name, named('env')] as const),
    ...csv.related.map((name) => ['relatedImages entry', name, named('related')] as const),
    ...csv.containers.map((name) => ['container', name, inDeployment] as const),
  ];
  return wanted
    .filter(([, name, there]) =>
      name === '*' ? there.length === 0 : !there.some((place) => place.name === name),
    )
    .map(([what, name, there]) =>
      missing(
        image,
        what,
        name,
        there.map((place) => place.name),
        locate,
      ),
    );
}

function missing(
  image: ImageName,
  what: string,
  name: string,
  there: readonly string[],
  locate: Locate,
): Failure {
  const near = didYouMean(name, there);
  return failureAt(locate(['images', image, 'csv']), {
    reason: 'bad-bundle',
    detail: `${image} is said to be in the CSV as ${what} ${name}, and the CSV has none of that name.`,
    hint: `${near === undefined ? '' : `${near} `}Correct \`images.${image}.csv\` in product.yaml, or add it to the CSV.`,
    about: { image, name, nearest: nearest(name, there) },
  });
}

function claimedTwice(place: ImagePlace, owners: readonly ImageName[], locate: Locate): Failure {
  const last = locate(['images', owners.at(-1) ?? '', 'csv']);
  return failureAt(last, {
    reason: 'bad-bundle',
    detail: `${owners.join(' and ')} both claim ${place.where} (${describePlace(place.place)}).`,
    hint: 'Name each place of the CSV under one image: give `csv.deployment`, or containers by name instead of `*`.',
    about: { place: place.where, images: owners },
  });
}

function unknownImage(place: ImagePlace, names: readonly ImageName[]): Failure {
  const near = didYouMean(repositoryName(place.reference), names);
  const shown = place.reference === '' ? 'no image' : place.reference;
  return failureAt(place.place, {
    reason: 'bad-bundle',
    detail: `the CSV names ${shown} (${place.where}), which is neither an image of the product nor external.`,
    hint: `${near === undefined ? '' : `${near} `}Say in product.yaml which image it is (\`images.<name>.csv\`), or that it stays as it is (\`external\`).`,
    about: { reference: place.reference, place: place.where },
  });
}

/** Brings relatedImages in line with what containers and variables name now. */
function completeRelatedImages(csv: CsvDocument, mapped: ReadonlySet<string>): void {
  const done = new Set<string>();
  const places = imagePlaces(csv, mapped).filter((place) => place.kind !== 'related');
  for (const { name, reference } of places.filter((place) => place.kind === 'env')) {
    if (reference === '' || done.has(`${name} ${reference}`)) continue;
    const entries = csv.relatedImages().filter((node) => textOf(node, 'name') === name);
    const stale = entries.find((node) => !done.has(`${name} ${textOf(node, 'image')}`));
    if (stale !== undefined) setText(stale, 'image', reference);
    else if (!isRelated(csv, reference) || entries.length === 0)
      csv.addRelatedImage(name, reference);
    done.add(`${name} ${reference}`);
  }
  for (const { kind, name, reference } of places) {
    if (isRelated(csv, reference)) continue;
    const label = kind === 'argument' ? repositoryName(reference) : name;
    csv.addRelatedImage(label.toUpperCase().replaceAll('-', '_'), reference);
  }
}

function isRelated(csv: CsvDocument, reference: string): boolean {
  return (
    reference === '' || csv.relatedImages().some((node) => textOf(node, 'image') === reference)
  );
}
