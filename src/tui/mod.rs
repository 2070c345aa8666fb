//! The picture: reads the app state, writes nothing.
