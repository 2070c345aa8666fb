//! A throw-away real PostgreSQL cluster, for `pgwatch demo` and for the tests.
