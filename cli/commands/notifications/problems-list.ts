import {
  listProblems,
  type ProblemView,
  problemStates,
} from '../../../db/notifications/problems.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals, readFlag } from '../../arguments.ts';
import { type Command, type CommandIo } from '../../command.ts';
import { oneOf } from '../../plant-fields.ts';
import { outputWidth, print, statusPaint, timeCell, visibleText } from '../../render.ts';
import { right, tableText } from '../../table.ts';

const limit = 200;

/** `heliograph problems list`: what needs a person and is no alert of a plant, the newest first. */
export const problemsList: Command = {
  name: 'problems list',
  usage: '[--state OPEN|ACKNOWLEDGED|CLOSED] [--json]',
  flags: ['state'],
  async run(context) {
    noPositionals(context, 'the command lists all problems: name none');
    const state = readFlag(context, 'state', oneOf(problemStates));
    const states = state === undefined ? (['OPEN', 'ACKNOWLEDGED'] as const) : [state];
    const { problems } = await withDatabase(context.config(), (db) =>
      listProblems(db, states, { beforeId: null, limit }),
    );
    print(context, problems, () => problemsText(problems, context.io));
  },
};

function problemsText(problems: readonly ProblemView[], io: CommandIo): string {
  if (problems.length === 0) return 'there is no such problem\n';
  const paint = statusPaint(io);
  return tableText(
    [...right('ID'), 'SEVERITY', 'STATE', 'SUBJECT', 'CODE', 'SINCE (UTC)', 'WHAT'],
    problems.map((problem) => [
      String(problem.id),
      { text: problem.severity, paint: (text: string) => paint(problem.severity, text) },
      problem.state,
      visibleText(`${problem.subject_kind} ${problem.subject_id}`),
      problem.code,
      timeCell(problem.opened_at, 'UTC'),
      visibleText(problem.message + ackWords(problem)),
    ]),
    outputWidth(io),
  );
}

function ackWords({ acked_by: by, ack_comment: comment, state }: ProblemView): string {
  if (state !== 'ACKNOWLEDGED') return '';
  return ` (acknowledged by ${by ?? 'somebody'}${comment === null ? '' : `: ${comment}`})`;
}
