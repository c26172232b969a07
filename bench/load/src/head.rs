//! The head of an answer: what says how long its body is.

/// What the head of a response says.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub length: u64,
    /// Whether the server closes the connection after this response.
    pub closes: bool,
}

/// Why a response cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unframed;

/// The head at the start of these bytes and where its body begins; nothing while it is not complete.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Unframed> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Unframed)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).ok_or(Unframed)?;
    let status = status.get(..3).and_then(|digits| digits.parse().ok()).ok_or(Unframed)?;
    let (mut length, mut closes) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Unframed)?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse().map_err(|_| Unframed)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Unframed);
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let length = length.ok_or(Unframed)?;
    Ok(Some((Head { status, length, closes }, end + 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_when_it_is_complete() {
        let bytes = b"HTTP/1.1 206 Partial Content\r\nCONTENT-length: 12\r\nConnection: close\r\n\r\nbody";
        assert_eq!(parse(&bytes[..bytes.len() - 5]), Ok(None));
        let head = Head { status: 206, length: 12, closes: true };
        assert_eq!(parse(bytes), Ok(Some((head, bytes.len() - 4))));
    }

    #[test]
    fn what_has_no_length_is_not_followed() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nDate: today\r\n\r\n"), Err(Unframed));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Unframed));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), Err(Unframed));
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n\r\n"), Err(Unframed));
    }
}
