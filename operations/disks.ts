import { statfs } from 'node:fs/promises';

import type { Component } from './diagnosis.ts';
import { spaceText } from '../domain/wording.ts';

/** The room on the disks of the watched folders, as a component of the diagnosis. */

/** The disk of one folder; bytes. */
export interface DiskSpace {
  folder: string;
  /** What an ordinary user can still write. */
  freeBytes: number;
  totalBytes: number;
}

/** Reads the space behind each folder. Rejects for a folder that is not there. */
export type ReadDisks = () => Promise<DiskSpace[]>;

/** What this needs of the system's answer: `bavail` and `blocks` are numbers of blocks of `bsize` bytes. */
type StatFolder = (folder: string) => Promise<{ bavail: number; blocks: number; bsize: number }>;

/**
 * Less is nearly full: PostgreSQL's write-ahead log alone grows by up to 1 GB (`max_wal_size`) before it is recycled, and as
 * much again leaves people time to act before PostgreSQL and Temporal cannot write.
 */
const freeBytesMin = 2_000_000_000;

/** @param statFolder the file system's; tests bring their own. */
export function diskReader(folders: readonly string[], statFolder: StatFolder = statfs): ReadDisks {
  return () =>
    Promise.all(
      folders.map(async (folder) => {
        const { bavail, blocks, bsize } = await statFolder(folder);
        return { folder, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
      }),
    );
}

export const disks: Component<DiskSpace[]> = {
  name: 'disk',
  fact: ({ readDisks }) => readDisks(),
  judge(spaces) {
    const [least] = spaces.toSorted((a, b) => a.freeBytes - b.freeBytes);
    if (least === undefined) return null;
    const sentence = `The disk of ${least.folder} has ${spaceText(least.freeBytes)} of ${spaceText(least.totalBytes)} left.`;
    return least.freeBytes >= freeBytesMin
      ? { state: 'ok', sentence }
      : {
          state: 'degraded',
          sentence,
          advice:
            'Free space there (`heliograph prune` deletes old rows), or enlarge the disk: PostgreSQL and Temporal stop when they cannot write.',
        };
  },
  away: {
    state: 'degraded',
    sentence: 'How much room is left on the disk is not known.',
    advice: 'Correct WATCHED_FOLDERS: it names a folder that is not there.',
  },
};
