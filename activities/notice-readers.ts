import { readGatewayNotices } from './gateways/notices.ts';
import { type NoticeReaders, type ReadNotices, readNotices } from './notices.ts';
import { readIncidentNotices, readPlantNotices } from './plants/notices.ts';
import { readProblemNotices } from './system.ts';

/** Who puts notifications into words, by the kind of their subject. A new kind needs one entry here. */
export const noticeReaders: NoticeReaders = {
  PLANT: readPlantNotices,
  INCIDENT: readIncidentNotices,
  GATEWAY: readGatewayNotices,
  SYSTEM: readProblemNotices,
};

/** Rows of the outbox in words, whatever their subject, in the order of the rows. */
export const readAllNotices: ReadNotices = (db, rows, nowMs) =>
  readNotices(noticeReaders, db, rows, nowMs);
