//! Names below a folder, with files, links and secrets around them: whatever is opened lies inside, and what is opened,
//! or refused, at once is the same when it is waited for.
#![no_main]

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sendfile_native_fuzz::arguments::c_name;
use sendfile_native_fuzz::file::{AtOnce, File};
use sendfile_native_fuzz::leads_down;
use sendfile_native_fuzz::root::Root;

#[derive(Arbitrary, Debug)]
enum Name {
    Bytes(Vec<u8>),
    Parts(Vec<Piece>),
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Slash,
    Dot,
    Up,
    File,
    Folder,
    Deep,
    Inwards,
    Outwards,
    Absolute,
    Circle,
    ToFolder,
    ToAbove,
    Magic,
    Fifo,
    Nul,
    Secret,
    Root,
    Long(u8),
    Bytes([u8; 2]),
}

impl Piece {
    fn write(&self, name: &mut Vec<u8>, folder: &Path) {
        let text: &[u8] = match self {
            Self::Slash => b"/",
            Self::Dot => b".",
            Self::Up => b"..",
            Self::File => b"file",
            Self::Folder => b"folder",
            Self::Deep => b"folder/deep",
            Self::Inwards => b"inwards",
            Self::Outwards => b"outwards",
            Self::Absolute => b"absolute",
            Self::Circle => b"circle",
            Self::ToFolder => b"to-folder",
            Self::ToAbove => b"to-above",
            Self::Magic => b"magic",
            Self::Fifo => b"fifo",
            Self::Nul => b"\0",
            Self::Secret => b"secret",
            Self::Root => folder.as_os_str().as_bytes(),
            Self::Long(times) => return name.extend(std::iter::repeat_n(b'a', usize::from(*times) * 5)),
            Self::Bytes(bytes) => bytes,
        };
        name.extend_from_slice(text);
    }
}

struct Site {
    folder: PathBuf,
    /// With links, and without.
    roots: [Root; 2],
    inside: HashSet<(u64, u64)>,
}

fuzz_target!(|name: Name| {
    static SITE: OnceLock<Site> = OnceLock::new();
    let site = SITE.get_or_init(Site::new);
    let mut bytes = match name {
        Name::Bytes(bytes) => bytes,
        Name::Parts(parts) => {
            let mut bytes = Vec::new();
            for part in parts {
                part.write(&mut bytes, &site.folder);
            }
            bytes
        }
    };
    bytes.push(0);
    let Some(name) = c_name(&bytes) else {
        assert!(bytes[..bytes.len() - 1].contains(&0));
        return;
    };
    assert_eq!(leads_down(&bytes), looks_below(name.to_bytes()), "{name:?}");
    for root in &site.roots {
        site.check(root, name);
    }
});

/// The same as a path says it.
fn looks_below(name: &[u8]) -> bool {
    use std::path::Component::{CurDir, Normal};
    let path = Path::new(std::ffi::OsStr::from_bytes(name));
    !name.is_empty() && path.components().all(|part| matches!(part, CurDir | Normal(_)))
}

impl Site {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sendfile-native-fuzz-{}", std::process::id()));
        let inside = folder.join("inside");
        fs::create_dir_all(inside.join("folder")).unwrap();
        let files = [inside.join("file"), inside.join("folder/deep"), inside.join("folder/file")];
        for (index, file) in files.iter().enumerate() {
            fs::write(file, vec![b'i'; index + 1]).unwrap();
        }
        fs::write(folder.join("secret"), "secret").unwrap();
        let links = [
            ("folder/file", "inwards"),
            ("../secret", "outwards"),
            ("/etc/passwd", "absolute"),
            ("circle", "circle"),
            ("folder", "to-folder"),
            ("..", "to-above"),
            ("/proc/self/root", "magic"),
            ("../file", "folder/inwards"),
        ];
        for (target, link) in links {
            symlink(target, inside.join(link)).unwrap();
        }
        assert!(std::process::Command::new("mkfifo").arg(inside.join("fifo")).status().unwrap().success());
        let roots = [true, false].map(|links| Root::new(c_string(&inside), links));
        for root in &roots {
            root.open(c"file").unwrap();
        }
        let inside = files.iter().map(|file| identity(&fs::metadata(file).unwrap())).collect();
        Self { folder, roots, inside }
    }

    fn check(&self, root: &Root, name: &CStr) {
        let at_once = root.open_at_once(name);
        let waited = root.open(name);
        if let Ok(file) = &waited {
            self.lies_inside(file, name);
        }
        match at_once {
            AtOnce::Opened(file) => {
                self.lies_inside(&file, name);
                let waited = waited.unwrap_or_else(|errno| panic!("{name:?}: opened at once, and {errno:?}"));
                assert_eq!(waited.status(), file.status(), "{name:?}");
            }
            AtOnce::Refused(errno) => assert_eq!(waited.err(), Some(errno), "{name:?}"),
            AtOnce::MayWait => {}
        }
    }

    fn lies_inside(&self, file: &File, name: &CStr) {
        let status = file.status();
        assert!(self.inside.contains(&(status.device, status.inode)), "{name:?} leads out");
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}
