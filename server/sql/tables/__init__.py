"""The tables, in SQLAlchemy Core: the one description of what is stored. `server.sql.schema` is all of them."""
