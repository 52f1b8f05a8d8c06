import { createPollingPanel } from './plants/pages/polling-panel.ts';
import { checksPanel } from './system/checks-panel.ts';
import type { SystemPanel } from './system/page.ts';

/** The list of panels that the contexts show on the System page, below the checks. */
export function createSystemPanels(): SystemPanel[] {
  return [checksPanel, createPollingPanel()];
}
