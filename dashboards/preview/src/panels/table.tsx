// The table panel.
import { getFrameDisplayName } from '@grafana/data';
import { defaultTableFieldOptions } from '@grafana/schema';
import { defaultOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.js';
import { Select, Table } from '@grafana/ui';
import { Empty } from './empty';
import { customOptions, kindPlugin, type Drawing, type Kind } from './kind';

const COLUMN = {
  minWidth: defaultTableFieldOptions.minWidth,
  width: undefined,
  align: defaultTableFieldOptions.align,
  cellOptions: defaultTableFieldOptions.cellOptions,
  inspect: false,
  filterable: undefined,
  hidden: undefined,
  hideHeader: undefined,
};

function Draw({ loaded, width, height, range, theme }: Drawing) {
  const { frames, options, fieldConfig } = loaded;
  if (!frames.some((frame) => frame.fields.length)) {
    return <Empty loaded={loaded} />;
  }
  const shown = frames[options.frameIndex] ? options.frameIndex : 0;
  const { gridSize } = theme.spacing;
  const chooser = frames.length > 1 ? gridSize * theme.components.height.md + gridSize : 0;
  const names = frames.map((frame, value) => ({ label: getFrameDisplayName(frame), value }));
  return (
    <div style={{ height: '100%', display: 'flex', flexDirection: 'column', justifyContent: 'space-between' }}>
      <Table
        data={frames[shown]}
        width={width}
        height={height - chooser}
        noHeader={!options.showHeader}
        showTypeIcons={options.showTypeIcons}
        resizable
        initialSortBy={options.sortBy}
        footerOptions={options.footer}
        enablePagination={options.footer?.enablePagination}
        cellHeight={options.cellHeight}
        timeRange={range}
        fieldConfig={fieldConfig}
      />
      {chooser > 0 && (
        <div style={{ padding: '8px 8px 0' }}>
          <Select options={names} value={names[shown]} onChange={() => {}} />
        </div>
      )}
    </div>
  );
}

export const table: Kind = {
  plugin: kindPlugin({ ...defaultOptions }, { useCustomConfig: (builder) => customOptions(builder, COLUMN) }),
  Draw,
};
