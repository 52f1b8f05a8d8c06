import { homedir } from 'node:os';
import { join } from 'node:path';

/** The environment variables that say where programs are on this machine, and where they come from. */
export interface PlacesEnvironment {
  PATH?: string | undefined;
  XDG_CACHE_HOME?: string | undefined;
  HOME?: string | undefined;
  /** `off`, or the URL of a folder with archives of the Temporal CLI instead of the official one. */
  TEMPORAL_DOWNLOAD?: string | undefined;
}

/** Heliograph's folder in the user's cache, for downloads and builds that may be deleted. */
export function cacheFolder(env: PlacesEnvironment): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'heliograph');
}
