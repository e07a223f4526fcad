"""Production decides"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('frame_times',
    sa.Column('project', sa.String(), nullable=False),
    sa.Column('renderer', sa.String(), nullable=False),
    sa.Column('scene', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('samples', sa.JSON(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('updated_at', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('project', 'renderer', 'scene', 'kind')
    )
    op.create_table('points_account',
    sa.Column('user', sa.String(), nullable=False),
    sa.Column('balance', sa.Float(), nullable=False),
    sa.CheckConstraint('balance >= 0', name='balance_not_negative'),
    sa.PrimaryKeyConstraint('user')
    )
    op.create_table('points_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user', sa.String(), nullable=False),
    sa.Column('at', sa.Float(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('points', sa.Float(), nullable=False),
    sa.Column('balance', sa.Float(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('worker', sa.String(), nullable=True),
    sa.Column('note', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('points_entry', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_points_entry_user'), ['user'], unique=False)

    op.create_table('rule_set',
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('rules', sa.JSON(), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('syntax', sa.String(), nullable=False),
    sa.Column('author', sa.String(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('version'),
    sqlite_autoincrement=True
    )
    op.create_table('tracked_entity',
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=True),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.Column('gone', sa.Boolean(), nullable=False),
    sa.Column('fetched_at', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'id')
    )
    with op.batch_alter_table('tracked_entity', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tracked_entity_project_id'), ['project_id'], unique=False)

    op.create_table('forecast',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('made_at', sa.Float(), nullable=False),
    sa.Column('share', sa.Float(), nullable=False),
    sa.Column('finish', sa.Float(), nullable=False),
    sa.Column('low', sa.Float(), nullable=False),
    sa.Column('high', sa.Float(), nullable=False),
    sa.Column('basis', sa.String(), nullable=False),
    sa.Column('actual', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('forecast', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_forecast_job_id'), ['job_id'], unique=False)

    op.create_table('outgoing',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('steps', sa.JSON(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.Float(), nullable=False),
    sa.Column('error', sa.String(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('done_at', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('outgoing', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_outgoing_job_id'), ['job_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_outgoing_status'), ['status'], unique=False)

    op.create_table('priority_override',
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('author', sa.String(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('expires_at', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.PrimaryKeyConstraint('job_id')
    )
    with op.batch_alter_table('priority_override', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_priority_override_expires_at'), ['expires_at'], unique=False)

    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.add_column(sa.Column('project', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('boost', sa.Float(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('tracked_priority', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('tracked_deadline', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('tracked_hold', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('tracked_source', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('tracked_at', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('held_by', sa.String(), nullable=False, server_default=''))
        batch_op.create_index(batch_op.f('ix_job_project'), ['project'], unique=False)

    with op.batch_alter_table('worker', schema=None) as batch_op:
        batch_op.add_column(sa.Column('owner', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('rating', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('rated_at', sa.Float(), nullable=True))
        batch_op.add_column(sa.Column('succeeded', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('failed', sa.Integer(), nullable=False, server_default='0'))



def downgrade() -> None:
    with op.batch_alter_table('worker', schema=None) as batch_op:
        batch_op.drop_column('failed')
        batch_op.drop_column('succeeded')
        batch_op.drop_column('rated_at')
        batch_op.drop_column('rating')
        batch_op.drop_column('owner')

    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_job_project'))
        batch_op.drop_column('held_by')
        batch_op.drop_column('tracked_at')
        batch_op.drop_column('tracked_source')
        batch_op.drop_column('tracked_hold')
        batch_op.drop_column('tracked_deadline')
        batch_op.drop_column('tracked_priority')
        batch_op.drop_column('boost')
        batch_op.drop_column('project')

    with op.batch_alter_table('priority_override', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_priority_override_expires_at'))

    op.drop_table('priority_override')
    with op.batch_alter_table('outgoing', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_outgoing_status'))
        batch_op.drop_index(batch_op.f('ix_outgoing_job_id'))

    op.drop_table('outgoing')
    with op.batch_alter_table('forecast', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_forecast_job_id'))

    op.drop_table('forecast')
    with op.batch_alter_table('tracked_entity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tracked_entity_project_id'))

    op.drop_table('tracked_entity')
    op.drop_table('rule_set')
    with op.batch_alter_table('points_entry', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_points_entry_user'))

    op.drop_table('points_entry')
    op.drop_table('points_account')
    op.drop_table('frame_times')
