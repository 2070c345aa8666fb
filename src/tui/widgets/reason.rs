//! Why a node does not answer, shortened to the available room.

use std::borrow::Cow;

use crate::text;

/// The error of a node; if it does not fit, without the node's own address, which is shown elsewhere.
pub(crate) fn reason<'m>(message: &'m str, address: &str, room: usize) -> Cow<'m, str> {
    if text::width(message) <= room {
        return message.into();
    }
    let place = |before: &str| format!(" {before} {address}");
    let without = |message: String, before: &&str| message.replace(&place(before), "");
    ["by", "from", "to", "at"].iter().fold(message.to_owned(), without).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_without_room_leaves_the_address_out() {
        let said = |message, room| reason(message, "10.0.0.9:5432", room).into_owned();
        let refused = "connection refused by 10.0.0.9:5432";
        assert_eq!(said(refused, 35), refused);
        assert_eq!(said(refused, 34), "connection refused");
        assert_eq!(said("no answer from 10.0.0.9:5432 within 400 ms", 30), "no answer within 400 ms");
        assert_eq!(said("the connection to 10.0.0.9:5432 was lost", 30), "the connection was lost");
        assert_eq!(
            said("password authentication failed for user \"x\"", 30),
            "password authentication failed for user \"x\""
        );
    }
}
