//! The bytes of a marked file. Eight at a time say which file it is, which of its versions, and where they stand: the
//! magic, the file (2 bytes), the version (2 bytes), the number of the eight (3 bytes), all of them little endian.

const MAGIC: u64 = 0xa5;
const WORD: usize = 8;

/// A body as it comes. It has to be of one version from its beginning to its end.
pub struct Body {
    id: u16,
    /// Whether the file is truncated now and then. The kernel clears what was cut off, up to the end of what it keeps of
    /// a file in one piece (a folio), and with sendfile(2) bytes are on their way as that very memory.
    shrinks: bool,
    /// Bytes that were cleared so.
    pub cleared: u64,
    position: u64,
    /// The first eight bytes with the number taken out, once all of them are there.
    base: Option<u64>,
    first: [u8; WORD],
}

/// What was not as it should be, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub position: u64,
    pub bytes: Vec<u8>,
}

impl Body {
    pub fn new(id: u16, shrinks: bool) -> Body {
        Body { id, shrinks, cleared: 0, position: 0, base: None, first: [0; WORD] }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes what follows.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), Wrong> {
        while self.base.is_none() && !bytes.is_empty() {
            let at = self.position as usize;
            self.first[at] = bytes[0];
            // What is there of the magic and the file has to be right already.
            let known = (MAGIC | u64::from(self.id) << 8).to_le_bytes();
            if at < 3 && known[at] != bytes[0] {
                return Err(self.wrong(bytes));
            }
            if at == WORD - 1 {
                let word = u64::from_le_bytes(self.first);
                if word >> 40 != 0 {
                    return Err(self.wrong(bytes));
                }
                self.base = Some(word);
            }
            self.position += 1;
            bytes = &bytes[1..];
        }
        let Some(base) = self.base else {
            return Ok(());
        };
        while !bytes.is_empty() {
            let within = (self.position % WORD as u64) as usize;
            let expected = (base | (self.position / WORD as u64) << 40).to_le_bytes();
            let count = bytes.len().min(WORD - within);
            let (here, expected) = (&bytes[..count], &expected[within..within + count]);
            if here != expected {
                if !self.shrinks || here.iter().zip(expected).any(|(byte, right)| *byte != 0 && byte != right)
                {
                    return Err(self.wrong(bytes));
                }
                self.cleared +=
                    here.iter().zip(expected).filter(|(byte, right)| byte != right).count() as u64;
            }
            self.position += count as u64;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn wrong(&self, bytes: &[u8]) -> Wrong {
        Wrong { position: self.position, bytes: bytes[..bytes.len().min(24)].to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(id: u16, version: u16, words: u64) -> Vec<u8> {
        let base = MAGIC | u64::from(id) << 8 | u64::from(version) << 24;
        (0..words).flat_map(|index| (base | index << 40).to_le_bytes()).collect()
    }

    fn taken(body: &mut Body, bytes: &[u8], piece: usize) -> Result<(), Wrong> {
        bytes.chunks(piece).try_for_each(|piece| body.take(piece))
    }

    #[test]
    fn a_file_is_known_in_pieces_of_any_size() {
        for piece in [1, 2, 3, 7, 8, 9, 64, 4096] {
            let mut body = Body::new(513, false);
            assert_eq!(taken(&mut body, &contents(513, 7, 1000), piece), Ok(()));
            assert_eq!(body.position(), 8000);
        }
    }

    #[test]
    fn only_zeros_may_stand_in_a_file_that_shrinks() {
        let own = contents(3, 1, 100);
        let cleared = [&own[..400], &[0; 100], &own[500..]].concat();
        let mut body = Body::new(3, true);
        assert_eq!(taken(&mut body, &cleared, 64), Ok(()));
        assert_eq!(body.cleared, own[400..500].iter().filter(|byte| **byte != 0).count() as u64);
        let other = [&own[..400], &contents(4, 1, 100)[400..]].concat();
        let wrong = Body::new(3, true).take(&other).expect_err("it was taken for cleared");
        assert_eq!(wrong.position, 400);
    }

    #[test]
    fn another_file_another_version_and_another_place_are_found() {
        let own = contents(3, 1, 100);
        for (other, position) in [
            (contents(4, 1, 100), 1),
            ([&own[..400], &contents(4, 1, 100)[400..]].concat(), 400),
            ([&own[..400], &contents(3, 2, 100)[400..]].concat(), 400),
            ([&own[..400], &own[408..]].concat(), 400),
            ([&own[..401], &own[402..]].concat(), 400),
            (own[8..].to_vec(), 7),
            (vec![0; 16], 0),
        ] {
            let wrong = Body::new(3, false).take(&other).expect_err("it was taken for the file");
            assert_eq!(wrong.position, position);
        }
    }
}
