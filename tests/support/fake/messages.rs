//! The messages of a server, byte by byte.

/// Any message: its type, its length, its body.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    announced(tag, body.len() as u32 + 4, body)
}

/// A message whose length may be a lie.
pub fn announced(tag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

/// "You are in": authentication, a version, a key for cancel requests, ready.
pub fn greeting() -> Vec<u8> {
    let version = status(b"server_version", b"15.4");
    [welcome(), version, message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]), ready()].concat()
}

/// The authentication is complete.
pub fn welcome() -> Vec<u8> {
    message(b'R', &[0; 4])
}

pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

pub fn status(name: &[u8], value: &[u8]) -> Vec<u8> {
    message(b'S', &[name, b"\0", value, b"\0"].concat())
}

pub fn error(severity: &str, sqlstate: &str, text: &str) -> Vec<u8> {
    message(b'E', &fields(severity, sqlstate, text))
}

pub fn notice(text: &str) -> Vec<u8> {
    message(b'N', &fields("NOTICE", "00000", text))
}

fn fields(severity: &str, sqlstate: &str, text: &str) -> Vec<u8> {
    format!("S{severity}\0V{severity}\0C{sqlstate}\0M{text}\0\0").into_bytes()
}

/// Columns by name and type.
pub fn row_description(columns: &[(&str, u32)]) -> Vec<u8> {
    let mut body = (columns.len() as u16).to_be_bytes().to_vec();
    for (name, of_type) in columns {
        body.extend(name.as_bytes());
        body.extend([0; 7]);
        body.extend(of_type.to_be_bytes());
        body.extend([0xff; 6]);
        body.extend([0; 2]);
    }
    message(b'T', &body)
}

pub fn row(cells: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = (cells.len() as u16).to_be_bytes().to_vec();
    for cell in cells {
        body.extend(cell.map_or(u32::MAX, |cell| cell.len() as u32).to_be_bytes());
        body.extend(cell.unwrap_or_default());
    }
    message(b'D', &body)
}

pub fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// The answer to a parsed statement: its parameters and its columns.
pub fn prepared(parameters: &[u32], columns: &[(&str, u32)]) -> Vec<u8> {
    let mut types = (parameters.len() as u16).to_be_bytes().to_vec();
    types.extend(parameters.iter().flat_map(|of_type| of_type.to_be_bytes()));
    [message(b'1', b""), message(b't', &types), row_description(columns), ready()].concat()
}
