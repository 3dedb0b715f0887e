// Draws the dashboard that the page's address asks for, and says when the picture is complete.
import { createTheme, ThemeContext, type GrafanaTheme2 } from '@grafana/data';
import type { Dashboard, Panel } from '@grafana/schema';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import type { ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { isRow, loadBoard, notDrawn } from './board';
import { PADDING } from './controls';
import { load } from './data';
import type { Values } from './interpolate';
import { layout, type Placed } from './layout';
import { Page } from './page';
import { count, type Content } from './panel';
import { KINDS } from './panels';
import { read } from './read';
import { allDrawn, message, report } from './report';
import { readRequest, type Request } from './request';
import { loadFonts, settled, watchRequests } from './settle';
import { registerStandards } from './standards';
import { resolveVariables } from './variables';

/** Inside a panel's frame there is this much less than outside. */
const frameWidth = (theme: GrafanaTheme2) => 2 * (theme.components.panel.padding * theme.spacing.gridSize + 1);

async function content(place: Placed, request: Request, values: Values, theme: GrafanaTheme2, timeZone: string) {
  const panel = place.item as Panel;
  const { id = 0, title = '', type } = panel;
  const made = { errors: notDrawn(panel), warnings: [], text: [], legend: [], cells: [], links: [] };
  const state = { id, title, type, frames: 0, series: 0, points: 0, no_data: true, drawn: false, ...made };
  const found: Content = { panel, kind: KINDS[type], state };
  report.panels.push(state);
  if (!found.kind) {
    state.errors.push(`panel type ${type} is not known to this preview`);
  } else if (!state.errors.length) {
    try {
      const width = Math.round(place.width - frameWidth(theme));
      found.loaded = await load(panel, found.kind.plugin, width, request, values, theme, timeZone);
      count(state, found.loaded);
    } catch (error) {
      state.errors.push(message(error));
    }
  }
  return found;
}

async function start(root: HTMLElement) {
  watchRequests();
  registerStandards();
  const board: Dashboard = await loadBoard(new URLSearchParams(location.search).get('board') ?? '');
  const request = readRequest(location.search, board.time);
  const theme = createTheme({ colors: { mode: request.theme } });
  const timeZone = board.timezone || 'browser';
  const values = await resolveVariables(board.templating?.list ?? [], request.variables, request.range);
  report.title = board.title ?? '';
  report.variables = Object.fromEntries([...values].map(([name, { value }]) => [name, value]));

  const placed = layout(board.panels ?? [], document.documentElement.clientWidth - 2 * PADDING, request.expand);
  const panels = placed.filter(({ item }) => !isRow(item));
  const loading = panels.map(async (place) => [place, await content(place, request, values, theme, timeZone)] as const);
  const contents = new Map(await Promise.all(loading));
  placed.filter(({ item }) => isRow(item)).forEach(({ item }) => report.errors.push(...notDrawn(item)));

  const page = createRoot(root);
  const themed = (children: ReactNode) => (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {children}
    </ThemeContext.Provider>
  );
  flushSync(() => page.render(themed(null)));
  await loadFonts();
  const all = { board, placed, contents, request, values, theme, timeZone };
  page.render(
    themed(
      <>
        <Page {...all} />
        <PortalContainer />
      </>
    )
  );
  await allDrawn();
  await settled();
  report.panels.forEach(read);
}

start(document.getElementById('page')!)
  .catch((error) => report.errors.push(message(error)))
  .finally(() => (document.documentElement.dataset.drawn = 'true'));
