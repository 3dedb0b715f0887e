// The dashboard as Grafana stores it, and what of it this drawer would leave out.
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';

export type Item = Panel | RowPanel;

export const isRow = (item: Item): item is RowPanel => item.type === 'row';

export async function loadBoard(name: string): Promise<Dashboard> {
  const answer = await fetch(`/boards/${encodeURIComponent(name)}`);
  if (!answer.ok) {
    throw new Error(`no dashboard ${name}: ${answer.status}`);
  }
  const board = await answer.json();
  if (!Array.isArray(board.panels)) {
    throw new Error(`${name} is no dashboard: it has no panels`);
  }
  numbered(board.panels);
  return board;
}

/** Panels without a number get one, as Grafana gives it. */
function numbered(items: Item[]) {
  const all = items.flatMap((item) => (isRow(item) ? [item, ...(item.panels ?? [])] : [item]));
  let last = Math.max(0, ...all.map(({ id }) => id ?? 0));
  all.forEach((item) => (item.id ??= ++last));
}

/** What the panel asks for that is not drawn here; a picture that silently lacks it would mislead. */
export function notDrawn(item: Item): string[] {
  const lacking: string[] = [];
  const asks = (what: string, asked: unknown) => asked && lacking.push(`${what} is not drawn by this preview`);
  asks('repeat', item.repeat);
  if (!isRow(item)) {
    asks('libraryPanel', item.libraryPanel);
    asks('timeFrom', item.timeFrom);
    asks('timeShift', item.timeShift);
    asks(`data source of type ${item.datasource?.type}`, (item.datasource?.type ?? 'prometheus') !== 'prometheus');
  }
  return lacking;
}
