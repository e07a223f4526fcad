"""Sites"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('handover',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('site', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('let_go', sa.Boolean(), nullable=False),
    sa.Column('frames', sa.String(), nullable=False),
    sa.Column('manifest', sa.JSON(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('shipped', sa.Boolean(), nullable=False),
    sa.Column('told_paused', sa.Boolean(), nullable=False),
    sa.Column('told_priority', sa.Integer(), nullable=True),
    sa.Column('told_cancel', sa.Boolean(), nullable=False),
    sa.Column('far_farm', sa.String(), nullable=False),
    sa.Column('far_job', sa.String(), nullable=False),
    sa.Column('far_status', sa.String(), nullable=False),
    sa.Column('far_published', sa.Integer(), nullable=False),
    sa.Column('far_frames', sa.Integer(), nullable=False),
    sa.Column('far_reason', sa.String(), nullable=False),
    sa.Column('far_finish', sa.String(), nullable=False),
    sa.Column('far_worked_s', sa.Float(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('admitted_at', sa.Float(), nullable=True),
    sa.Column('seen_at', sa.Float(), nullable=True),
    sa.Column('closed_at', sa.Float(), nullable=True),
    sa.Column('retry_at', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('handover', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_handover_job_id'), ['job_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_handover_state'), ['state'], unique=False)

    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.add_column(sa.Column('away', sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_column('away')

    with op.batch_alter_table('handover', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_handover_state'))
        batch_op.drop_index(batch_op.f('ix_handover_job_id'))

    op.drop_table('handover')
