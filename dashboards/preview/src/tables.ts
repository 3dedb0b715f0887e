// Queries in table format: one table a query, a column for each label, as Grafana's Prometheus data source lays out.
import { FieldType, sortDataFrame, type DataFrame, type Field } from '@grafana/data';
import { TIME, VALUE } from './frames';

export function toTables(frames: DataFrame[]): DataFrame[] {
  if (frames.length === 0 || (frames.length === 1 && frames[0].length === 0)) {
    return frames;
  }
  const queries = [...new Set(frames.map((frame) => frame.refId ?? ''))];
  return queries.map((refId) => {
    const own = frames.filter((frame) => (frame.refId ?? '') === refId);
    return toTable(own, refId, queries.length > 1 ? `${VALUE} #${refId}` : VALUE);
  });
}

function toTable(frames: DataFrame[], refId: string, valueName: string): DataFrame {
  const labelsOf = (frame: DataFrame) => frame.fields[1]?.labels ?? {};
  const labels = [...new Set(frames.flatMap((frame) => Object.keys(labelsOf(frame)).sort()))];
  const rows = frames.flatMap((frame) =>
    Array.from({ length: frame.length }, (_, row) => ({
      time: frame.fields[0].values[row],
      value: frame.fields[1].values[row],
      labels: labelsOf(frame),
    }))
  );
  const time: Field = {
    name: TIME,
    type: FieldType.time,
    config: { ...frames[0].fields[0]?.config },
    values: rows.map((row) => row.time),
  };
  const columns: Field[] = labels.map((name) => ({
    name,
    type: FieldType.string,
    config: { filterable: true },
    values: rows.map((row) => row.labels[name] ?? ''),
  }));
  const value: Field = {
    name: valueName,
    type: FieldType.number,
    config: {},
    values: rows.map((row) => row.value),
  };
  const table: DataFrame = { refId, fields: [time, ...columns, value], length: rows.length };
  const ordered = rows.every((row, index) => index === 0 || rows[index - 1].time <= row.time);
  return ordered ? table : sortDataFrame(table, 0);
}
