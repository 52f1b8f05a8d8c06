import type { z } from '@hono/zod-openapi';

/** What a row must hold to be answered as a document: its members by their names, instants as text or as Date. */
type RowOf<Document> = {
  readonly [Name in keyof Document]:
    | Document[Name]
    | (string extends Document[Name] ? Date : never);
};

/**
 * Makes the document that the schema describes from a row: instants as ISO 8601. It drops columns that the schema does not
 * name.
 *
 * @example jsonOf(z.object({ id: z.int(), at: instantSchema }), { id: 1, at: new Date(0), secret: 'x' })
 * gives { id: 1, at: '1970-01-01T00:00:00.000Z' }
 */
export function jsonOf<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  row: RowOf<z.output<z.ZodObject<Shape>>>,
): z.output<z.ZodObject<Shape>> {
  const members = Object.keys(schema.shape).map((name) => {
    const value: unknown = (row as Record<string, unknown>)[name];
    return [name, value instanceof Date ? value.toISOString() : value];
  });
  return Object.fromEntries(members) as z.output<z.ZodObject<Shape>>;
}
