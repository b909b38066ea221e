"""The journal of staff about participants, conflicts and contracts, and the contacts of participants.

What is here is for staff in scope only: no export, notice or message has any of it.
"""
