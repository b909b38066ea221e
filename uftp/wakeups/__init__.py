"""Wake-ups: jobs by which workers look at an inbox, an outbox or a long job."""
