/** The paths of the pages about gateways. */
export const gatewaysPath = '/gateways';
export const testAddressPath = `${gatewaysPath}/test`;

/** The page of one gateway. */
export function gatewayPath(id: string): string {
  return `${gatewaysPath}/${encodeURIComponent(id)}`;
}
