import { createPollingPanel } from './plants/pages/polling-panel.ts';
import type { SystemPanel } from './system/page.ts';

/** What each context shows on the System page, below the checks of the diagnosis. */
export function createSystemPanels(): SystemPanel[] {
  return [createPollingPanel()];
}
