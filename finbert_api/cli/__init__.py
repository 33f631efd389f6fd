"""The command line: thin commands over services and modelling; owns progress bars and exit codes."""
