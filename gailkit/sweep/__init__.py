"""Many runs of training: tasks, settings and seeds, run side by side, gone on with, and compared in the end."""
