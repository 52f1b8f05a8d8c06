/**
 * Where the Temporal Web UI shows a workflow; null where no Web UI is known. A path of the Web UI's own address stays.
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
