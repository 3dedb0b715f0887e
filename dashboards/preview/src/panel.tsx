// One panel in Grafana's frame, with what it drew or why it could not.
import { FieldType, renderMarkdown, type GrafanaTheme2 } from '@grafana/data';
import type { Panel } from '@grafana/schema';
import { ErrorBoundary, Icon, PanelChrome } from '@grafana/ui';
import { useEffect } from 'react';
import type { Loaded } from './data';
import { forPeople, interpolate, type Values } from './interpolate';
import { hasNoData } from './panels/empty';
import type { Kind } from './panels/kind';
import { changed, message, type PanelState } from './report';
import type { Request } from './request';

export interface Content {
  panel: Panel;
  kind?: Kind;
  loaded?: Loaded;
  state: PanelState;
}

/** What the frames amount to, before anything is drawn. */
export function count(state: PanelState, { frames, warnings }: Loaded) {
  const numbers = frames.flatMap((frame) => frame.fields.filter((field) => field.type === FieldType.number));
  state.frames = frames.filter((frame) => frame.length > 0).length;
  state.series = numbers.filter((field) => field.values.length > 0).length;
  state.points = numbers.reduce((sum, field) => sum + field.values.filter(Number.isFinite).length, 0);
  state.no_data = hasNoData(frames);
  state.warnings = [...new Set(warnings)];
}

interface Props extends Content {
  width: number;
  height: number;
  request: Request;
  values: Values;
  theme: GrafanaTheme2;
  timeZone: string;
}

export function DrawnPanel({ panel, kind, loaded, state, width, height, request, values, theme, timeZone }: Props) {
  const replace = (text: string) => interpolate(text, values, loaded?.scoped ?? {}, forPeople);
  const title = replace(panel.title ?? '');
  return (
    <PanelChrome
      width={width}
      height={height}
      title={title}
      description={panel.description ? () => renderMarkdown(replace(panel.description ?? '')) : ''}
      titleItems={panel.links?.length ? <LinkItem /> : undefined}
      displayMode={panel.transparent ? 'transparent' : 'default'}
      hoverHeader={!title}
      statusMessage={state.errors.join('\n') || undefined}
    >
      {(innerWidth, innerHeight) => (
        <ErrorBoundary>
          {({ error }) => {
            if (error || !kind || !loaded) {
              return <Drawn state={state} error={error ?? undefined} />;
            }
            const drawn = () => finish(state);
            const more = { title, loaded, range: request.range, timeZone, theme, replace, drawn };
            return (
              <>
                <kind.Draw width={innerWidth} height={innerHeight} {...more} />
                {!kind.tells?.(loaded) && <Drawn state={state} />}
              </>
            );
          }}
        </ErrorBoundary>
      )}
    </PanelChrome>
  );
}

function finish(state: PanelState, error?: Error) {
  if (error) {
    state.errors.push(message(error));
  }
  state.drawn = true;
  changed();
}

/** Says that what stands beside it is on the page. */
function Drawn({ state, error }: { state: PanelState; error?: Error }) {
  useEffect(() => finish(state, error), [state, error]);
  return null;
}

const LinkItem = () => (
  <PanelChrome.TitleItem>
    <Icon name="external-link-alt" size="md" />
  </PanelChrome.TitleItem>
);
