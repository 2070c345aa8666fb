//! From YAML, libpq's environment and files to validated nodes.
