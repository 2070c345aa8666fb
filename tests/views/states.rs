//! States made on real servers, and what the views say of them.
