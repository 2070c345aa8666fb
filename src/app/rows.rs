//! What every list has: a cursor, a filter, an order.

pub mod cursor;
pub mod filter;
pub mod table;
