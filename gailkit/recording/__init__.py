"""Episodes on their way into a file of demonstrations: made safe as they come, whoever acts, a person included."""
