"""Who the customers are: value segments."""
