//! The command line: arguments and one file per subcommand.
