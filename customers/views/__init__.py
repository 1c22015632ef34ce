"""Pages of the CRM side, one module per subject."""
