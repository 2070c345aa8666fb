//! Follows the framing of a server's messages: one byte for the type, four for the length (including themselves), then
//! the body. It recognizes what a PostgreSQL server never sends; such a connection is ended before the driver sees the
//! bytes.

use super::fault::Fault;
use super::heard::Heard;
use crate::model::protocol::QueryRequest;

/// The largest message that is not a row, in bytes. An error that quotes a long statement and the description of a wide
/// result need this much.
const MAX_MESSAGE: usize = 1 << 20;
/// Bytes of a message that are kept to be read here.
const MAX_KEPT: usize = 64 << 10;
/// Most columns of a result in PostgreSQL (`MaxTupleAttributeNumber`).
const MAX_COLUMNS: u16 = 1_664;

/// The position in the stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 5],
    have: usize,
    /// Bytes of the body still to come.
    left: usize,
    kept: Vec<u8>,
    in_use: bool,
}

impl Frames {
    /// True if the session has begun.
    pub(super) fn in_use(&self) -> bool {
        self.in_use
    }

    /// Reads the next bytes. Returns an error if they are not what a server may send.
    pub(super) fn feed(&mut self, mut bytes: &[u8], heard: &Heard) -> Result<(), Fault> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.have < self.header.len() {
                self.header[self.have] = byte;
                self.have += 1;
                bytes = rest;
                if self.have == self.header.len() {
                    self.begin(heard)?;
                }
            } else {
                let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
                let room = keeps(self.tag()).saturating_sub(self.kept.len());
                self.kept.extend_from_slice(body.get(..room).unwrap_or(body));
                self.left -= body.len();
                self.count_row(body.len(), heard);
                bytes = rest;
            }
            if self.have == self.header.len() && self.left == 0 {
                self.end(heard)?;
            }
        }
        Ok(())
    }

    fn tag(&self) -> u8 {
        self.header[0]
    }

    /// Checks a message by its header.
    fn begin(&mut self, heard: &Heard) -> Result<(), Fault> {
        let [tag, a, b, c, d] = self.header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let known: &[u8] = if self.in_use { b"123AcCdDEGHIKnNRsStTWZ" } else { b"RKSNEZ" };
        if !known.contains(&tag) {
            return Err(Fault::NotPostgres(format!("a message of kind {}", shown(tag))));
        }
        if length < 4 {
            return Err(Fault::NotPostgres(format!("a message of {length} bytes")));
        }
        let limits = heard.allowance.limits;
        let (what, most) = match tag {
            b'D' | b'd' => ("a row", limits.row),
            b'E' => ("an error", MAX_MESSAGE),
            b'N' => ("a notice", MAX_MESSAGE),
            _ => ("", MAX_MESSAGE),
        };
        if length > most {
            // Large rows, errors and notices may follow from the user's statement. That is not the server's fault.
            return Err(if limits.rows_are_wanted && self.in_use && !what.is_empty() {
                Fault::TooLarge { what, length, kept: most.min(QueryRequest::MAX_BYTES) }
            } else {
                Fault::NotPostgres(format!("a message of {} MB", length >> 20))
            });
        }
        self.left = length - 4;
        self.count_row(self.header.len(), heard);
        Ok(())
    }

    /// Reads a message that is complete.
    fn end(&mut self, heard: &Heard) -> Result<(), Fault> {
        match self.tag() {
            b'T' => {
                let columns = self.kept.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
                if columns > MAX_COLUMNS {
                    return Err(Fault::NotPostgres(format!("a result of {columns} columns")));
                }
            }
            b'R' => heard.authentication(&self.kept)?,
            b'Z' => {
                self.in_use = true;
                heard.allowance.answered();
            }
            _ => {}
        }
        heard.message(self.tag(), &self.kept);
        self.kept.clear();
        self.have = 0;
        Ok(())
    }

    fn count_row(&self, bytes: usize, heard: &Heard) {
        if heard.allowance.limits.rows_are_wanted && matches!(self.tag(), b'D' | b'd') {
            heard.allowance.wanted(bytes);
        }
    }
}

/// How many bytes of a message's body are read here: of errors, notices, settings, requests for authentication, the state of
/// the transaction, the process id of the session, and the number of columns of a result.
fn keeps(tag: u8) -> usize {
    match tag {
        b'E' | b'N' | b'S' | b'Z' => MAX_KEPT,
        b'R' => 1024,
        b'K' => 4,
        b'T' => 2,
        _ => 0,
    }
}

