"""Run the migrations on the connection that the server hands over (Alembic calls this file)."""

from alembic import context

from imlcmm.serve.state.tables import Table

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Table.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
