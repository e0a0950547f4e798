"""The parts of the command ``fastnn``: options, runs, files of rows, and what is shown on the terminal."""
