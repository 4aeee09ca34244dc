"""What a contact is worth: features, response rates, value, lift."""
