"""Work in processes of its own, on this machine or on a cluster: one job's failure costs that job alone."""
