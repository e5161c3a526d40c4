"""The moving parts, named as in the flow: intake, sorting, lanes, registering, settling, and leasing beside them."""
