// What a panel type is: its options with their defaults, and what draws it.
import {
  getFieldDisplayValues,
  identityOverrideProcessor,
  PanelPlugin,
  type Field,
  type FieldConfigEditorBuilder,
  type FieldDisplay,
  type GrafanaTheme2,
  type SetFieldConfigOptionsArgs,
  type TimeRange,
} from '@grafana/data';
import { VizOrientation } from '@grafana/schema';
import type { ComponentType } from 'react';
import type { Loaded } from '../data';
import { noEditor } from '../standards';

export interface Drawing {
  title: string;
  loaded: Loaded;
  width: number;
  height: number;
  range: TimeRange;
  timeZone: string;
  theme: GrafanaTheme2;
  replace: (text: string) => string;
  /** To be called when the drawing is complete, by a kind that `tells`; others are when they are mounted. */
  drawn: () => void;
}

export interface Kind {
  plugin: PanelPlugin;
  Draw: ComponentType<Drawing>;
  /** Whether it calls `drawn`, asked with what it is to draw. */
  tells?: (loaded: Loaded) => boolean;
}

/** A plugin as Grafana's own are, of which only what gives options their defaults is needed. */
export function kindPlugin(options: Record<string, unknown>, fields: SetFieldConfigOptionsArgs<any> = {}) {
  return new PanelPlugin<any, any>(null)
    .useFieldConfig(fields)
    .setPanelOptions((builder) => {
      for (const [path, defaultValue] of Object.entries(options)) {
        builder.addCustomEditor({ id: path, path, name: path, editor: noEditor, defaultValue });
      }
    });
}

/** Registers options that a field has under `custom`. */
export function customOptions(
  builder: FieldConfigEditorBuilder<any>,
  options: Record<string, unknown>,
  shouldApply: (field: Field) => boolean = () => true
) {
  for (const [path, defaultValue] of Object.entries(options)) {
    builder.addCustomEditor({
      id: path,
      path,
      name: path,
      editor: noEditor,
      override: noEditor,
      process: identityOverrideProcessor,
      shouldApply,
      defaultValue,
    });
  }
}

/** Options of every panel that reduces a series to a value. */
export const REDUCED = {
  'reduceOptions.values': false,
  'reduceOptions.calcs': ['lastNotNull'],
  'reduceOptions.fields': '',
  orientation: VizOrientation.Auto,
};

export function reduced({ loaded, timeZone, theme, replace }: Drawing, more: object = {}): FieldDisplay[] {
  return getFieldDisplayValues({
    fieldConfig: loaded.fieldConfig,
    reduceOptions: loaded.options.reduceOptions,
    replaceVariables: replace,
    theme,
    data: loaded.frames,
    timeZone,
    ...more,
  });
}

/** A single value needs no name: the panel's title says what it is. */
export const unnamed = ({ display, field }: FieldDisplay, count: number) =>
  count === 1 && !field.displayName ? { ...display, title: undefined } : display;
