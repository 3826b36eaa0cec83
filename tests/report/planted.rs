//! A folder with planted secrets in every kind of place, and the proof that nothing that is written holds one of them.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::support::{Folder, made_up};

/// The folder and what must not be seen of it.
pub(crate) struct Planted {
    pub(crate) folder: Folder,
    secrets: Vec<String>,
}

impl Planted {
    pub(crate) fn new() -> Planted {
        let folder = Folder::new();
        let tree = folder.path("tree");
        std::fs::create_dir_all(tree.join("deep")).unwrap();
        let secrets: Vec<String> = ["{alnum:24}", "ghp_{alnum:36}", "{alnum:20}", "{alnum:28}", "{alnum:22}"]
            .iter()
            .enumerate()
            .map(|(seed, template)| inkout::rules::generator::expand(template, 40 + seed as u64).unwrap())
            .collect();
        let write = |name: &OsStr, content: &[u8]| std::fs::write(tree.join(name), content).unwrap();
        write(
            OsStr::new("app.env"),
            format!("# settings\nDB_PASSWORD={}\nAPI_TOKEN=your-token-here\n", secrets[0]).as_bytes(),
        );
        write(
            OsStr::new("deep/web.log"),
            format!("user=ada token={}\nclean line\npush {} done\n", secrets[2], secrets[1]).as_bytes(),
        );
        write(
            OsStr::from_bytes(b"odd\nname \xff<img src=x onerror=alert(1)>.log"),
            format!("é password={} <b>&amp;\n", secrets[3]).as_bytes(),
        );
        write(OsStr::new("=formula,\"x\".log"), format!("password={}\n", secrets[3]).as_bytes());
        write(OsStr::new(&format!("token={}.txt", secrets[4])), b"password=Y8!kq2-zz0\n");
        write(OsStr::new("blob.bin"), b"\0\x01\x02");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(format!("x\ny password={}\n", secrets[0]).as_bytes()).unwrap();
        write(OsStr::new("old.log.gz"), &packed.finish().unwrap());
        let mut tar = tar::Builder::new(Vec::new());
        let text = format!("password={}\n", secrets[2]);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "inner/<script>.log", text.as_bytes()).unwrap();
        write(OsStr::new("bundle.tar"), &tar.into_inner().unwrap());
        Planted { folder, secrets }
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.path("tree")
    }

    /// Adds a file that cannot be read to its end.
    pub(crate) fn broken(&self) -> PathBuf {
        let path = self.tree().join("broken.log.gz");
        std::fs::write(&path, b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc").unwrap();
        path
    }

    /// Fails if a planted value, or something it can be computed from or tried against, stands in `text`.
    #[track_caller]
    pub(crate) fn is_in_none_of(&self, what: &str, text: &[u8]) {
        let haystack = String::from_utf8_lossy(text).to_lowercase();
        for (index, secret) in self.secrets.iter().enumerate() {
            let digest = Sha256::digest(secret.as_bytes());
            let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let plain_hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let base64 = (0..3).flat_map(|shift| {
                let shifted = [&b"xyz"[..shift], secret.as_bytes()].concat();
                [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)].map(|text| text[4..20].to_owned())
            });
            let forms = [secret[..12].to_owned(), secret[secret.len() - 10..].to_owned(), hex, plain_hex];
            for form in forms.into_iter().chain(base64) {
                assert!(
                    !haystack.contains(&form.to_lowercase()),
                    "{what} holds secret {index}, as {} bytes",
                    form.len()
                );
            }
        }
    }
}

#[test]
fn the_proof_sees_what_it_looks_for() {
    let planted = Planted::new();
    let shown = |text: &str| std::panic::catch_unwind(|| planted.is_in_none_of("x", text.as_bytes())).is_err();
    assert!(shown(&planted.secrets[1]) && shown(&STANDARD_NO_PAD.encode(format!("a{}", planted.secrets[1]))));
    assert!(!shown(&made_up("{alnum:40}")));
}
