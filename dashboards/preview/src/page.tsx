// The whole dashboard.
import type { GrafanaTheme2 } from '@grafana/data';
import type { Dashboard } from '@grafana/schema';
import { isRow } from './board';
import { Controls, Name, PADDING } from './controls';
import { forPeople, interpolate, type Values } from './interpolate';
import { bottom, type Placed } from './layout';
import { DrawnPanel, type Content } from './panel';
import type { Request } from './request';
import { Row } from './row';

interface Props {
  board: Dashboard;
  placed: Placed[];
  contents: Map<Placed, Content>;
  request: Request;
  values: Values;
  theme: GrafanaTheme2;
  timeZone: string;
}

export function Page({ board, placed, contents, request, values, theme, timeZone }: Props) {
  const common = { request, values, theme, timeZone };
  return (
    <>
      <Name title={board.title ?? ''} />
      <Controls board={board} values={values} range={request.range} timeZone={timeZone} />
      <div style={{ padding: `0 ${PADDING}px ${PADDING}px` }}>
        <div style={{ position: 'relative', height: bottom(placed) }}>
          {placed.map((place, index) => (
            <div
              key={index}
              data-panel={place.item.id}
              style={{ position: 'absolute', left: place.x, top: place.y, width: place.width, height: place.height }}
            >
              {isRow(place.item) ? (
                <Row
                  row={place.item}
                  title={interpolate(place.item.title ?? '', values, {}, forPeople)}
                  folded={place.item.collapsed && !request.expand}
                />
              ) : (
                <DrawnPanel {...contents.get(place)!} width={place.width} height={place.height} {...common} />
              )}
            </div>
          ))}
        </div>
      </div>
    </>
  );
}
