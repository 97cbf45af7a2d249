"""From the warehouse to people: reads the marts, changes nothing."""
