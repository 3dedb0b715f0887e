// The bar gauge panel.
import { getDisplayValueAlignmentFactors, type FieldDisplay } from '@grafana/data';
import { BarGaugeDisplayMode, BarGaugeSizing, VizOrientation } from '@grafana/schema';
import { defaultOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.js';
import { BarGauge, VizRepeater } from '@grafana/ui';
import { kindPlugin, REDUCED, reduced, unnamed, type Drawing, type Kind } from './kind';

function Draw(drawing: Drawing) {
  const { loaded, width, height, theme } = drawing;
  const { options } = loaded;
  const spacing = options.displayMode === BarGaugeDisplayMode.Lcd ? 2 : 10;
  return (
    <VizRepeater
      getValues={() => reduced(drawing)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width, height, count, orientation }) => {
        const { field, view, colIndex } = value as FieldDisplay;
        return (
          <BarGauge
            value={unnamed(value as FieldDisplay, count)}
            field={field}
            display={colIndex === undefined ? undefined : view?.getFieldDisplayProcessor(colIndex)}
            width={width}
            height={height}
            orientation={orientation}
            text={options.text}
            theme={theme}
            itemSpacing={spacing}
            displayMode={options.displayMode}
            alignmentFactors={count > 1 ? alignmentFactors : undefined}
            showUnfilled={options.showUnfilled}
            valueDisplayMode={options.valueMode}
            namePlacement={options.namePlacement}
          />
        );
      }}
      width={width}
      height={height}
      source={loaded}
      itemSpacing={spacing}
      renderCounter={0}
      orientation={options.orientation}
      {...limits(drawing)}
    />
  );
}

/** Sizes that were set by hand hold for the direction that the bars have. */
function limits({ loaded: { options }, width, height }: Drawing) {
  const auto = width > height ? VizOrientation.Vertical : VizOrientation.Horizontal;
  const orientation = options.orientation === VizOrientation.Auto ? auto : options.orientation;
  const manual = options.sizing === BarGaugeSizing.Manual;
  const own = (along: VizOrientation) => (manual && orientation === along ? options : defaultOptions);
  return {
    minVizWidth: own(VizOrientation.Vertical).minVizWidth,
    minVizHeight: own(VizOrientation.Horizontal).minVizHeight,
    maxVizHeight: own(VizOrientation.Horizontal).maxVizHeight,
  };
}

export const bargauge: Kind = { plugin: kindPlugin({ ...defaultOptions, ...REDUCED }), Draw };
