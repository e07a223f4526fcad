"""Cost caps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.add_column(sa.Column('cost_cap_usd', sa.Float(), nullable=True))
        batch_op.create_index('job_capped', ['id'], unique=False, sqlite_where=sa.text('cost_cap_usd IS NOT NULL'), postgresql_where=sa.text('cost_cap_usd IS NOT NULL'))


def downgrade() -> None:
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_index('job_capped')
        batch_op.drop_column('cost_cap_usd')
