"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('blob',
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('used_at', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('hash')
    )
    op.create_table('event',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sa.Float(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('task_id', sa.Integer(), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=True),
    sa.Column('worker', sa.String(), nullable=True),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('event', schema=None) as batch_op:
        batch_op.create_index('event_job', ['job_id', 'id'], unique=False)

    op.create_table('idempotency_key',
    sa.Column('owner', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('request_hash', sa.String(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('answer', sa.String(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('owner', 'key')
    )
    with op.batch_alter_table('idempotency_key', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_idempotency_key_created_at'), ['created_at'], unique=False)

    op.create_table('job',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('owner', sa.String(), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('renderer', sa.String(), nullable=False),
    sa.Column('frames', sa.String(), nullable=False),
    sa.Column('frame_count', sa.Integer(), nullable=False),
    sa.Column('format', sa.String(), nullable=False),
    sa.Column('output', sa.String(), nullable=True),
    sa.Column('output_root', sa.String(), nullable=False),
    sa.Column('scene', sa.JSON(), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('requires', sa.JSON(), nullable=False),
    sa.Column('tracking', sa.JSON(), nullable=False),
    sa.Column('metadata', sa.JSON(), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('pools', sa.JSON(), nullable=False),
    sa.Column('shot', sa.String(), nullable=False),
    sa.Column('cloud', sa.String(), nullable=False),
    sa.Column('max_attempts', sa.Integer(), nullable=False),
    sa.Column('timeout_s', sa.Float(), nullable=False),
    sa.Column('deadline', sa.Float(), nullable=True),
    sa.Column('submitted_at', sa.Float(), nullable=False),
    sa.Column('started_at', sa.Float(), nullable=True),
    sa.Column('ended_at', sa.Float(), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('removed', sa.Boolean(), nullable=False),
    sa.Column('waiting_on', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_job_owner'), ['owner'], unique=False)
        batch_op.create_index(batch_op.f('ix_job_shot'), ['shot'], unique=False)
        batch_op.create_index(batch_op.f('ix_job_status'), ['status'], unique=False)

    op.create_table('meta',
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('value', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('key')
    )
    op.create_table('token',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('owner', sa.String(), nullable=False),
    sa.Column('worker', sa.String(), nullable=True),
    sa.Column('pool', sa.String(), nullable=True),
    sa.Column('hash', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('expires_at', sa.Float(), nullable=True),
    sa.Column('revoked_at', sa.Float(), nullable=True),
    sa.Column('used_at', sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('token', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_token_hash'), ['hash'], unique=False)

    op.create_table('worker',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('pool', sa.String(), nullable=False),
    sa.Column('host', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('slots', sa.Integer(), nullable=False),
    sa.Column('capabilities', sa.JSON(), nullable=False),
    sa.Column('drain', sa.Boolean(), nullable=False),
    sa.Column('fast_failures', sa.Integer(), nullable=False),
    sa.Column('probations', sa.Integer(), nullable=False),
    sa.Column('canary_at', sa.Float(), nullable=True),
    sa.Column('registered_at', sa.Float(), nullable=False),
    sa.Column('last_seen', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('frame',
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('frame', sa.Integer(), nullable=False),
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('path', sa.String(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('channels', sa.String(), nullable=False),
    sa.Column('black', sa.Boolean(), nullable=False),
    sa.Column('published_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.PrimaryKeyConstraint('job_id', 'frame')
    )
    op.create_table('job_dependency',
    sa.Column('job', sa.Integer(), nullable=False),
    sa.Column('needs', sa.Integer(), nullable=False),
    sa.Column('met', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['job'], ['job.id'], ),
    sa.ForeignKeyConstraint(['needs'], ['job.id'], ),
    sa.PrimaryKeyConstraint('job', 'needs')
    )
    with op.batch_alter_table('job_dependency', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_job_dependency_needs'), ['needs'], unique=False)

    op.create_table('step',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('final', sa.Boolean(), nullable=False),
    sa.Column('blocked', sa.Integer(), nullable=False),
    sa.Column('ready', sa.Integer(), nullable=False),
    sa.Column('leased', sa.Integer(), nullable=False),
    sa.Column('succeeded', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('canceled', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('step', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_step_job_id'), ['job_id'], unique=False)

    op.create_table('task',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('step_id', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('waiting', sa.Integer(), nullable=False),
    sa.Column('feeds', sa.Integer(), nullable=True),
    sa.Column('frames', sa.String(), nullable=False),
    sa.Column('tile', sa.String(), nullable=True),
    sa.Column('slice', sa.String(), nullable=True),
    sa.Column('worker', sa.String(), nullable=True),
    sa.Column('secret', sa.String(), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('troubles', sa.Integer(), nullable=False),
    sa.Column('avoid', sa.String(), nullable=True),
    sa.Column('avoid_until', sa.Float(), nullable=True),
    sa.Column('not_before', sa.Float(), nullable=True),
    sa.Column('message', sa.String(), nullable=True),
    sa.Column('output', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], ),
    sa.ForeignKeyConstraint(['step_id'], ['step.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('task', schema=None) as batch_op:
        batch_op.create_index('task_feeds', ['feeds'], unique=False)
        batch_op.create_index('task_job', ['job_id', 'step_id', 'seq'], unique=False)
        batch_op.create_index('task_ready', ['step_id', 'seq'], unique=False, sqlite_where=sa.text("status = 'READY'"), postgresql_where=sa.text("status = 'READY'"))

    op.create_table('attempt',
    sa.Column('task_id', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('worker', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('leased_at', sa.Float(), nullable=False),
    sa.Column('ended_at', sa.Float(), nullable=True),
    sa.Column('seconds', sa.Float(), nullable=True),
    sa.Column('failure', sa.String(), nullable=True),
    sa.Column('message', sa.String(), nullable=True),
    sa.Column('exit_code', sa.Integer(), nullable=True),
    sa.Column('manifest', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['task_id'], ['task.id'], ),
    sa.PrimaryKeyConstraint('task_id', 'attempt'),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.create_index('attempt_publishing', ['task_id'], unique=False, sqlite_where=sa.text("status = 'PUBLISHING'"), postgresql_where=sa.text("status = 'PUBLISHING'"))



def downgrade() -> None:
    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.drop_index('attempt_publishing', sqlite_where=sa.text("status = 'PUBLISHING'"), postgresql_where=sa.text("status = 'PUBLISHING'"))

    op.drop_table('attempt')
    with op.batch_alter_table('task', schema=None) as batch_op:
        batch_op.drop_index('task_ready', sqlite_where=sa.text("status = 'READY'"), postgresql_where=sa.text("status = 'READY'"))
        batch_op.drop_index('task_job')
        batch_op.drop_index('task_feeds')

    op.drop_table('task')
    with op.batch_alter_table('step', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_step_job_id'))

    op.drop_table('step')
    with op.batch_alter_table('job_dependency', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_job_dependency_needs'))

    op.drop_table('job_dependency')
    op.drop_table('frame')
    op.drop_table('worker')
    with op.batch_alter_table('token', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_token_hash'))

    op.drop_table('token')
    op.drop_table('meta')
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_job_status'))
        batch_op.drop_index(batch_op.f('ix_job_shot'))
        batch_op.drop_index(batch_op.f('ix_job_owner'))

    op.drop_table('job')
    with op.batch_alter_table('idempotency_key', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_idempotency_key_created_at'))

    op.drop_table('idempotency_key')
    with op.batch_alter_table('event', schema=None) as batch_op:
        batch_op.drop_index('event_job')

    op.drop_table('event')
    op.drop_table('blob')
