// What a drawn panel says, read from its elements; what is painted on a canvas has no text to read.
import type { PanelState } from './report';

const texts = (found: Iterable<Element>) => [...found].map((each) => (each as HTMLElement).innerText.trim());

const lines = (element: HTMLElement) =>
  element.innerText
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

/** A legend entry's own words: its name, then its calculated values. */
function legend(panel: HTMLElement): string[][] {
  const rows = [...panel.querySelectorAll('table tbody tr')].filter((row) => !row.closest('[role="table"]'));
  if (rows.length) {
    return rows.map((row) => texts(row.querySelectorAll('td')));
  }
  return [...panel.querySelectorAll<HTMLElement>('[data-testid^="data-testid VizLegend series"]')].map(lines);
}

/** A table's header, then its rows, as far as they are in view. */
function cells(panel: HTMLElement): string[][] {
  const rows = [...panel.querySelectorAll('[role="table"] [role="row"]')];
  return rows.map((row) => texts(row.querySelectorAll('[role="columnheader"], [role="cell"]')));
}

export function read(state: PanelState) {
  const panel = document.querySelector<HTMLElement>(`[data-panel="${state.id}"]`);
  const content = panel?.querySelector<HTMLElement>('[data-testid="data-testid panel content"]');
  if (!panel || !content) {
    return;
  }
  state.text = lines(content);
  state.legend = state.type === 'timeseries' ? legend(content) : [];
  state.cells = cells(content);
  state.links = [...content.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')!);
}
