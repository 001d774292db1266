"""What the workbench keeps: a folder with a database in it."""
