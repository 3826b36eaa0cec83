//! Unix sockets to listen on. One that a process before us left behind is replaced, anything else in its place is not, and
//! ours goes with us. Who comes, and what is said, is the business of who listens.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A socket with a name, which is removed with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Somebody or something is there; it says what "it" is.
    #[error("it {0}")]
    Taken(&'static str),
    /// The system's word.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Socket {
    /// Listens at `path`, for those that `mode` lets in.
    pub(crate) fn bind(path: &Path, mode: u32) -> Result<Socket, Refused> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(Refused::Taken("is there already, and is no socket"));
            }
            Ok(_) if Probe::connect(path).is_ok() => return Err(Refused::Taken("is in use by another process")),
            Ok(_) => fs::remove_file(path)?,
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        Ok(Socket { listener, path: path.to_owned() })
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What is left of it would only confuse.
        let _ = fs::remove_file(&self.path);
    }
}
