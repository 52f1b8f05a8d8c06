import { homedir } from 'node:os';
import { join } from 'node:path';

/** Of the environment, what says where things are on this machine. */
export interface PlacesEnvironment {
  PATH?: string | undefined;
  XDG_CACHE_HOME?: string | undefined;
  HOME?: string | undefined;
}

/** Heliograph's folder in the user's cache: for what is got once and may be thrown away. */
export function cacheFolder(env: PlacesEnvironment): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'heliograph');
}
