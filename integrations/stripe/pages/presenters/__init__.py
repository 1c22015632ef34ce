"""What the pages show, as plain values: every query of a page is here, every word a person reads in a template."""
