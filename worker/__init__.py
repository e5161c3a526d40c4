"""The worker between S3 and V7 Darwin. The folders are the floors of the house: imports go down only."""
