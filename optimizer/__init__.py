"""What to send: contact streams, the linear program, the calendar."""