fn shown(tag: u8) -> String {
    if tag.is_ascii_graphic() { format!("{:?}", char::from(tag)) } else { format!("{tag:#04x}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::wire::allowance::Limits;
    use crate::model::AuthMethods;

    /// The limits of a session for statements of the user, and of one for our own.
    const QUERY: Limits = Limits { row: 65 << 20, answer: 4 << 20, rows_are_wanted: true };
    const OWN: Limits = Limits { row: 64 << 10, answer: 256 << 10, rows_are_wanted: false };

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let mut bytes = message(b'S', b"server_version\x0015.4 (Debian)\0");
        bytes.extend(message(b'Z', b"I"));
        bytes.extend(message(b'D', &[7; 300]));
        bytes.extend(message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"));
        bytes.extend(message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mgone\0\0"));
        bytes.extend(message(b'Z', b"T"));
        for size in [1, 2, 3, 7, 64, 4096] {
            let (heard, mut frames) = (Heard::new(QUERY), Frames::default());
            for piece in bytes.chunks(size) {
                frames.feed(piece, &heard).unwrap();
            }
            assert_eq!(heard.server_version().as_deref(), Some("15.4"));
            assert_eq!(heard.transaction(), b'T');
            assert_eq!(heard.take_notices()[0].message, "hello");
            assert_eq!(heard.fatal().unwrap().sqlstate, "57P01");
        }
    }

    #[test]
    fn what_comes_with_a_warning_before_the_session_is_ready_is_a_warning_at_the_login() {
        let notice = |fields: &[u8]| message(b'N', fields);
        let (heard, mut frames) = (Heard::new(QUERY), Frames::default());
        let mut bytes = notice(b"SWARNING\0VWARNING\0C01000\0Mexpires soon\0Din 2 days\0\0");
        bytes.extend(notice(b"SNOTICE\0VNOTICE\0C00000\0Mwelcome\0\0"));
        bytes.extend(notice(b"SWARNUNG\0VWARNING\0C01000\0Mold\0\0"));
        bytes.extend(message(b'Z', b"I"));
        bytes.extend(notice(b"SWARNING\0VWARNING\0C01000\0Mof a statement\0\0"));
        frames.feed(&bytes, &heard).unwrap();
        assert_eq!(heard.warnings(), ["expires soon: in 2 days", "old"]);
        let (heard, mut frames) = (Heard::new(QUERY), Frames::default());
        frames.feed(&notice(b"C01000\0Magain\0\0").repeat(1000), &heard).unwrap();
        assert_eq!(heard.warnings().len(), 5, "few of many are kept");
    }

    /// The fault found in these bytes, sent after a session has begun.
    fn fault(limits: Limits, bytes: &[u8]) -> String {
        let (heard, mut frames) = (Heard::new(limits), Frames::default());
        frames.feed(&message(b'Z', b"I"), &heard).unwrap();
        frames.feed(bytes, &heard).map_or_else(|fault| fault.to_string(), |()| "nothing".to_owned())
    }

    #[test]
    fn a_method_that_is_not_allowed_is_refused_before_anything_is_sent() {
        let asks = |require: &str, codes: &[u32]| {
            let (heard, mut frames) = (Heard::new(QUERY), Frames::default());
            heard.require_auth(AuthMethods::parse(require));
            let bytes: Vec<u8> = codes.iter().flat_map(|code| message(b'R', &code.to_be_bytes())).collect();
            frames.feed(&bytes, &heard).map_err(|fault| matches!(fault, Fault::Authentication(_)))
        };
        assert_eq!(asks("scram-sha-256", &[10, 12, 0]), Ok(()));
        assert_eq!(asks("scram-sha-256", &[3]), Err(true));
        assert_eq!(asks("scram-sha-256", &[0]), Err(true), "a server that asks for nothing proves nothing");
        assert_eq!(asks("!password", &[5, 0]), Ok(()));
        assert_eq!(asks("!md5,!none", &[5, 0]), Err(true));
        assert_eq!(asks("none", &[0]), Ok(()));
    }

    #[test]
    fn the_rounds_of_scram_are_read() {
        let (heard, mut frames) = (Heard::new(QUERY), Frames::default());
        let body = [&11_u32.to_be_bytes()[..], b"r=abc,s=c2FsdA==,i=600000"].concat();
        frames.feed(&message(b'R', &body), &heard).unwrap();
        assert_eq!(heard.scram_rounds(), Some(600_000));
    }

    #[test]
    fn a_giant_message_is_refused_by_its_header() {
        let row = [b'D', 0x12, 0xc0, 0, 0];
        assert_eq!(fault(QUERY, &row), "a row of 300 MB is larger than the limit of 64 MB");
        assert!(fault(OWN, &row).ends_with("(a message of 300 MB)"), "{}", fault(OWN, &row));
        let notice = [b'N', 0, 0x30, 0, 0];
        assert_eq!(fault(QUERY, &notice), "a notice of 3 MB is larger than the limit of 1 MB");
    }

    #[test]
    fn a_web_server_is_no_database() {
        let (heard, mut frames) = (Heard::new(QUERY), Frames::default());
        let fault = frames.feed(b"HTTP/1.1 400 Bad Request", &heard).unwrap_err();
        assert!(fault.to_string().contains("does not speak"), "{fault}");
    }

    #[test]
    fn no_result_has_more_columns_than_postgresql_can_make() {
        assert_eq!(fault(QUERY, &message(b'T', &1664_u16.to_be_bytes())), "nothing");
        assert!(fault(QUERY, &message(b'T', &[0xff, 0xff])).ends_with("(a result of 65535 columns)"));
    }
}
