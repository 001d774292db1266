"""Data sets as other libraries read them: folders of Parquet files, and of tar shards."""
