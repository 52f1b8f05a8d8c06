import { readGatewayNotices } from './gateways/notices.ts';
import type { NoticeReaders } from './notices.ts';
import { readIncidentNotices, readPlantNotices } from './plants/notices.ts';
import { readProblemNotices } from './system.ts';

/** Who puts notifications into words, by the kind of their subject. A new kind needs one entry here. */
export const noticeReaders: NoticeReaders = {
  PLANT: readPlantNotices,
  INCIDENT: readIncidentNotices,
  GATEWAY: readGatewayNotices,
  SYSTEM: readProblemNotices,
};
