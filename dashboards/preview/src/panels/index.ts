// Every panel type there is here, by the name a dashboard calls it.
import { bargauge } from './bargauge';
import { gauge } from './gauge';
import type { Kind } from './kind';
import { stat } from './stat';
import { table } from './table';
import { text } from './text';
import { timeseries } from './timeseries';

export const KINDS: Record<string, Kind> = { bargauge, gauge, stat, table, text, timeseries };
