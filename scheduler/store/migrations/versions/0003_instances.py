"""Intents and instances"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('budget_alert',
    sa.Column('budget', sa.String(), nullable=False),
    sa.Column('period_start', sa.Float(), nullable=False),
    sa.Column('threshold', sa.Float(), nullable=False),
    sa.Column('at', sa.Float(), nullable=False),
    sa.Column('details', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('budget', 'period_start', 'threshold')
    )
    op.create_table('instance',
    sa.Column('pool', sa.String(), nullable=False),
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('intent', sa.String(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('preempted', sa.Boolean(), nullable=False),
    sa.Column('machine', sa.String(), nullable=False),
    sa.Column('place', sa.String(), nullable=False),
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('price_usd_per_hour', sa.Float(), nullable=False),
    sa.Column('billing_s', sa.Float(), nullable=False),
    sa.Column('life_s', sa.Float(), nullable=False),
    sa.Column('worker', sa.String(), nullable=False),
    sa.Column('launched_at', sa.Float(), nullable=False),
    sa.Column('running_at', sa.Float(), nullable=True),
    sa.Column('seen_at', sa.Float(), nullable=True),
    sa.Column('missing_since', sa.Float(), nullable=True),
    sa.Column('asked_at', sa.Float(), nullable=True),
    sa.Column('ended_at', sa.Float(), nullable=True),
    sa.Column('usd', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('pool', 'id')
    )
    with op.batch_alter_table('instance', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_instance_ended_at'), ['ended_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_instance_intent'), ['intent'], unique=False)
        batch_op.create_index(batch_op.f('ix_instance_status'), ['status'], unique=False)
        batch_op.create_index(batch_op.f('ix_instance_worker'), ['worker'], unique=False)

    op.create_table('launch_intent',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('pool', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('expected', sa.Integer(), nullable=False),
    sa.Column('settled', sa.Boolean(), nullable=False),
    sa.Column('price_usd_per_hour', sa.Float(), nullable=False),
    sa.Column('billing_s', sa.Float(), nullable=False),
    sa.Column('life_s', sa.Float(), nullable=False),
    sa.Column('reserved_usd', sa.Float(), nullable=False),
    sa.Column('shares', sa.JSON(), nullable=False),
    sa.Column('reasons', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('asked_at', sa.Float(), nullable=True),
    sa.Column('lookup_at', sa.Float(), nullable=True),
    sa.Column('ended_at', sa.Float(), nullable=True),
    sa.Column('error', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('launch_intent', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_launch_intent_pool'), ['pool'], unique=False)
        batch_op.create_index(batch_op.f('ix_launch_intent_status'), ['status'], unique=False)

    with op.batch_alter_table('token', schema=None) as batch_op:
        batch_op.add_column(sa.Column('intent', sa.String(), nullable=True))
        batch_op.add_column(sa.Column('uses_left', sa.Integer(), nullable=False, server_default='1'))
        batch_op.create_index(batch_op.f('ix_token_intent'), ['intent'], unique=False)

    with op.batch_alter_table('worker', schema=None) as batch_op:
        batch_op.add_column(sa.Column('instance', sa.String(), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('intent', sa.String(), nullable=False, server_default=''))
        batch_op.create_index(batch_op.f('ix_worker_intent'), ['intent'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('worker', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_worker_intent'))
        batch_op.drop_column('intent')
        batch_op.drop_column('instance')

    with op.batch_alter_table('token', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_token_intent'))
        batch_op.drop_column('uses_left')
        batch_op.drop_column('intent')

    with op.batch_alter_table('launch_intent', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_launch_intent_status'))
        batch_op.drop_index(batch_op.f('ix_launch_intent_pool'))

    op.drop_table('launch_intent')
    with op.batch_alter_table('instance', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_instance_worker'))
        batch_op.drop_index(batch_op.f('ix_instance_status'))
        batch_op.drop_index(batch_op.f('ix_instance_intent'))
        batch_op.drop_index(batch_op.f('ix_instance_ended_at'))

    op.drop_table('instance')
    op.drop_table('budget_alert')
