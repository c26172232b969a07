//! The files of the folder, open, and what is said before each.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

pub struct Entry {
    pub file: File,
    pub length: u64,
    pub head: Vec<u8>,
}

pub struct Files(HashMap<Vec<u8>, Entry>);

impl Files {
    pub fn open(folder: &Path) -> io::Result<Files> {
        let mut files = HashMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let file = File::open(entry.path())?;
            let length = file.metadata()?.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
            );
            let name = format!("/{}", entry.file_name().to_string_lossy());
            files.insert(name.into_bytes(), Entry { file, length, head: head.into_bytes() });
        }
        Ok(Files(files))
    }

    pub fn find(&self, path: &[u8]) -> Option<&Entry> {
        self.0.get(path)
    }
}
