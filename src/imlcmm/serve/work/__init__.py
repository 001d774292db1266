"""What worker processes do for the workbench; nothing here is imported by the server itself but names."""
