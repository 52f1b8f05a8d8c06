/** The paths of the pages about gateways. */
export const gatewaysPath = '/gateways';

/** The page of one gateway. */
export function gatewayPath(id: string): string {
  return `${gatewaysPath}/${encodeURIComponent(id)}`;
}
