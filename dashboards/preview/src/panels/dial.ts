// Grafana's Gauge draws through `$.plot`, a plugin of jQuery that its server brings along and no package has:
// here is what of it a Gauge needs.
import $ from 'jquery';

const START = 0.9 * Math.PI;
const END = 2.1 * Math.PI;
/** How far below its middle a dial of radius 1 reaches. */
const BELOW = Math.sin(START);

interface Step {
  value: number;
  color: string;
}

interface Dial {
  gauge: { min: number; max: number; width: number; neutralValue?: number; background: { color: string } };
  threshold: {
    values: Step[];
    show: boolean;
    width: number;
    label: { show: boolean; margin: number; font: { size: number } };
  };
  value: { color: string; formatter: () => string; font: { size: number; family: string } };
}

function plot(place: HTMLElement, [{ data }]: Array<{ data: number[][] }>, all: { series: { gauges: Dial } }) {
  const { gauge, threshold, value } = all.series.gauges;
  const { width, height } = place.getBoundingClientRect();
  const pen = emptyCanvas(place, width, height);

  const marks = threshold.show ? threshold.width : 0;
  const labels = threshold.label.show ? 2 * threshold.label.margin + threshold.label.font.size : 0;
  const outer = Math.min(width / 2, height / (1 + BELOW));
  const radius = outer - marks - labels;
  const x = width / 2;
  const y = (height - outer * (1 + BELOW)) / 2 + outer;

  const angle = (at: number) => {
    const part = (at - gauge.min) / (gauge.max - gauge.min);
    return START + (END - START) * Math.min(1, Math.max(0, part));
  };
  const ring = (from: number, to: number, edge: number, thick: number, color: string) => {
    pen.beginPath();
    pen.arc(x, y, edge - thick / 2, from, Math.max(from, to));
    pen.lineWidth = thick;
    pen.strokeStyle = color;
    pen.stroke();
  };

  const thick = gauge.width < radius ? gauge.width : Math.max(3, radius / 3);
  const neutral = gauge.neutralValue ?? gauge.min;
  const now = data[0][1];
  ring(START, END, radius, thick, gauge.background.color);
  ring(angle(Math.min(neutral, now)), angle(Math.max(neutral, now)), radius, thick, value.color);
  if (threshold.show) {
    threshold.values.slice(1).forEach(({ value: end, color }, index) => {
      ring(angle(threshold.values[index].value), angle(end), radius + marks, marks - 1, color);
    });
  }

  const write = (text: string, at: [number, number], size: number, color: string) => {
    const span = document.createElement('span');
    const font = `500 ${size}px ${value.font.family}`;
    const [left, top] = at.map((each) => `${each}px`);
    Object.assign(span.style, { position: 'absolute', left, top, font, color, transform: 'translate(-50%, -50%)' });
    span.style.whiteSpace = 'nowrap';
    span.textContent = text;
    place.append(span);
  };
  if (threshold.label.show) {
    const away = radius + marks + labels / 2;
    for (const { value: at, color } of threshold.values) {
      const turn = angle(at);
      write(String(at), [x + away * Math.cos(turn), y + away * Math.sin(turn)], threshold.label.font.size, color);
    }
  }
  write(value.formatter(), [x, y], value.font.size, value.color);
}

function emptyCanvas(place: HTMLElement, width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  place.style.position = 'relative';
  place.replaceChildren(canvas);
  const pen = canvas.getContext('2d')!;
  pen.scale(devicePixelRatio, devicePixelRatio);
  return pen;
}

Object.assign($, { plot });
