// Where every panel stands: Grafana's 24 columns, with gaps closed upwards as its grid does.
import type { GridPos } from '@grafana/schema';
import { isRow, type Item } from './board';

const COLUMNS = 24;
const CELL = 30;
const GAP = 8;

export interface Placed {
  item: Item;
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Cell {
  item: Item;
  at: GridPos;
}

const DEFAULT: GridPos = { x: 0, y: 0, w: 12, h: 8 };

/** Collapsed rows keep their panels to themselves; opened, they push down what stands below them. */
function unfold(items: Item[], expand: boolean): Cell[] {
  const cells: Cell[] = [];
  let pushed = 0;
  for (const item of [...items].sort((a, b) => (a.gridPos?.y ?? 0) - (b.gridPos?.y ?? 0))) {
    const at = { ...DEFAULT, ...item.gridPos };
    at.y += pushed;
    if (isRow(item)) {
      at.w = COLUMNS;
      at.h = 1;
    }
    cells.push({ item, at });
    if (isRow(item) && item.collapsed && expand) {
      const inside = item.panels.map((panel) => ({ item: panel as Item, at: { ...DEFAULT, ...panel.gridPos } }));
      const top = Math.min(...inside.map((cell) => cell.at.y));
      inside.forEach((cell) => (cell.at.y += at.y + 1 - top));
      cells.push(...inside);
      pushed += Math.max(0, ...inside.map((cell) => cell.at.y + cell.at.h - (at.y + 1)));
    }
  }
  return cells;
}

const collide = (a: GridPos, b: GridPos) =>
  a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

function compact(cells: Cell[]): Cell[] {
  const settled: Cell[] = [];
  for (const cell of [...cells].sort((a, b) => a.at.y - b.at.y || a.at.x - b.at.x)) {
    const free = (y: number) => !settled.some((other) => collide({ ...cell.at, y }, other.at));
    while (cell.at.y > 0 && free(cell.at.y - 1)) {
      cell.at.y--;
    }
    while (!free(cell.at.y)) {
      cell.at.y++;
    }
    settled.push(cell);
  }
  return settled;
}

export function layout(items: Item[], width: number, expand: boolean): Placed[] {
  const column = (width - GAP * (COLUMNS - 1)) / COLUMNS;
  return compact(unfold(items, expand)).map(({ item, at }) => ({
    item,
    x: Math.round((column + GAP) * at.x),
    y: (CELL + GAP) * at.y,
    width: Math.round(column * at.w + GAP * Math.max(0, at.w - 1)),
    height: CELL * at.h + GAP * Math.max(0, at.h - 1),
  }));
}

export const bottom = (placed: Placed[]) => Math.max(0, ...placed.map((each) => each.y + each.height));
