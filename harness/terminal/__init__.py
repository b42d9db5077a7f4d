"""What a terminal offers (contracts, model declarations), and one driver a file."""
