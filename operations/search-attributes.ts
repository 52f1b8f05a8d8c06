import type { Client } from '@temporalio/client';

/** `temporal.api.enums.v1.IndexedValueType`. */
const keyword = 2;

/**
 * Registers missing search attributes, by which people filter the list in the Web UI. A new one works a moment later.
 *
 * @param names attributes of the type keyword, such as `PlantBrand`.
 */
export async function ensureSearchAttributes(
  client: Client,
  names: readonly string[],
): Promise<void> {
  const { namespace } = client.options;
  const { operatorService } = client.connection;
  const known = await operatorService.listSearchAttributes({ namespace });
  const missing = names.filter((name) => known.customAttributes?.[name] === undefined);
  if (missing.length === 0) return;
  await operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
  });
}
