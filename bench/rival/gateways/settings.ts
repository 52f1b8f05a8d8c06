/** What the rivals' processes are told. */

export interface RivalGateway {
  id: string;
  host: string;
  port: number;
}

export interface RivalSettings {
  /** JSON: a list of `RivalGateway`. */
  gatewaysFile: string;
  intervalMs: number;
}

/** The environment variable that holds the settings as JSON. */
export const settingsVariable = 'BENCH_RIVAL_GATEWAYS';
