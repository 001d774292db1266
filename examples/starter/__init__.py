"""The starter model of the package: its texts, how they are encoded, and its training (`make starter`)."""
