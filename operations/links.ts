/**
 * The page of a workflow in the Temporal Web UI; null if no Web UI is known. The address of the Web UI may have a path.
 *
 * @example workflowLink('https://temporal.example.org/ui', 'default', 'poll:plant:solis-canal:latest')
 */
export function workflowLink(
  webUiUrl: string | null,
  namespace: string,
  workflowId: string,
): string | null {
  if (webUiUrl === null) return null;
  const path = `namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}`;
  return `${webUiUrl.replace(/\/+$/, '')}/${path}`;
}
