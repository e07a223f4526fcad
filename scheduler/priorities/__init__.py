"""What production wishes: reads its tracker (ShotGrid), remembers what it said, and turns it into wishes for jobs."""
