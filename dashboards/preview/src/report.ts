// What the page tells whoever drives it: the state of every panel, and when the picture is complete.

export interface PanelState {
  id: number;
  title: string;
  type: string;
  frames: number;
  series: number;
  points: number;
  no_data: boolean;
  errors: string[];
  warnings: string[];
  drawn: boolean;
  /** Read from the page when it is complete. */
  text: string[];
  legend: string[][];
  cells: string[][];
  links: string[];
}

export interface Report {
  title: string;
  variables: Record<string, string[]>;
  panels: PanelState[];
  errors: string[];
}

declare global {
  interface Window {
    report: Report;
  }
}

export const report: Report = (window.report = { title: '', variables: {}, panels: [], errors: [] });

const waiting = new Set<() => void>();

/** To be called after a change of any panel's state. */
export const changed = () => waiting.forEach((look) => look());

export const allDrawn = () =>
  new Promise<void>((resolve) => {
    const look = () => {
      if (report.panels.every((panel) => panel.drawn)) {
        waiting.delete(look);
        resolve();
      }
    };
    waiting.add(look);
    look();
  });

export const message = (error: unknown) => (error instanceof Error ? error.message : String(error));
