"""What stands between a stranger's request and the workbench."""
