// A row's heading.
import { css } from '@emotion/css';
import type { RowPanel } from '@grafana/schema';
import { Icon, useStyles2 } from '@grafana/ui';

export function Row({ row, title, folded }: { row: RowPanel; title: string; folded: boolean }) {
  const styles = useStyles2((theme) => ({
    row: css({ display: 'flex', alignItems: 'center', height: '30px', gap: theme.spacing(1) }),
    folded: css({ borderBottom: `1px solid ${theme.colors.border.weak}` }),
    title: css({ display: 'flex', alignItems: 'center', gap: theme.spacing(1), ...theme.typography.h5 }),
    count: css({ color: theme.colors.text.secondary, ...theme.typography.bodySmall }),
  }));
  const inside = row.panels?.length ?? 0;
  return (
    <div className={`${styles.row} ${folded ? styles.folded : ''}`} data-testid="row">
      <span className={styles.title}>
        <Icon name={folded ? 'angle-right' : 'angle-down'} />
        {title}
      </span>
      {folded && <span className={styles.count}>{`(${inside} ${inside === 1 ? 'panel' : 'panels'})`}</span>}
    </div>
  );
}
