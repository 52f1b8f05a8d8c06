import type { GatewayDraft } from './gateway.ts';

/** FILE.json: the form in which gateways are imported and exported. */

/** What is wrong with a definition, or will be when it is polled. */
export interface Problem {
  /** Where: `units[0].points[2].address`; "" for the whole. */
  path: string;
  /** A sentence that says what to do. */
  message: string;
  /** One word for machines. */
  code: string;
}

export type ParsedGateway =
  | { gateway: GatewayDraft; warnings: Problem[] }
  | { problems: Problem[] };
