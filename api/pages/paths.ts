/** The path of a plant's page. */
export function plantPath(id: string): string {
  return `/plants/${encodeURIComponent(id)}`;
}
