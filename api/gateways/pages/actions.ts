import { Hono } from 'hono';

import { parseGateway } from '../../../domain/gateways/definition.ts';
import {
  acknowledgeAlert,
  addGateways,
  type GatewayAct,
  type GatewaysDecided,
  pauseGateways,
  removeGateways,
  resumeGateways,
} from '../../../operations/gateways/actions.ts';
import type { ApiDeps } from '../../deps.ts';
import type { ApiEnv } from '../../env.ts';
import { ownPath, staffOf } from '../../pages/answer.ts';
import { textField } from '../../pages/form.ts';
import type { AssetUrls } from '../../pages/layout.ts';
import { Problem } from '../../problem.ts';
import { startLoops } from '../../start-loops.ts';
import { invalidDefinition, orProblem, problemOf } from '../refusals.ts';
import {
  actsOf,
  administratorOf,
  fieldReaders,
  type FormFields,
  gatewayAskForms,
} from './ask-forms.ts';
import { newGatewayContent } from './new.ts';
import { gatewayPath } from './paths.ts';
import type { Show } from './routes.ts';

/** The forms of the pages about gateways: each calls an action and leads back to its page. */

const reasonLengthMax = 200;
const commentLengthMax = 500;

export function gatewayForms(deps: ApiDeps, assets: AssetUrls, show: Show): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  const actOf = actsOf(deps);
  /** A form of the staff, or of administrators alone, that leads back to the gateway. */
  const form = (
    path: string,
    act: (act: GatewayAct, id: string, fields: FormFields) => Promise<GatewaysDecided>,
    { isForAdmins = false } = {},
  ) =>
    routes.post(path, async (c) => {
      const person = await (isForAdmins ? administratorOf(c) : staffOf(c));
      const id = c.req.param('id') ?? '';
      const { refused } = await act(actOf(c, person), id, await c.req.parseBody());
      if (refused[0] !== undefined) throw problemOf(refused[0]);
      return c.redirect(gatewayPath(id), 303);
    });

  form('/gateways/:id/pause', async (act, id, fields) =>
    pauseGateways(act, [id], textField(fields['reason'], 'The reason', reasonLengthMax)),
  );
  form('/gateways/:id/resume', async (act, id) => resumeGateways(act, [id]));
  form('/gateways/:id/remove', async (act, id) => removeGateways(act, [id]), { isForAdmins: true });

  routes.route('/', gatewayAskForms(deps, assets, show));

  routes.post('/gateways/alerts/:alert/ack', async (c) => {
    const person = await staffOf(c);
    const alertId = c.req.param('alert');
    if (!/^\d{1,15}$/.test(alertId)) throw new Problem('not-found', 'There is no such alert.');
    const fields = await c.req.parseBody();
    const comment = textField(fields['comment'], 'The comment', commentLengthMax);
    orProblem(await acknowledgeAlert(actOf(c, person), Number(alertId), { comment, until: null }));
    return c.redirect(ownPath(fields['back'], '/alerts'), 303);
  });

  routes.get('/gateways/new', async (c) => {
    const person = await administratorOf(c);
    const frame = { title: 'New gateway', section: 'gateways', isForm: true } as const;
    return show(c, person, frame, newGatewayContent([...deps.gatewayPresets.values()]));
  });

  routes.post('/gateways', async (c) => {
    const person = await administratorOf(c);
    const parsed = parseGateway(definitionOf(await c.req.parseBody()));
    if ('problems' in parsed) throw invalidDefinition(parsed.problems);
    const { gateway } = parsed;
    orProblem(await addGateways(actOf(c, person), [gateway], { presets: deps.gatewayPresets }));
    await startLoops(deps);
    return c.redirect(gatewayPath(gateway.id), 303);
  });

  return routes;
}

/** The definition that the form describes; the domain says what is wrong with it. */
function definitionOf(fields: FormFields): unknown {
  const { text, number } = fieldReaders(fields);
  return JSON.parse(
    JSON.stringify({
      id: text('id'),
      name: text('name'),
      host: text('host'),
      port: number('port'),
      plant_id: text('plant_id'),
      poll_interval_s: number('poll_interval_s'),
      priority: text('priority'),
      units: [{ unit_id: number('unit_id'), preset: text('preset') }],
    }),
  );
}
