"""The test that ``hil97 replay`` runs, once for each recorded test."""
