// Grafana's own transformations, under the names a dashboard calls them by.
import {
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
  type DataFrame,
  type DataTransformerConfig,
  type DataTransformerInfo,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

const KNOWN = [...new Set<DataTransformerInfo>(Object.values(standardTransformers))];

export function registerTransformations() {
  standardTransformersRegistry.setInit(() =>
    KNOWN.map((transformation) => ({
      id: transformation.id,
      name: transformation.name,
      transformation,
      editor: () => null,
    }))
  );
}

export async function transform(
  frames: DataFrame[],
  configs: DataTransformerConfig[],
  replace: (text: string) => string
): Promise<DataFrame[]> {
  const unknown = configs.filter((config) => !KNOWN.some(({ id }) => id === config.id));
  if (unknown.length) {
    throw new Error(`no such transformation: ${unknown.map((config) => config.id).join(', ')}`);
  }
  return lastValueFrom(transformDataFrame(configs, frames, { interpolate: (text: string) => replace(text) }));
}
